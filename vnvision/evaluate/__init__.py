"""Metrics over a manifest: a predictor and rows in, an ``EvalReport`` out. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import ConfigError
from vnvision.evaluate.classification import evaluate_logits, fit_calibration
from vnvision.evaluate.dense import LogitPredictor
from vnvision.evaluate.detection import evaluate_boxes, fit_thresholds
from vnvision.evaluate.images import image_batches
from vnvision.evaluate.segmentation import evaluate_masks
from vnvision.evaluate.targets import known_rows, known_targets
from vnvision.records import EvalReport

__all__ = ["LogitPredictor", "evaluate", "evaluate_logits", "fit_calibration", "fit_thresholds"]


def evaluate(
    predictor: LogitPredictor,
    manifest: Manifest,
    split: str = "test",
    *,
    batch_size: int = 32,
    n_boot: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    columns: Sequence[str] = ("region",),
    model: dict[str, Any] | None = None,
) -> EvalReport:
    """Run a predictor over one split and judge its answers.

    Labels are compared before any image is read; rows whose truth is unknown are not read at all. What is
    measured of masks and of boxes: ``vnvision.metrics.segmentation`` and ``severity``, ``detection`` and
    ``counting``.

    Args:
        predictor: has ``name``, ``task`` and ``logits``; its ``calibration``, if any, is applied.
        manifest: any rows; those of ``split`` are taken.
        split: train, val or test.
        batch_size: images read and given to the predictor at a time.
        n_boot: resamples of every interval.
        seed: of the resamples.
        progress: called with (images done, images in all) after each batch.
        columns: manifest columns judged value by value.
        model: what to record of the model; its name unless given.

    Raises:
        ConfigError: a batch size below 1, or a task of another kind.
        DataError: no such split, labels that are not the model's (lists both), or an image or a mask that
            cannot be read (names its row).
    """
    if batch_size < 1:
        raise ConfigError("batch_size", expected="1 or more", got=str(batch_size))
    part = manifest.split(split)
    model = {"name": predictor.name} if model is None else model
    if predictor.task.kind in ("segmentation", "detection"):
        judge = evaluate_masks if predictor.task.kind == "segmentation" else evaluate_boxes
        return judge(
            predictor, part, split=split, batch_size=batch_size, n_boot=n_boot, seed=seed,
            progress=progress, columns=columns, model=model,
        )  # fmt: skip
    wanted = np.flatnonzero(known_rows(known_targets(part, predictor.task)))
    logits = np.full((len(part), len(predictor.task.labels)), np.nan, dtype=np.float32)
    done = 0
    for images in image_batches(part, [part.rows[i] for i in wanted], batch_size):
        logits[wanted[done : done + len(images)]] = predictor.logits(images, batch_size=batch_size)
        done += len(images)
        if progress is not None:
            progress(done, len(wanted))
    return evaluate_logits(
        logits,
        part,
        predictor.task,
        split=split,
        calibration=getattr(predictor, "calibration", None),
        model=model,
        n_boot=n_boot,
        seed=seed,
        columns=columns,
    )
