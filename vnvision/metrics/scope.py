"""Distances to the training pictures, and how far a new picture may be. Pure functions, numpy only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from vnvision.errors import DataError


class Gaussian(NamedTuple):
    """A Gaussian whose covariance is that of probabilistic PCA (Tipping & Bishop 1999, section 3.2).

    Attributes:
        centre: (F,) the mean.
        directions: (q, F) orthonormal rows, the one of most variance first.
        variances: (q + 1,) along them, and of every direction else.
    """

    centre: np.ndarray
    directions: np.ndarray
    variances: np.ndarray

    def distance(self, rows: np.ndarray) -> np.ndarray:
        """(N,) Mahalanobis distance of rows (N, F), float64."""
        off = rows.astype(np.float64) - self.centre
        along = off @ self.directions.T.astype(np.float64)
        left = ((off**2).sum(axis=1) - (along**2).sum(axis=1)).clip(0)
        inside = (along**2 / self.variances[:-1]).sum(axis=1)
        distance: np.ndarray = np.sqrt(inside + left / self.variances[-1])
        return distance


def fit_gaussian(rows: np.ndarray, directions: int) -> Gaussian:
    """Mean, the ``directions`` of most variance, and the mean variance of those left, of rows (N, F).

    At most N / 2 directions are kept apart: beyond that they follow the noise of the sample.

    Raises:
        DataError: fewer than four rows, or a value that is not finite.
    """
    if rows.ndim != 2 or len(rows) < 4 or not np.isfinite(rows).all():
        raise DataError("no Gaussian can be fitted", expected="(N, F) finite, N from 4", got=str(rows.shape))
    rows = rows.astype(np.float64)
    centre = rows.mean(axis=0)
    _, sizes, axes = np.linalg.svd(rows - centre, full_matrices=False)
    power = sizes**2 / (len(rows) - 1)
    kept = max(1, min(directions, len(power) - 1, len(rows) // 2))
    left = max(float(power[kept:].sum()) / max(1, rows.shape[1] - kept), 1e-12)
    return Gaussian(
        centre.astype(np.float32), axes[:kept].astype(np.float32), np.append(power[:kept].clip(left), left)
    )


def unit_length(features: np.ndarray) -> np.ndarray:
    """Rows (N, F) scaled to length 1, float64; rows of zeros stay zero."""
    rows = features.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = rows / np.where(length > 0, length, 1.0)
    return unit


def conformal_limit(scores: np.ndarray, groups: Sequence[Hashable], keep: float) -> float:
    """The score that a share ``keep`` of new pictures stays at or below.

    Of G groups of one picture each it is the score of rank ``ceil((G + 1) keep)``: if the next picture is
    exchangeable with them, it is kept with probability ``keep`` or more (split conformal prediction, Vovk et
    al. 2005). Where groups hold several pictures, each group counts once, its pictures sharing its weight
    (pooled distribution functions, Dunn, Wasserman & Ramdas 2023, "Distribution-Free Prediction Sets for
    Two-Layer Hierarchical Models"); this holds for a picture of a new group, nearly for many groups.
    Where there are too few groups for a finite limit (G < keep / (1 - keep)), the largest score is taken.

    Args:
        scores: (N,) of pictures in scope.
        groups: N keys.
        keep: 0 to 1, exclusive.

    Raises:
        DataError: no scores, or ``keep`` out of range.
    """
    if not len(scores) or len(scores) != len(groups) or not 0 < keep < 1:
        raise DataError(
            "no limit can be set", expected="scores with a group each, 0 < keep < 1",
            got=f"{len(scores)} scores, {len(groups)} groups, keep {keep}",
        )  # fmt: skip
    _, codes, sizes = np.unique([str(group) for group in groups], return_inverse=True, return_counts=True)
    weights = 1.0 / sizes[codes] / len(sizes)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    level = keep * (1 + 1 / len(sizes))
    at = int(np.searchsorted(reached, level - 1e-9))
    return float(scores[order[min(at, len(order) - 1)]])


def group_folds(groups: Sequence[Hashable], folds: int, seed: int = 0) -> np.ndarray:
    """(N,) fold of each picture, groups undivided, dealt out in a drawn order."""
    names = sorted({str(group) for group in groups})
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {name: int(place) % folds for name, place in zip(names, order, strict=True)}
    return np.array([fold[str(group)] for group in groups], dtype=np.int64)
