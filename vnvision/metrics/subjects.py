"""Errors and comparisons by pair of subjects, and the sampling variance of their rate.

Comparisons that share a person are not independent, so persons are resampled, and an impostor comparison
counts as often as the product of its two persons' draws, a genuine one as often as its person's (the idea of
Bolle, Ratha and Pankanti 2004, "Error analysis of pattern recognition systems: the subsets bootstrap", CVIU,
carried to both sides of a comparison). With n persons that product rule counts noise that belongs to one pair
of persons three times (Owen 2007, "The pigeonhole bootstrap", Ann. Appl. Stat.), and at low rates nearly all
noise is of that kind: percentile intervals then cover far too often. ``SubjectCounts.variance`` is the same
variance in closed form with the two surplus shares taken off, which is the dyadic cluster-robust variance
(Aronow, Samii and Assenova 2015, "Cluster-robust variance estimation for dyadic data", Political Analysis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.bootstrap import ClusterBootstrap


@dataclass(frozen=True, slots=True, eq=False)
class SubjectCounts:
    """Errors and comparisons of one kind, summed by pair of subjects. Subjects are codes 0..S-1.

    Attributes:
        first: (M,) subject of the listed pairs of subjects.
        second: (M,) the other subject; equal to ``first`` for genuine comparisons.
        errors: (M,) errors of the pair; a pair of subjects not listed has none.
        comparisons: (M,) comparisons of the pair.
        margin: (S,) comparisons each subject takes part in.
        total: comparisons in all.
        squares: sum over pairs of different subjects of their squared number of comparisons.
        product: two (S,) arrays l, r where pairs i < j hold l_i r_j + l_j r_i comparisons, and only those
            with errors need be listed; None where every pair is listed.
    """

    first: np.ndarray
    second: np.ndarray
    errors: np.ndarray
    comparisons: np.ndarray
    margin: np.ndarray
    total: float
    squares: float
    product: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def from_comparisons(
        cls, first: np.ndarray, second: np.ndarray, error: np.ndarray, n_subjects: int
    ) -> SubjectCounts:
        """From one row a comparison: subject codes (N,), (N,), and whether it was an error (N,) bool."""
        return cls.from_sums(first, second, np.asarray(error, float), np.ones(len(first)), n_subjects)

    @classmethod
    def from_sums(
        cls,
        first: np.ndarray,
        second: np.ndarray,
        errors: np.ndarray,
        comparisons: np.ndarray,
        n_subjects: int,
    ) -> SubjectCounts:
        """From sums already made, for example one row a subject for genuine comparisons; rows may repeat."""
        low, high, (errors, comparisons) = _by_pair(first, second, (errors, comparisons), n_subjects)
        apart = low != high
        margin = np.bincount(low, comparisons, n_subjects)
        margin += np.bincount(high[apart], comparisons[apart], n_subjects)
        squares = float((comparisons[apart] ** 2).sum())
        return cls(low, high, errors, comparisons, margin, float(comparisons.sum()), squares)

    @classmethod
    def from_product(
        cls,
        left: np.ndarray,
        right: np.ndarray,
        first: np.ndarray,
        second: np.ndarray,
        errors: np.ndarray | None = None,
    ) -> SubjectCounts:
        """All impostor comparisons of two sets of images, without listing them.

        Args:
            left: (S,) images of each subject in one set.
            right: (S,) images of each subject in the other. The same array for all pairs within one set;
                otherwise no subject may be in both.
            first: (M,) subject code of each false match.
            second: (M,) the other subject's.
            errors: (M,) false matches of each row; one each by default.

        Raises:
            DataError: a subject is in both of two different sets.
        """
        within = left is right or np.array_equal(left, right)
        if not within and (left * right).any():
            raise DataError("a subject is in both sets", expected="sets without a common subject")
        one, other = (left / 2 if within else left.astype(float)), right.astype(float)
        counts = np.ones(len(first)) if errors is None else errors
        a, b, (summed,) = _by_pair(first, second, (counts,), len(left))
        both = one * other
        margin = one * (other.sum() - other) + other * (one.sum() - one)
        total = float(one.sum() * other.sum() - both.sum())
        squares = (one**2).sum() * (other**2).sum() + both.sum() ** 2 - 2 * (both**2).sum()
        there = one[a] * other[b] + one[b] * other[a]
        return cls(a, b, summed, there, margin, total, float(squares), (one, other))

    @property
    def rate(self) -> float:
        """Errors per comparison; NaN without comparisons."""
        return float(self.errors.sum() / self.total) if self.total else float("nan")

    @property
    def n_subjects(self) -> int:
        """Subjects that take part."""
        return int((self.margin > 0).sum())

    @property
    def effective_subjects(self) -> float:
        """As many equally frequent subjects carry this much information (Kish), ``n_subjects`` at most."""
        square = self.margin**2
        return float(square.sum() ** 2 / (square**2).sum()) if self.total else 0.0

    def _residuals(self) -> np.ndarray:
        """(S,) errors of each subject beyond those that ``rate`` predicts."""
        apart, size = self.first != self.second, len(self.margin)
        errors = np.bincount(self.first, self.errors, size)
        errors += np.bincount(self.second[apart], self.errors[apart], size)
        beyond: np.ndarray = errors - self.rate * self.margin
        return beyond

    def variance(self) -> float:
        """Sampling variance of ``rate`` over subjects (see the module's text). NaN below two subjects.

        At least the variance that independent pairs of subjects would have.
        """
        if self.n_subjects < 2:
            return float("nan")
        subjects, rate = max(self.effective_subjects, 2.0), self.rate
        apart = self.first != self.second
        e, n = self.errors[apart], self.comparisons[apart]
        own = float((e**2).sum() - 2 * rate * (e * n).sum() + rate**2 * self.squares)
        shared = float((self._residuals() ** 2).sum()) - own
        return max(shared, own) * subjects / (subjects - 1) / self.total**2

    def freedom(self) -> float:
        """Degrees of freedom of ``variance``, 1 or more: effective subjects less one.

        Where a few subjects bring most of the false matches, the variance rests on those few: it counts as
        known from twice the effective number of squared residuals at most (twice by simulation).
        """
        subjects = self.effective_subjects
        squared = self._residuals() ** 2
        if self.squares and squared.any():
            subjects = min(subjects, 2 * float(squared.sum() ** 2 / (squared**2).sum()))
        return max(subjects - 1, 1.0)

    def draws(self, n_boot: int = 1000, seed: int = 0) -> np.ndarray:
        """(n_boot,) the rate in resamples of subjects, NaN where one has no comparison.

        The plain bootstrap with product weights, for statistics without a closed form; for a single rate
        ``rate_interval`` is closer to nominal coverage.
        """
        out = []
        apart = self.first != self.second
        for block in ClusterBootstrap(range(len(self.margin)), n_boot, seed).blocks():
            for weights in block.T:
                pair = weights[self.first] * np.where(apart, weights[self.second], 1.0)
                if self.product is None:
                    total = pair @ self.comparisons
                else:
                    left, right = self.product
                    total = (weights @ left) * (weights @ right) - weights**2 @ (left * right)
                out.append(pair @ self.errors / total if total > 0 else np.nan)
        return np.array(out)


def _by_pair(
    first: np.ndarray, second: np.ndarray, values: tuple[np.ndarray, ...], n_subjects: int
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Unordered pairs of subjects, each once, and the sums of ``values`` over each."""
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    keys, inverse = np.unique(low * n_subjects + high, return_inverse=True)
    sums = [np.bincount(inverse, value, len(keys)) for value in values]
    return keys // max(n_subjects, 1), keys % max(n_subjects, 1), sums
