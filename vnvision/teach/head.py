"""The head: multinomial logistic regression on frozen features, as plain weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnvision.errors import MissingExtraError

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths of the L2 penalty that the inner cross-validation chooses among."""
OUTER, INNER = 5, 3
MOST_INNER = 600
"""Photographs that the strength is chosen on; of more, some are drawn, groups whole."""
_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier: ``features @ weight.T + bias``; weight (C, F), bias (C,), float32."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(N, C) for features (N, F)."""
        found: np.ndarray = features @ self.weight.T + self.bias
        return found


class Fitting:
    """Features made ready once, for heads of several strengths.

    Features are scaled, and the scaling is folded into the weights. Where there are fewer photographs than
    features the fit happens in the space that they span, which the L2 penalty never leaves: the same answer,
    sooner.

    Args:
        features: (N, F).
        targets: (N,) class indices; every class is there.
        n_classes: C.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, n_classes: int) -> None:
        self._targets, self._n_classes = targets, n_classes
        self._centre, self._spread = features.mean(axis=0), features.std(axis=0) + _TINY
        self._rows = ((features - self._centre) / self._spread).astype(np.float64)
        self._basis = None
        if len(self._rows) < self._rows.shape[1]:
            left, sizes, self._basis = np.linalg.svd(self._rows, full_matrices=False)
            self._rows = left * sizes

    def head(self, strength: float) -> Head:
        """Fit; classes weigh the same.

        Args:
            strength: inverse of the penalty.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        fit = _regression(strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that is stopped early is a fit
            fit.fit(self._rows, self._targets)
        weight = fit.coef_ if self._basis is None else fit.coef_ @ self._basis
        bias = fit.intercept_
        if self._n_classes == 2:  # one row stands for both
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        weight = weight / self._spread
        return Head(weight.astype(np.float32), (bias - weight @ self._centre).astype(np.float32))


def fit_head(features: np.ndarray, targets: np.ndarray, n_classes: int, strength: float) -> Head:
    """A head of one strength; see ``Fitting``."""
    return Fitting(features, targets, n_classes).head(strength)


def choose_strength(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, n_classes: int, seed: int
) -> float:
    """The strength of best mean recall over folds of whole groups; of equals the strongest penalty.

    Args:
        features: (N, V, F), see ``learnt``.
        targets: (N,).
        groups: (N,) whole numbers.
        n_classes: C.
        seed: of the folds and of the draw among many photographs.
    """
    some = _some(targets, groups, seed)
    features, targets, groups = features[some], targets[some], groups[some]
    scores = dict.fromkeys(STRENGTHS, 0.0)
    for train, held in folds(targets, groups, INNER, seed):
        if len(np.unique(targets[train])) < n_classes:
            continue
        fitting = Fitting(*learnt(features[train], targets[train]), n_classes)
        for strength in STRENGTHS:
            said = fitting.head(strength).logits(features[held, 0])
            right = said.argmax(axis=1) == targets[held]
            there = np.unique(targets[held])
            scores[strength] += float(np.mean([right[targets[held] == c].mean() for c in there]))
    return max(STRENGTHS, key=lambda strength: round(scores[strength], 6))


def out_of_fold(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    n_classes: int,
    *,
    repeats: int,
    seed: int,
    step: Callable[[int, int], None],
) -> np.ndarray:
    """Logits of every photograph by heads that saw neither it nor another of its group.

    In each of the folds the strength is chosen anew, from the other folds alone (nested cross-validation,
    Varma & Simon 2006, "Bias in error estimation when using cross-validation for model selection").

    Args:
        features: (N, V, F), see ``learnt``.
        targets: (N,).
        groups: (N,) whole numbers.
        n_classes: C.
        repeats: R, with other folds each.
        seed: of the folds.
        step: called with (folds done, folds in all).

    Returns:
        (R, N, C) float32.
    """
    out = np.zeros((repeats, len(targets), n_classes), np.float32)
    for turn in range(repeats):
        for number, (train, held) in enumerate(folds(targets, groups, OUTER, seed + turn)):
            x, y = features[train], targets[train]
            strength = choose_strength(x, y, groups[train], n_classes, seed + turn)
            out[turn, held] = fit_head(*learnt(x, y), n_classes, strength).logits(features[held, 0])
            step(turn * OUTER + number + 1, repeats * OUTER)
    return out


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra in one thread: on matrices this small, threads wait for each other.

    Three times as fast on two cores with neighbours: training/LOG.md.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def learnt(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a head learns from: every view (N, V, F) of each photograph as a row, and the rows' targets.

    It is asked about the first view alone, the photograph as it is.
    """
    return features.reshape(-1, features.shape[2]), np.repeat(targets, features.shape[1])


def folds(
    targets: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, rows to ask about), groups whole, classes spread evenly.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.model_selection import StratifiedGroupKFold
    except ImportError as exc:
        raise MissingExtraError("scikit-learn", "eval") from exc
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        return list(splitter.split(np.zeros((len(targets), 1)), targets, groups))


def _some(targets: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Rows of whole groups, about ``MOST_INNER`` of them; all where there are no more."""
    if len(targets) <= MOST_INNER:
        return np.arange(len(targets))
    parts: Sequence[Any] = folds(targets, groups, -(-len(targets) // MOST_INNER), seed)
    chosen: np.ndarray = parts[0][1]
    return chosen


def _regression(strength: float) -> Any:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as exc:
        raise MissingExtraError("scikit-learn", "eval") from exc
    return LogisticRegression(C=strength, class_weight="balanced", max_iter=300)
