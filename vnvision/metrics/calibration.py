"""Do probabilities mean what they say, can they be mended, and when is it better not to answer."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.metrics.scores import probabilities as to_probabilities

N_BINS = 15
TEMPERATURE_RANGE = (0.05, 20.0)


def bin_index(confidence: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Which of ``n_bins`` equal-width bins (low, high] each confidence falls in; 0 goes to the first."""
    index: np.ndarray = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    return index


def gap_matrix(confidence: np.ndarray, correct: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """(n_bins, N): correct minus confidence in the row of each image's bin, 0 elsewhere.

    Times weights (N, b), divided by their sum, this gives every bin's share of the calibration error.
    """
    gaps = np.zeros((n_bins, len(confidence)))
    gaps[bin_index(confidence, n_bins), np.arange(len(confidence))] = correct - confidence
    return gaps


def ece(confidence: np.ndarray, correct: np.ndarray, n_bins: int = N_BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, weighted by bin size.

    Fifteen equal-width bins, as in Guo et al. 2017 (equation 3) and in most published figures, so that
    numbers compare. The plug-in value is biased upwards on small sets (Roelofs et al. 2022).

    Args:
        confidence: (N,) 0..1, of the answer given (single label) or of the label (multi-label).
        correct: (N,) bool or 0/1, whether the answer was right (or the label present).
        n_bins: number of bins.
    """
    if not len(confidence):
        raise DataError("calibration error of no images", expected="one image or more", got="0")
    return float(np.abs(gap_matrix(confidence, correct, n_bins).sum(axis=1)).sum() / len(confidence))


def reliability_bins(
    confidence: np.ndarray, correct: np.ndarray, n_bins: int = N_BINS
) -> tuple[tuple[float, float, int], ...]:
    """(mean confidence, accuracy, count) of each bin that has images, from low to high confidence."""
    index = bin_index(confidence, n_bins)
    rows = []
    for which in np.unique(index):
        inside = index == which
        rows.append((float(confidence[inside].mean()), float(correct[inside].mean()), int(inside.sum())))
    return tuple(rows)


def nll(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N,) minus log of the probability given to the truth, clipped at the smallest float64 step.

    Args:
        probabilities: (N, C) over classes, or (N,) of "yes".
        targets: (N,) class index, or 0 and 1.
    """
    if probabilities.ndim == 2:
        given = probabilities[np.arange(len(targets)), targets]
    else:
        given = np.where(targets == 1, probabilities, 1 - probabilities)
    losses: np.ndarray = -np.log(np.maximum(given, np.finfo(np.float64).eps))
    return losses


def fit_temperature(
    logits: np.ndarray, targets: np.ndarray, score: Literal["softmax", "sigmoid"] = "softmax"
) -> tuple[float, ...]:
    """Temperatures that minimise the negative log-likelihood (Guo et al. 2017, section 4.2).

    The likelihood has one optimum in the temperature, found by a bounded search over its logarithm within
    ``TEMPERATURE_RANGE``. Where scores separate the classes perfectly the optimum is zero, which would
    call every answer certain; such data cannot justify that, so temperatures below 1 are then not used.

    Args:
        logits: (N, C) raw outputs.
        targets: (N,) class index, -1 unknown; or (N, C) of 1, 0 and -1 unknown for sigmoid.
        score: softmax gives one temperature, sigmoid one a class (1 where a class has only one answer).

    Raises:
        DataError: shapes disagree, or no target is known.
        MissingExtraError: scipy is not installed.
    """
    known = targets >= 0
    if targets.shape != (logits.shape if score == "sigmoid" else logits.shape[:1]):
        raise DataError("targets do not fit the logits", expected=str(logits.shape), got=str(targets.shape))
    if not known.any():
        raise DataError("no known target to fit a temperature on", fix="use a split with labels")
    if score == "softmax":
        rows, truth = logits[known].astype(np.float64), targets[known]
        perfect = bool((rows.argmax(axis=1) == truth).all())
        return (_best_temperature(rows, truth, score, perfect),)
    temperatures = []
    for c in range(logits.shape[1]):
        column, truth = logits[known[:, c], c].astype(np.float64), targets[known[:, c], c]
        both = 0 < truth.sum() < len(truth)
        perfect = both and column[truth == 1].min() > column[truth == 0].max()
        temperatures.append(_best_temperature(column, truth, score, perfect) if both else 1.0)
    return tuple(temperatures)


def _best_temperature(
    logits: np.ndarray, targets: np.ndarray, score: Literal["softmax", "sigmoid"], perfect: bool
) -> float:
    """Bounded search over log T for known targets only."""
    try:
        from scipy.optimize import minimize_scalar
    except ImportError as exc:
        raise MissingExtraError("scipy", "eval") from exc

    def loss(log_temperature: float) -> float:
        given = to_probabilities(logits, score, (float(np.exp(log_temperature)),))
        return float(nll(given, targets).mean())

    low = 0.0 if perfect else float(np.log(TEMPERATURE_RANGE[0]))
    bounds = (low, float(np.log(TEMPERATURE_RANGE[1])))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def selective_curve(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy among the answers kept, for every confidence limit.

    Returns:
        limits (K,), the distinct confidences from high to low; coverage (K,), the share of images with at
        least that confidence; accuracy (K,), the share of those that are right (El-Yaniv and Wiener 2010,
        "On the Foundations of Noise-free Selective Classification").
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1) if len(ranked) else np.zeros(0, int)
    right = np.cumsum(correct[order])[last]
    return ranked[last], (last + 1) / max(1, len(ranked)), right / (last + 1)


def abstain_threshold(
    probabilities: np.ndarray, targets: np.ndarray, target_accuracy: float, *, min_kept: int = 20
) -> float | None:
    """The confidence below which not answering lifts accuracy to the target, keeping most answers.

    Args:
        probabilities: (N, C) over classes.
        targets: (N,) class index, -1 unknown (left out).
        target_accuracy: 0..1, wanted among the answers kept.
        min_kept: a limit judged on fewer answers than this is not believed.

    Returns:
        The limit: answer when the highest probability is at least this. 0.0 when nothing needs to be
        withheld; None when no limit reaches the target on ``min_kept`` answers.

    Raises:
        ConfigError: the target is not in 0..1.
    """
    if not 0 <= target_accuracy <= 1:
        raise ConfigError("target_accuracy is not a share", expected="0..1", got=str(target_accuracy))
    known = targets >= 0
    rows = probabilities[known]
    confidence, correct = rows.max(axis=1), rows.argmax(axis=1) == targets[known]
    limits, coverage, accuracy = selective_curve(confidence, correct)
    enough = coverage * len(rows) >= min_kept - 0.5
    good = np.flatnonzero((accuracy >= target_accuracy) & enough)
    if not len(good):
        return None
    widest = good[-1]
    return 0.0 if widest == len(limits) - 1 else float(limits[widest])
