"""From raw model outputs to probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax of (N, C), in float64 for stable sums."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exp = np.exp(shifted)
    return exp / exp.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Elementwise logistic function, without overflow at either end."""
    x = logits.astype(np.float64)
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, decay) / (1.0 + decay)


def probabilities(
    logits: np.ndarray, score: Literal["softmax", "sigmoid"], temperatures: Sequence[float] = (1.0,)
) -> np.ndarray:
    """Calibrated probabilities (N, C).

    Args:
        logits: (N, C) raw outputs.
        score: how the task reads them.
        temperatures: one for all classes, or one a class. Logits are divided by them
            (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2).
    """
    scaled = logits / np.asarray(temperatures, dtype=np.float64)
    return softmax(scaled) if score == "softmax" else sigmoid(scaled)
