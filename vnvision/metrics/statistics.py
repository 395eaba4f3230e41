"""Every classification metric as a function of image weights, so that resamples cost one pass.

Sums over images become one matrix product with the weights; ranking metrics sort once (see ``ranking``).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vnvision.metrics.calibration import gap_matrix, nll
from vnvision.metrics.ranking import RankedScores

RANKING = ("auroc", "auprc", "sensitivity_at_specificity_90", "sensitivity_at_specificity_95")


class Statistic(Protocol):
    """Weights (N, b) -> each headline metric (b,) and each per-class one as ``class_<name>`` (C, b).

    Attributes:
        truth: (C, N) bool, known to be of the class.
        called: (C, N) bool, answered as the class.
        known: (C, N) bool, known to be or not to be of the class.
    """

    truth: np.ndarray
    called: np.ndarray
    known: np.ndarray

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics under weights (N, b)."""

    def averaged(self, name: str) -> np.ndarray | None:
        """(C,) mask of the classes that metric is a mean over; None for no such mean."""


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """``top / bottom``, NaN where ``bottom`` is 0."""
    out: np.ndarray = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return out


def _macro(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Mean over the wanted classes of (C, b); NaN where one of them is, or none is wanted."""
    means: np.ndarray = values[wanted].mean(axis=0) if wanted.any() else np.full(values.shape[1], np.nan)
    return means


class SingleLabel:
    """All metrics of single-label answers, prepared once (see ``Statistic``).

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) class index, all known.
    """

    def __init__(self, probabilities: np.ndarray, targets: np.ndarray) -> None:
        n, classes = probabilities.shape
        answer = probabilities.argmax(axis=1)
        labels = np.arange(classes)[:, None]
        self.truth, self.called = targets == labels, answer == labels
        self.known = np.ones((classes, n), bool)
        one_hot = self.truth.T.astype(np.float64)
        squares = ((probabilities - one_hot) ** 2).sum(axis=1) / (2 if classes == 2 else 1)
        self._per_image = np.stack([answer == targets, squares, nll(probabilities, targets)]).astype(float)
        self._gaps = gap_matrix(probabilities.max(axis=1), answer == targets)
        # Two classes mirror each other: one ranking says all but the first class's average precision.
        ranked = range(1, 2) if classes == 2 else range(classes)
        self._ranked = [RankedScores(probabilities[:, c], self.truth[c]) for c in ranked]

    def averaged(self, name: str) -> np.ndarray | None:
        """See ``Statistic``."""
        present = self.truth.any(axis=1)
        if name in RANKING:
            return np.asarray(present & ~self.truth.all(axis=1))
        return present if name in ("balanced_accuracy", "macro_f1") else None

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics under weights (N, b)."""
        total = weights.sum(axis=0)
        support, called = self.truth @ weights, self.called @ weights
        hit = (self.truth & self.called) @ weights
        recall = _ratio(hit, support)
        f1 = np.where(support > 0, _ratio(2 * hit, support + called), np.nan)
        accuracy, brier, loss = _ratio(self._per_image @ weights, np.broadcast_to(total, (3, len(total))))
        ranks = [ranked.metrics(weights) for ranked in self._ranked]
        by_class = {name: np.stack([rank[name] for rank in ranks]) for name in RANKING}
        present = self.truth.any(axis=1)
        defined = np.array([ranked.defined for ranked in self._ranked])
        out = {name: _macro(by_class[name], defined) for name in RANKING}
        out |= {"accuracy": accuracy, "brier": brier, "nll": loss}
        out["balanced_accuracy"] = _macro(recall, present)
        out["macro_f1"] = _macro(f1, present)
        out["ece"] = _ratio(np.abs(self._gaps @ weights).sum(axis=0), total)
        area = by_class["auroc"]
        out["class_auroc"] = np.repeat(area, 2, axis=0) if len(self.truth) == 2 else area
        return out | {"class_precision": _ratio(hit, called), "class_recall": recall, "class_f1": f1}


class MultiLabel:
    """All metrics of multi-label answers, unknown entries left out label by label (see ``Statistic``).

    Args:
        probabilities: (N, C), each 0..1 on its own.
        targets: (N, C) 1, 0, or -1 unknown.
    """

    def __init__(self, probabilities: np.ndarray, targets: np.ndarray) -> None:
        self.known, self.truth = targets.T >= 0, targets.T == 1
        self.called = (probabilities.T >= 0.5) & self.known
        self._labels = []
        for known, column, truth in zip(self.known, probabilities.T, targets.T, strict=True):
            p, y = column[known], truth[known]
            per_image = np.stack([(p >= 0.5) == (y == 1), (p - y) ** 2, nll(p, y)]).astype(float)
            self._labels.append((known, per_image, gap_matrix(p, y), RankedScores(p, y == 1)))

    def averaged(self, name: str) -> np.ndarray:
        """See ``Statistic``: labels with a yes and a no, with a yes, or with any known entry."""
        positive = self.truth.any(axis=1)
        if name in ("balanced_accuracy", *RANKING):
            return np.asarray(positive & (self.known & ~self.truth).any(axis=1))
        return np.asarray(positive if name == "macro_f1" else self.known.any(axis=1))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics under weights (N, b)."""
        support, called = self.truth @ weights, self.called @ weights
        hit = (self.truth & self.called) @ weights
        negative = self.known @ weights - support
        recall = _ratio(hit, support)
        specificity = _ratio(negative - (called - hit), negative)
        f1 = np.where(support > 0, _ratio(2 * hit, support + called), np.nan)
        by_class = {"macro_f1": f1, "balanced_accuracy": (recall + specificity) / 2}
        names = (*RANKING, "accuracy", "brier", "nll", "ece")
        rows: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for known, per_image, gaps, ranked in self._labels:
            inside = weights[known]
            total = inside.sum(axis=0)
            means = _ratio(per_image @ inside, np.broadcast_to(total, (3, len(total))))
            for name, values in zip(("accuracy", "brier", "nll"), means, strict=True):
                rows[name].append(values)
            rows["ece"].append(_ratio(np.abs(gaps @ inside).sum(axis=0), total))
            for name, values in ranked.metrics(inside).items():
                rows[name].append(values)
        by_class |= {name: np.stack(values) for name, values in rows.items()}
        out = {name: _macro(values, self.averaged(name)) for name, values in by_class.items()}
        out["class_auroc"] = by_class["auroc"]
        return out | {"class_precision": _ratio(hit, called), "class_recall": recall, "class_f1": f1}
