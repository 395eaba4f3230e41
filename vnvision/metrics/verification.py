"""Face verification over all thresholds: ROC and DET curves, equal error rate, accuracy over folds."""

from __future__ import annotations

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.thresholds import check_scores, operating_points
from vnvision.spec import Record


class EqualErrorRate(Record):
    """Where FMR and FNMR meet."""

    rate: float
    threshold: float


def meet(thresholds: np.ndarray, fmr: np.ndarray, tar: np.ndarray) -> EqualErrorRate:
    """Linear between the two operating points around FMR = FNMR."""
    gap = fmr - (1 - tar)
    after = int(np.argmax(gap >= 0))
    before = max(after - 1, 0)
    rise = gap[after] - gap[before]
    part = -gap[before] / rise if rise > 0 else 1.0
    rate = fmr[before] + part * (fmr[after] - fmr[before])
    threshold = thresholds[before] + part * (thresholds[after] - thresholds[before])
    return EqualErrorRate(rate=float(rate), threshold=float(threshold))


def eer(genuine: np.ndarray, impostor: np.ndarray) -> EqualErrorRate:
    """Equal error rate: FMR = FNMR on the ROC, straight between neighbouring points.

    Raises:
        DataError: no genuine or no impostor comparison, or a score that is not finite.
    """
    return meet(*operating_points(genuine, impostor))


def thin(fmr: np.ndarray, tar: np.ndarray, max_points: int) -> np.ndarray:
    """Indices of at most about ``max_points`` points: half even in log FMR, half even along the curve."""
    turn = np.diff(fmr[:-1]) * np.diff(tar[1:]) != np.diff(fmr[1:]) * np.diff(tar[:-1])
    kept = np.flatnonzero(np.concatenate([[True], turn, [True]]))
    if len(kept) <= max_points:
        return kept
    x, y = fmr[kept], tar[kept]
    half = max(2, max_points // 2)
    positive = x[x > 0]
    decades = np.searchsorted(x, np.geomspace(positive[0], positive[-1], half - 1))
    along = np.searchsorted(x + y, np.linspace(0, 2, half))
    picked: np.ndarray = kept[np.unique(np.concatenate([[0], decades, along]).clip(max=len(x) - 1))]
    return picked


def roc_curve(genuine: np.ndarray, impostor: np.ndarray, max_points: int = 200) -> list[tuple[float, float]]:
    """Points (FMR, TAR) from (0, 0) to (1, 1), all of them measured ones, thinned for a log FMR axis."""
    _, fmr, tar = operating_points(genuine, impostor)
    kept = thin(fmr, tar, max_points)
    return [(float(a), float(b)) for a, b in zip(fmr[kept], tar[kept], strict=True)]


def det_curve(genuine: np.ndarray, impostor: np.ndarray, max_points: int = 200) -> list[tuple[float, float]]:
    """Points (FMR, FNMR) from (0, 1) to (1, 0), thinned as in ``roc_curve``; both axes are read as logs."""
    return [(fmr, 1 - tar) for fmr, tar in roc_curve(genuine, impostor, max_points)]


class FoldAccuracy(Record):
    """Accuracy with each fold's threshold taken from the other folds."""

    accuracy: float
    standard_error: float
    per_fold: tuple[float, ...]
    thresholds: tuple[float, ...]


def best_accuracy_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold with the most right answers, halfway between two scores; the lowest where tied.

    Args:
        scores: (N,).
        same: (N,) bool.
    """
    order = np.argsort(scores, kind="stable")
    ranked, truth = scores[order].astype(np.float64), same[order]
    right = np.concatenate([[truth.sum()], truth.sum() + np.cumsum(np.where(truth, -1, 1))])
    cuts = np.concatenate([[True], np.diff(ranked) > 0, [True]])
    best = int(np.flatnonzero(cuts)[np.argmax(right[cuts])])
    if best == 0:
        return float(ranked[0])
    if best == len(ranked):
        return float(np.nextafter(ranked[-1], np.inf))
    middle = (ranked[best - 1] + ranked[best]) / 2
    return float(middle if middle > ranked[best - 1] else ranked[best])


def fold_accuracy(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> FoldAccuracy:
    """Verification accuracy in the manner of LFW: each fold judged at the threshold best on the others.

    The standard error is that of the mean over folds, as LFW asks it to be reported (Huang et al. 2007,
    "Labeled Faces in the Wild", UMass Amherst report 07-49).

    Args:
        scores: (N,).
        same: (N,) bool.
        folds: (N,) the fold of each pair; LFW has ten.

    Raises:
        DataError: shapes disagree, or fewer than two folds.
    """
    values = check_scores(scores, "pair")
    truth, which = np.asarray(same, bool), np.asarray(folds)
    names = np.unique(which)
    if not len(values) == len(truth) == len(which):
        raise DataError("pairs do not fit", expected=f"{len(values)} each", got=f"{len(truth)}, {len(which)}")
    if len(names) < 2:
        raise DataError("accuracy over folds", expected="two folds or more", got=str(len(names)))
    limits = [best_accuracy_threshold(values[which != name], truth[which != name]) for name in names]
    inside = [which == name for name in names]
    right = [
        float(((values[rows] >= limit) == truth[rows]).mean())
        for rows, limit in zip(inside, limits, strict=True)
    ]
    error = float(np.std(right, ddof=1) / np.sqrt(len(right)))
    return FoldAccuracy(
        accuracy=float(np.mean(right)),
        standard_error=error,
        per_fold=tuple(right),
        thresholds=tuple(limits),
    )
