"""The finished bundle, opened as a user would: each target once more, judged and timed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vnvision.errors import ExportError
from vnvision.export.gate import at_size
from vnvision.export.judge import Judge
from vnvision.export.reference import Reference
from vnvision.export.result import NOT_RUN, TOLERANCES, GateResult
from vnvision.imaging import Preprocessor
from vnvision.records import TargetRecord
from vnvision.runtime import Predictor, open_target
from vnvision.runtime.bundle import verified

_RUNS, _WARM = 15, 3


def checked_targets(
    folder: Path,
    reference: Reference,
    results: Mapping[str, GateResult],
    judge: Judge | None,
    *,
    skip_refused: bool,
    time_it: bool,
) -> tuple[dict[str, TargetRecord], dict[str, str]]:
    """The targets' final records, and why others were refused.

    The gate tested the files; this tests that ``runtime`` reads them with the preprocessing they need,
    geometry included, and asks reduced ones for their answers to pictures whose truth is known.

    Args:
        folder: the bundle, its manifest written.
        reference: the original's answers to the golden images.
        results: of the gate.
        judge: for reduced targets; None judges none.
        skip_refused: go on without a refused target.
        time_it: fill ``p50_ms``.

    Raises:
        ExportError: a target is refused, unless it is skipped.
    """
    bundle = verified(folder, None)
    expected = _Expected(reference)
    kept: dict[str, TargetRecord] = {}
    refused: dict[str, str] = {}
    for key, record in bundle.manifest.targets.items():
        if results[key].proven_by == NOT_RUN:
            kept[key] = record
            continue
        try:
            with contextlib.closing(open_target(bundle, key)) as predictor:
                if not record.precision.startswith("int8"):
                    expected.require(predictor, results[key])
                if judge is not None and record.precision != "fp32":
                    record = _judged(record, judge, predictor, key)
                if time_it and record.engine != "rknn":  # a simulator's time is nobody's
                    record = record.model_copy(update={"p50_ms": p50_ms(predictor, reference.images[:1])})
        except ExportError as exc:
            if not skip_refused or key == "onnx":
                raise
            refused[key] = str(exc)
            continue
        kept[key] = record
    return kept, refused


def _judged(record: TargetRecord, judge: Judge, predictor: Predictor, key: str) -> TargetRecord:
    """The record with its judgement, its own calibration and its own thresholds."""
    found, outputs = judge(predictor)
    judge.require(found, key)
    return record.model_copy(
        update={
            "judged": found,
            "calibration": judge.calibration(record.calibration, outputs),
            "operating_points": judge.points(record.operating_points, outputs),
        }
    )


class _Expected:
    """What the finished bundle has to answer to the golden images, as read from a file."""

    def __init__(self, reference: Reference) -> None:
        spec = reference.task.preprocess
        self._aligned = spec.geometry == "align"  # golden images are aligned already, and have no landmarks
        self._preprocessor = Preprocessor(at_size(spec) if self._aligned else spec)
        self._images, self._scale = list(reference.images), reference.scale
        inputs = self._preprocessor.batch(self._images)
        self._answers = reference.run(inputs)
        if spec.flip_average:
            flipped = reference.run(np.ascontiguousarray(inputs[..., ::-1]))
            self._answers = (self._answers + flipped) / 2

    def require(self, predictor: Predictor, result: GateResult) -> None:
        """Raise ExportError where a target answers otherwise."""
        if self._aligned:
            crops = [self._preprocessor.geometry(image) for image in self._images]
            answers = predictor.logits_of_crops(crops)
        else:
            answers = predictor.logits(self._images)
        gap = float(np.abs(answers - self._answers).max()) / self._scale
        limit = TOLERANCES[result.precision].relative
        if not gap <= limit:
            raise ExportError(
                f"the finished bundle answers otherwise than the model through target {result.target}",
                expected=f"a relative difference of at most {limit:g}",
                got=f"{gap:.3g}",
            )


def p50_ms(predictor: Predictor, image: np.ndarray) -> float:
    """Median time of one picture (1, h, w, C) at the model's size in the engine, milliseconds."""
    batch = predictor.preprocessor.normalise(image[0])[None]
    times = []
    for index in range(_WARM + _RUNS):
        start = time.perf_counter()
        predictor.engine.run(batch)
        if index >= _WARM:
            times.append(time.perf_counter() - start)
    return round(1000 * float(np.median(times)), 3)
