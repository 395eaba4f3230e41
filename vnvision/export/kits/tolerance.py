"""What an integrator's machine has to answer, and how far off it may be."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from vnvision.engines import ENGINES, open_engine
from vnvision.errors import MissingExtraError, ModelError
from vnvision.export import faults
from vnvision.export.reference import spread
from vnvision.export.result import TOLERANCES
from vnvision.records import TargetRecord
from vnvision.spec import PreprocessSpec

SPARE = 1.5
"""A target in floating point that the gate let through beyond its tolerance may be this many times as far."""

ROUNDING = 0.5
"""An 8-bit target may be this part of its distance from the original away from its own answers where it was
exported: integer arithmetic is not rounded alike on every processor, and a fault is larger."""


def expected(
    path: Path,
    record: TargetRecord,
    spec: PreprocessSpec,
    images: np.ndarray,
    outputs: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """What the self-test compares with, and the largest relative difference that passes, by output.

    In floating point: the original's answers, within what the parity gate allows. 8-bit answers lie too far
    from those, on drawn pictures above all, to show a fault: these are compared with what the very file
    answers here. Where nothing here runs it, with the original's, within what the gate allows at most.

    Args:
        path: the target's main file.
        record: the target.
        spec: the preprocessing left to do outside the file.
        images: (N, h, w, C) golden pictures.
        outputs: the original's answers (N, ...), by name, the answer first.
    """
    allowed = TOLERANCES[record.precision].relative
    if not record.precision.startswith("int8"):
        limits = {}
        for place, name in enumerate(outputs):
            known = record.parity.get("max_relative" if place == 0 else f"{name}_max_relative", 0.0)
            limits[name] = allowed if known <= allowed else SPARE * known
        return dict(outputs), limits
    own = answers(path, record, spec, images, tuple(outputs))
    if own is None:
        return dict(outputs), dict.fromkeys(outputs, allowed)
    half = TOLERANCES["fp16"].relative
    off = {name: distance(own[name], right) for name, right in outputs.items()}
    return own, {name: max(half, ROUNDING * gap) for name, gap in off.items()}


def distance(got: np.ndarray, right: np.ndarray) -> float:
    """The largest difference of any value of (N, ...), over how far ``right`` spreads over the pictures."""
    return float(np.abs(got - right).max()) / max(spread(right), 1e-30)


def answers(
    path: Path, record: TargetRecord, spec: PreprocessSpec, images: np.ndarray, names: tuple[str, ...]
) -> dict[str, np.ndarray] | None:
    """The outputs (N, ...) of a file for golden pictures, by name; None where nothing here runs it."""
    if record.engine not in ENGINES:
        return None
    try:
        with closing(open_engine(path, record.engine)) as engine:
            rows = [engine.run(item[None]) for item in faults.correct(images, spec)]
    except (MissingExtraError, ModelError):
        return None
    return dict(zip(names, (np.concatenate(column) for column in zip(*rows, strict=True)), strict=True))
