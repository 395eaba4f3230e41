"""From raw model outputs to predictions: calibration, abstention, unit norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vnvision.errors import ModelError
from vnvision.metrics.scores import probabilities
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
) -> list[Answer]:
    """One prediction a row.

    Args:
        outputs: (N, C) raw logits, (N, D) raw embeddings, or (N, P, h, w) planes.
        task: what they are.
        labels: the task's label ids (taken once by the caller: this runs after every inference).
        calibration: temperatures and abstention limit.
        sources: N texts naming where each image came from, or None.
        sizes_px: N picture sizes, height and width; only planes need them.

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
    return [
        ClassPrediction(
            kind=kind,
            labels=labels,
            probabilities=row,
            abstained=unsure,
            reasons=(LOW_CONFIDENCE,) if unsure else (),
            source=source,
        )
        for row, unsure, source in zip(
            scores.tolist(), abstentions(scores, kind, calibration.abstain_below), sources, strict=True
        )
    ]


def abstentions(scores: np.ndarray, kind: TaskKind, limit: float | None) -> list[bool]:
    """Which rows of calibrated (N, C) probabilities are too unsure to answer: N booleans.

    Confidence is the largest probability in classification. In multilabel it is that of the least sure
    label, ``max(p, 1 - p)``: "none of these" is an answer too, and must not look like doubt.
    """
    if limit is None:
        return [False] * len(scores)
    sides = np.maximum(scores, 1.0 - scores)
    confidence = sides.min(axis=1) if kind == "multilabel" else scores.max(axis=1)
    return [value < limit for value in confidence.tolist()]


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
