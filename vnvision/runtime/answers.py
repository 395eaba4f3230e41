"""From raw model outputs to predictions: calibration, abstention, unit norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vnvision.errors import ModelError
from vnvision.metrics.scores import probabilities
from vnvision.metrics.selective import confidence
from vnvision.records import (
    Calibration,
    ClassPrediction,
    DetectionPrediction,
    EmbeddingPrediction,
    MaskPrediction,
)
from vnvision.runtime.dense import box_answer, detections, mask_answer, masks
from vnvision.spec import TaskKind, TaskSpec

LOW_CONFIDENCE = "low_confidence"

Answer = ClassPrediction | EmbeddingPrediction | MaskPrediction | DetectionPrediction


def answers(
    outputs: np.ndarray,
    task: TaskSpec,
    labels: tuple[str, ...],
    calibration: Calibration,
    sources: Sequence[str | None],
    sizes_px: Sequence[tuple[int, int]],
    refusals: Sequence[tuple[str, ...]] | None = None,
) -> list[Answer]:
    """One prediction a row.

    Args:
        outputs: (N, C) raw logits, (N, D) raw embeddings, or (N, P, h, w) planes.
        task: what they are.
        labels: the task's label ids (taken once by the caller: this runs after every inference).
        calibration: temperatures and abstention limit.
        sources: N texts naming where each image came from, or None.
        sizes_px: N picture sizes, height and width; only planes need them.
        refusals: N times why the scope gate would not answer, in classification and multilabel; the
            probabilities are given all the same.

    Raises:
        ModelError: an output is not finite, or an embedding has no length.
    """
    # A sum is finite only where all of its parts are: float32 parts cannot overflow a float64 sum.
    sums = outputs.tolist() if outputs.ndim == 2 else outputs.sum(axis=(2, 3), dtype=np.float64).tolist()
    if not all(math.isfinite(sum(row)) for row in sums):
        raise ModelError("the model answered NaN or infinity", fix="export the model again, or use another")
    if task.kind == "segmentation":
        found_masks = masks(outputs, sizes_px, task)
        return [mask_answer(mask, task, source) for mask, source in zip(found_masks, sources, strict=True)]
    if task.kind == "detection":
        found = detections(outputs, sizes_px, task)
        return [box_answer(boxes, task, source) for boxes, source in zip(found, sources, strict=True)]
    if task.kind == "embedding":
        rows = unit_norm(outputs).tolist()
        return [
            EmbeddingPrediction(embedding=row, source=source)
            for row, source in zip(rows, sources, strict=True)
        ]
    kind: Literal["classification", "multilabel"] = (
        "multilabel" if task.kind == "multilabel" else "classification"
    )
    score: Literal["softmax", "sigmoid"] = "sigmoid" if kind == "multilabel" else "softmax"
    scores = probabilities(outputs, score, calibration.temperatures)
    reasons = refusals or [()] * len(scores)
    unsure = withheld(scores, kind, calibration)
    return [
        ClassPrediction(
            kind=kind,
            labels=labels,
            probabilities=row,
            abstained=doubt or bool(why),
            reasons=(*why, LOW_CONFIDENCE) if doubt else why,
            source=source,
        )
        for row, doubt, why, source in zip(scores.tolist(), unsure, reasons, sources, strict=True)
    ]


def withheld(scores: np.ndarray, kind: TaskKind, calibration: Calibration) -> list[bool]:
    """Which rows of calibrated (N, C) probabilities to withhold: N booleans.

    All of them where an abstention rule was asked for and no limit could keep its risk (``bound`` is None):
    a confidence of 1 would pass any limit.
    """
    rule = calibration.abstention
    if rule is not None and rule.bound is None:
        return [True] * len(scores)
    return abstentions(scores, kind, calibration.abstain_below)


def abstentions(scores: np.ndarray, kind: TaskKind, limit: float | None) -> list[bool]:
    """Which rows of calibrated (N, C) probabilities are too unsure to answer: N booleans.

    See ``metrics.selective.confidence`` for what is compared with the limit.
    """
    if limit is None:
        return [False] * len(scores)
    sure = confidence(scores, "multilabel" if kind == "multilabel" else "classification")
    return [value < limit for value in sure.tolist()]


def unit_norm(embeddings: np.ndarray) -> np.ndarray:
    """Rows of (N, D) scaled to length 1, float64."""
    rows = embeddings.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        raise ModelError(
            "the model answered an embedding of length 0", fix="export the model again, or use another"
        )
    unit: np.ndarray = rows / length
    return unit
