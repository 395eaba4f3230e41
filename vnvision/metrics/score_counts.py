"""Error rates from histograms of scores, for more comparisons than fit in memory."""

from __future__ import annotations

from typing import Self

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.pairs import PairBlock
from vnvision.metrics.thresholds import TOLERANCE, FmrThreshold, TarAtFmr, check_rate
from vnvision.metrics.verification import EqualErrorRate, meet, thin
from vnvision.records import Metric


class ScoreCounts:
    """Histograms of genuine and impostor cosines, for more comparisons than fit in memory.

    Bins have equal width over [-1, 1]; their number is a power of two, so that sorting a score into its bin
    is free of rounding and every rate at a bin edge is exact. Thresholds are bin edges: ``resolution`` apart,
    3.1e-5 by default. Scores beyond 1 or -1 by rounding go to the outermost bins.

    Args:
        n_bins: a power of two.

    Raises:
        ConfigError: ``n_bins`` is not a power of two.
    """

    def __init__(self, n_bins: int = 1 << 16) -> None:
        if n_bins < 2 or n_bins & (n_bins - 1):
            raise ConfigError("n_bins does not suit", expected="a power of two", got=str(n_bins))
        self.n_bins = n_bins
        # One more bin for scores of 1 and above.
        self.genuine = np.zeros(n_bins + 1, np.int64)
        self.impostor = np.zeros(n_bins + 1, np.int64)

    @property
    def resolution(self) -> float:
        """Distance between neighbouring thresholds."""
        return 2.0 / self.n_bins

    @property
    def n_genuine(self) -> int:
        """Genuine comparisons so far."""
        return int(self.genuine.sum())

    @property
    def n_impostor(self) -> int:
        """Impostor comparisons so far."""
        return int(self.impostor.sum())

    def add(self, genuine: np.ndarray, impostor: np.ndarray) -> Self:
        """Count more scores.

        Raises:
            DataError: a score is not a number.
        """
        self.genuine += self._count(np.asarray(genuine).ravel())
        self.impostor += self._count(np.asarray(impostor).ravel())
        return self

    def add_block(self, block: PairBlock) -> Self:
        """Count a block; the same as adding its genuine and impostor scores, and faster."""
        genuine = self._count(block.genuine)
        scores = block.scores.ravel() if block.valid is None else block.scores[block.valid]
        everything = self._count(scores)
        self.genuine += genuine
        self.impostor += everything - genuine
        return self

    def merge(self, other: ScoreCounts) -> Self:
        """Take in another one's counts.

        Raises:
            DataError: the number of bins differs.
        """
        if other.n_bins != self.n_bins:
            raise DataError("histograms do not fit", expected=f"{self.n_bins} bins", got=str(other.n_bins))
        self.genuine += other.genuine
        self.impostor += other.impostor
        return self

    def _count(self, scores: np.ndarray) -> np.ndarray:
        half = self.n_bins // 2
        # Scaling by a power of two is exact, unlike adding 1 first.
        scaled = np.floor(scores * scores.dtype.type(half) if scores.dtype.kind == "f" else scores * half)
        if np.isnan(scaled).any():
            raise DataError("a score is not a number", expected="cosines", got="NaN")
        bins = np.clip(scaled, -half, half).astype(np.int64) + half
        return np.bincount(bins, minlength=self.n_bins + 1)

    def _edges(self) -> np.ndarray:
        """(n_bins + 2,) thresholds; the last refuses everything."""
        half = self.n_bins // 2
        return np.arange(-half, half + 2) / half

    @staticmethod
    def _above(counts: np.ndarray) -> np.ndarray:
        """(n_bins + 2,) how many scores reach each edge."""
        return np.concatenate([np.cumsum(counts[::-1])[::-1], [0]])

    def _need(self, genuine: bool = False, impostor: bool = False) -> None:
        if genuine and not self.n_genuine:
            raise DataError("no genuine comparisons", expected="one or more", got="0")
        if impostor and not self.n_impostor:
            raise DataError("no impostor comparisons", expected="one or more", got="0")

    def fmr(self, threshold: float) -> float:
        """FMR, exact at a bin edge; elsewhere that of the edge below, so never too low.

        Raises:
            DataError: no impostor comparison.
        """
        self._need(impostor=True)
        edges = self._edges()
        at = max(int(np.searchsorted(edges, threshold, side="right")) - 1, 0)
        return float(self._above(self.impostor)[at] / self.n_impostor)

    def fnmr(self, threshold: float) -> float:
        """FNMR, exact at a bin edge; elsewhere that of the edge above, so never too low.

        Raises:
            DataError: no genuine comparison.
        """
        self._need(genuine=True)
        edges = self._edges()
        at = min(int(np.searchsorted(edges, threshold, side="left")), len(edges) - 1)
        return float(1 - self._above(self.genuine)[at] / self.n_genuine)

    def threshold_at_fmr(self, target: float) -> FmrThreshold:
        """The lowest bin edge whose FMR is at most ``target``: at most ``resolution`` above the exact one.

        Raises:
            DataError: no impostor comparison.
            ConfigError: ``target`` is outside (0, 1].
        """
        check_rate(target)
        self._need(impostor=True)
        above = self._above(self.impostor)
        at = int(np.argmax(above <= target * self.n_impostor + TOLERANCE))
        return FmrThreshold.from_counts(float(self._edges()[at]), target, int(above[at]), self.n_impostor)

    def tar_at_fmr(self, target: float) -> TarAtFmr:
        """TAR at ``threshold_at_fmr``, without an interval: the histogram forgets whose scores they are.

        Raises:
            DataError: no genuine or no impostor comparison.
            ConfigError: ``target`` is outside (0, 1].
        """
        self._need(genuine=True)
        at = self.threshold_at_fmr(target)
        return TarAtFmr(at=at, tar=Metric(value=1 - self.fnmr(at.threshold), n=self.n_genuine))

    def operating_points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Thresholds from high to low, FMR and TAR at each, as ``thresholds.operating_points``."""
        self._need(genuine=True, impostor=True)
        fmr = self._above(self.impostor)[::-1] / self.n_impostor
        tar = self._above(self.genuine)[::-1] / self.n_genuine
        return self._edges()[::-1], fmr, tar

    def eer(self) -> EqualErrorRate:
        """As ``verification.eer``, the threshold to within ``resolution``."""
        return meet(*self.operating_points())

    def roc_curve(self, max_points: int = 200) -> list[tuple[float, float]]:
        """As ``verification.roc_curve``."""
        _, fmr, tar = self.operating_points()
        moved = np.concatenate([[True], (np.diff(fmr) != 0) | (np.diff(tar) != 0)])
        fmr, tar = fmr[moved], tar[moved]
        kept = thin(fmr, tar, max_points)
        return [(float(a), float(b)) for a, b in zip(fmr[kept], tar[kept], strict=True)]

    def det_curve(self, max_points: int = 200) -> list[tuple[float, float]]:
        """As ``verification.det_curve``."""
        return [(fmr, 1 - tar) for fmr, tar in self.roc_curve(max_points)]
