"""Do probabilities mean what they say, can they be mended, and when is it better not to answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import numpy as np

from vnvision.errors import DataError, MissingExtraError
from vnvision.metrics.scope import group_folds
from vnvision.metrics.scores import probabilities as to_probabilities

__all__ = [
    "bin_index",
    "choose_temperatures",
    "ece",
    "fit_temperature",
    "gap_matrix",
    "nll",
    "reliability_bins",
]

N_BINS = 15
TEMPERATURE_RANGE = (0.05, 20.0)
MIN_OF_CLASS = 30
FOLDS = 5

Score = Literal["softmax", "sigmoid"]
Fit = Callable[[np.ndarray, np.ndarray, Score], tuple[float, ...]]


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


def choose_temperatures(
    logits: np.ndarray,
    targets: np.ndarray,
    groups: Sequence[Hashable],
    kind: Literal["classification", "multilabel"] = "classification",
) -> tuple[float, ...]:
    """One temperature, or one a class where the data allow it and it helps on groups held out.

    Allowed: every class has ``MIN_OF_CLASS`` known pictures (multi-label: as many with a yes and with a no).
    Helps: over ``FOLDS`` folds of whole groups the mean negative log-likelihood falls, by more than the
    standard error of the fall over groups. A temperature a class of exclusive classes is the diagonal of
    vector scaling (Guo et al. 2017, section 4.2) without its offsets; it may change the answer. Of
    multi-label each label is a question of its own and keeps its own temperature, or else the shared one.

    Args:
        logits: (N, C) raw outputs on data the model was not trained on.
        targets: (N,) class index, or (N, C) of 1 and 0; -1 unknown.
        groups: N keys.
        kind: exclusive classes, or labels.

    Returns:
        One value, or one a class.

    Raises:
        DataError: shapes disagree, or no target is known.
        MissingExtraError: scipy is not installed.
    """
    if len(groups) != len(logits):
        raise DataError("groups do not fit the logits", expected=str(len(logits)), got=str(len(groups)))
    score: Score = "sigmoid" if kind == "multilabel" else "softmax"
    fit_temperature(logits, targets, score)  # says what is wrong with the shapes
    fold = group_folds(groups, FOLDS)
    codes = np.unique([str(group) for group in groups], return_inverse=True)[1]
    shared = _shared(logits, targets, score)
    if score == "softmax":
        enough = min(int((targets == c).sum()) for c in range(logits.shape[1])) >= MIN_OF_CLASS
        if enough and _helps(_vector, logits, targets, score, fold, codes):
            return _vector(logits, targets, score)
        return shared
    chosen = []
    for c in range(logits.shape[1]):
        column, truth = logits[:, c : c + 1], targets[:, c : c + 1]
        both = min(int((truth == 1).sum()), int((truth == 0).sum())) >= MIN_OF_CLASS
        own = both and _helps(_shared, column, truth, score, fold, codes, rival=(logits, targets))
        chosen.append(_shared(column, truth, score)[0] if own else shared[0])
    return shared if len(set(chosen)) == 1 else tuple(chosen)


def _helps(
    fit: Fit,
    logits: np.ndarray,
    targets: np.ndarray,
    score: Score,
    fold: np.ndarray,
    codes: np.ndarray,
    rival: tuple[np.ndarray, np.ndarray] | None = None,
) -> bool:
    """Whether ``fit`` beats one shared temperature (of ``rival``'s logits) on groups held out."""
    known = targets >= 0 if targets.ndim == 1 else targets[:, 0] >= 0
    fall = np.zeros(len(logits))
    for k in range(FOLDS):
        train, test = known & (fold != k), known & (fold == k)
        if not train.any() or not test.any():
            continue
        whole, truth = (logits, targets) if rival is None else rival
        inside = train if rival is None else fold != k
        simple = _shared(whole[inside], truth[inside], score)
        other = fit(logits[train], targets[train], score)
        fall[test] = _losses(logits[test], targets[test], score, simple)
        fall[test] -= _losses(logits[test], targets[test], score, other)
    sums = np.bincount(codes[known], weights=fall[known])
    sums = sums[np.bincount(codes[known]) > 0]
    return bool(sums.mean() > sums.std(ddof=1) / np.sqrt(len(sums))) if len(sums) > 1 else False


def _losses(
    logits: np.ndarray, targets: np.ndarray, score: Score, temperatures: tuple[float, ...]
) -> np.ndarray:
    """(N,) negative log-likelihood of each row."""
    p = to_probabilities(logits, score, temperatures)
    return nll(p, targets) if score == "softmax" else nll(p[:, 0], targets[:, 0])


def _shared(logits: np.ndarray, targets: np.ndarray, score: Score) -> tuple[float, ...]:
    """One temperature over all classes or labels."""
    if score == "softmax":
        return fit_temperature(logits, targets, score)
    known = targets >= 0
    return fit_temperature(logits[known][:, None], targets[known][:, None], score)


def _vector(logits: np.ndarray, targets: np.ndarray, score: Score) -> tuple[float, ...]:
    """A temperature for each of the exclusive classes, together of least negative log-likelihood."""
    try:
        from scipy.optimize import minimize
    except ImportError as exc:
        raise MissingExtraError("scipy", "eval") from exc
    rows, truth = logits[targets >= 0].astype(np.float64), targets[targets >= 0]
    start = float(np.log(fit_temperature(rows, truth, score)[0]))
    one_hot = truth[:, None] == np.arange(rows.shape[1])

    def loss(log_temperatures: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = rows / np.exp(log_temperatures)
        p = to_probabilities(scaled, score)
        slope = -((p - one_hot) * scaled).mean(axis=0)
        return float(nll(p, truth).mean()), slope

    perfect = bool((rows.argmax(axis=1) == truth).all())
    limits = (0.0 if perfect else float(np.log(TEMPERATURE_RANGE[0])), float(np.log(TEMPERATURE_RANGE[1])))
    found = minimize(
        loss, np.full(rows.shape[1], start), jac=True, method="L-BFGS-B", bounds=[limits] * rows.shape[1]
    )
    return tuple(float(value) for value in np.exp(found.x))
