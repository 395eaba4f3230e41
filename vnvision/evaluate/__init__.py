"""Metrics over a manifest: a predictor and rows in, an ``EvalReport`` out. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import ConfigError
from vnvision.evaluate.classification import evaluate_logits, fit_calibration
from vnvision.evaluate.images import image_batches
from vnvision.evaluate.targets import known_rows, known_targets
from vnvision.records import EvalReport
from vnvision.spec import TaskSpec

__all__ = ["LogitPredictor", "evaluate", "evaluate_logits", "fit_calibration"]


class LogitPredictor(Protocol):
    """What is judged: a loaded bundle, or a trained run."""

    @property
    def name(self) -> str:
        """For the record."""

    @property
    def task(self) -> TaskSpec:
        """What it answers."""

    def logits(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """(N, C) raw outputs of images as read."""


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

    Labels are compared before any image is read; rows with an unknown label are not read at all.

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
        DataError: no such split, labels that are not the model's (lists both), or an image that cannot be
            read (names its row).
    """
    if batch_size < 1:
        raise ConfigError("batch_size", expected="1 or more", got=str(batch_size))
    part = manifest.split(split)
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
        model={"name": predictor.name} if model is None else model,
        n_boot=n_boot,
        seed=seed,
        columns=columns,
    )
