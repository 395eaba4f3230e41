"""From raw model outputs to predictions: calibration, abstention, unit norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.errors import ModelError
from vnvision.metrics.scores import probabilities
from vnvision.records import Calibration, ClassPrediction, EmbeddingPrediction
from vnvision.spec import TaskSpec

LOW_CONFIDENCE = "low_confidence"

Answer = ClassPrediction | EmbeddingPrediction


def answers(
    outputs: np.ndarray, task: TaskSpec, calibration: Calibration, sources: Sequence[str | None]
) -> list[Answer]:
    """One prediction a row.

    Args:
        outputs: (N, C) raw logits, or (N, D) raw embeddings.
        task: classification, multilabel or embedding.
        calibration: temperatures and abstention limit.
        sources: N texts naming where each image came from, or None.

    Raises:
        ModelError: an output is not finite, or an embedding has no length.
    """
    if not np.isfinite(outputs).all():
        raise ModelError("the model answered NaN or infinity", fix="check the model with: vnvision doctor")
    if task.kind == "embedding":
        return [
            EmbeddingPrediction.model_construct(kind="embedding", embedding=tuple(row), source=source)
            for row, source in zip(unit_norm(outputs).tolist(), sources, strict=True)
        ]
    scores = probabilities(
        outputs, "sigmoid" if task.score == "sigmoid" else "softmax", calibration.temperatures
    )
    unsure = abstentions(scores, task, calibration.abstain_below)
    # The rows are right by construction, so the records skip validation: it costs more than the softmax.
    return [
        ClassPrediction.model_construct(
            kind="multilabel" if task.kind == "multilabel" else "classification",
            labels=task.label_ids,
            probabilities=tuple(row),
            abstained=bool(abstained),
            reasons=(LOW_CONFIDENCE,) if abstained else (),
            source=source,
        )
        for row, abstained, source in zip(scores.tolist(), unsure, sources, strict=True)
    ]


def abstentions(scores: np.ndarray, task: TaskSpec, limit: float | None) -> np.ndarray:
    """Which rows of calibrated (N, C) probabilities are too unsure to answer: (N,) bool.

    Confidence is the largest probability in classification. In multilabel it is that of the least sure
    label, ``max(p, 1 - p)``: "none of these" is an answer too, and must not look like doubt.
    """
    if limit is None:
        return np.zeros(len(scores), dtype=bool)
    if task.kind == "multilabel":
        confidence = np.maximum(scores, 1.0 - scores).min(axis=1)
    else:
        confidence = scores.max(axis=1)
    unsure: np.ndarray = confidence < limit
    return unsure


def unit_norm(embeddings: np.ndarray) -> np.ndarray:
    """Rows of (N, D) scaled to length 1, float64."""
    rows = embeddings.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        raise ModelError("the model answered an embedding of length 0", fix="check the model")
    unit: np.ndarray = rows / length
    return unit
