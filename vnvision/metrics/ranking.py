"""Threshold-free metrics of one score against one yes/no truth, over many weightings at once.

Scores are sorted once; each weighting of the images then costs a running sum. Tied scores form one step.
"""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-9


class RankedScores:
    """Scores sorted once, to be judged under many weightings.

    Args:
        scores: (N,) the higher, the more likely positive.
        positive: (N,) bool, the truth.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        order = np.argsort(-scores, kind="stable")
        ranked, truth = scores[order], positive[order]
        self._positives = order[truth]
        self._negatives = order[~truth]
        # Steps: the distinct scores that positives have. Negatives elsewhere move no true positive.
        levels, first = np.unique(-ranked[truth], return_index=True)
        self._step_starts = first
        self._ties = len(levels) < len(self._positives)
        negative_levels = -ranked[~truth]
        self._above = np.searchsorted(negative_levels, levels, side="left")
        self._reached = np.searchsorted(negative_levels, levels, side="right")
        self.thresholds = -levels

    @property
    def defined(self) -> bool:
        """There are positives and negatives."""
        return bool(len(self._positives) and len(self._negatives))

    def steps(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Weighted counts at each distinct score of a positive, from the highest down.

        Args:
            weights: (N, b).

        Returns:
            gain (K, b), the positives gained at the step; above (K, b), negatives scored higher; reached
            (K, b), negatives scored higher or equal; negatives (b,), all of them.
        """
        gain = weights[self._positives]
        if self._ties:
            gain = np.add.reduceat(gain, self._step_starts, axis=0)
        running = np.zeros((len(self._negatives) + 1, weights.shape[1]))
        np.cumsum(weights[self._negatives], axis=0, out=running[1:])
        reached = running[self._reached]
        above = running[self._above] if (self._above != self._reached).any() else reached
        return gain, above, reached, running[-1]

    def metrics(
        self, weights: np.ndarray, specificities: tuple[float, ...] = (0.90, 0.95)
    ) -> dict[str, np.ndarray]:
        """AUROC, average precision and sensitivities, each (b,); NaN where a class has no weight.

        Returns:
            ``auroc``: chance that a positive outscores a negative, ties half (Hanley and McNeil 1982).
            ``auprc``: average precision, sum over steps of the recall gained times the precision there.
            ``sensitivity_at_specificity_90`` and so on: the highest sensitivity of any threshold whose
            specificity reaches the target; no interpolation between thresholds.
        """
        names = [f"sensitivity_at_specificity_{round(100 * value)}" for value in specificities]
        if not self.defined:
            return {name: np.full(weights.shape[1], np.nan) for name in ("auroc", "auprc", *names)}
        gain, above, reached, negatives = self.steps(weights)
        positives = gain.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            wrong_order = np.einsum("kb,kb->b", gain, above + reached) / 2
            out = {"auroc": 1 - wrong_order / (positives * negatives)}
            found = np.cumsum(gain, axis=0)
            flagged = np.maximum(found + reached, 1)
            out["auprc"] = np.einsum("kb,kb->b", gain, found / flagged) / positives
            for name, value in zip(names, specificities, strict=True):
                allowed = (1 - value + _TOLERANCE) * negatives
                out[name] = np.where(reached <= allowed, gain, 0).sum(axis=0) / positives
        empty = (positives == 0) | (negatives == 0)
        return {name: np.where(empty, np.nan, values) for name, values in out.items()}


def threshold_at_specificity(scores: np.ndarray, positive: np.ndarray, specificity: float) -> float | None:
    """The threshold with the highest sensitivity among those whose specificity reaches the target.

    "Positive" means score >= threshold. Halfway between two scores that occur, so that the last digit of
    another engine does not flip an answer. None where a class is missing or no threshold at or below the
    best positive reaches the target.
    """
    ranked = RankedScores(scores, positive)
    if not ranked.defined:
        return None
    _, _, reached, negatives = ranked.steps(np.ones((len(scores), 1)))
    allowed = np.flatnonzero(reached[:, 0] <= (1 - specificity + _TOLERANCE) * negatives[0])
    if not len(allowed):
        return None
    accepted = float(ranked.thresholds[allowed[-1]])
    below = scores[scores < accepted]
    middle = (accepted + float(below.max())) / 2 if len(below) else accepted
    return middle if not len(below) or middle > below.max() else accepted


def roc_curve(scores: np.ndarray, positive: np.ndarray, max_points: int = 200) -> list[tuple[float, float]]:
    """Points (false positive rate, true positive rate) from (0, 0) to (1, 1).

    Points on a straight piece are left out first (they change nothing); if more than ``max_points`` are
    left, points evenly spaced along the curve are kept. Empty where a class is missing.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return []
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    tp = np.concatenate([[0], np.cumsum(positive[order])[last]])
    fp = np.concatenate([[0], np.cumsum(~positive[order])[last]])
    turn = np.diff(fp[:-1]) * np.diff(tp[1:]) != np.diff(fp[1:]) * np.diff(tp[:-1])
    keep = np.concatenate([[True], turn, [True]])
    x, y = fp[keep] / n_negative, tp[keep] / n_positive
    if len(x) > max_points:
        # Along a staircase x + y grows steadily from 0 to 2: even steps in it are even steps along it.
        picked = np.unique(np.searchsorted(x + y, np.linspace(0, 2, max_points)).clip(max=len(x) - 1))
        x, y = x[picked], y[picked]
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
