"""Intervals from resampling whole groups (patients, plants, bursts) with replacement.

Images of one group are not independent, so drawing images one by one gives intervals that are too
narrow. The cluster bootstrap draws groups instead and keeps each with all its images (Field and Welsh
2007, "Bootstrapping clustered data", J. R. Statist. Soc. B 69(3), 369-390). Intervals are percentile
intervals (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13), but for the
calibration error: sampling noise pushes it up, and resampling pushes it up again, so a percentile interval
lies too high. Its lower end is that of the basic interval, reflected about the value (Davison and Hinkley
1997, "Bootstrap Methods and their Application", section 5.2), its upper end the higher of the two. In
simulation (three classes, 70 to 2,000 images, true error 0.07 or 0.13) this held the truth in 90 to 97 % of
cases, percentile intervals in 57 to 93 %, basic ones in 85 to 95 %; for a perfectly calibrated model, whose
error is 0, in 48 to 65 % against none.

A resample is held as integer weights, one an image: how often its group was drawn. A statistic that takes
a block of weights (N, b) answers b resamples in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import numpy as np

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.metrics import notes
from vnvision.records import Metric

Statistic = Callable[[np.ndarray], Mapping[str, np.ndarray]]

_BLOCK_CELLS = 1 << 20
_MOSTLY = 0.5
_SAME = 1e-12


class ClusterBootstrap:
    """Resamples of groups, as weights.

    Args:
        groups: one key an image, (N,).
        n_boot: how many resamples.
        seed: the same seed and groups give the same resamples.

    Attributes:
        n: images.
        n_groups: distinct groups.
        codes: (N,) group index of each image, in order of first appearance.

    Raises:
        ConfigError: ``n_boot`` is negative.
    """

    def __init__(self, groups: Sequence[Hashable], n_boot: int = 1000, seed: int = 0) -> None:
        if n_boot < 0:
            raise ConfigError("n_boot is negative", expected="0 or more", got=str(n_boot))
        index: dict[Hashable, int] = {}
        self.codes = np.array([index.setdefault(key, len(index)) for key in groups], dtype=np.int64)
        self.n, self.n_groups = len(self.codes), len(index)
        self.n_boot, self.seed = n_boot, seed

    def blocks(self) -> Iterator[np.ndarray]:
        """Weights (N, b) float64 (whole numbers), block after block, ``n_boot`` columns in all."""
        rng = np.random.default_rng(self.seed)
        width = max(1, _BLOCK_CELLS // max(1, self.n))
        for start in range(0, self.n_boot, width):
            b = min(width, self.n_boot - start)
            drawn = rng.integers(0, self.n_groups, size=(b, self.n_groups))
            cells = drawn * b + np.arange(b)[:, None]
            counts = np.bincount(cells.ravel(), minlength=self.n_groups * b).reshape(self.n_groups, b)
            yield counts.astype(np.float64)[self.codes]

    def groups_of(self, members: np.ndarray) -> int:
        """How many groups have an image in the boolean mask ``members`` (N,)."""
        return len(np.unique(self.codes[members]))


def resample(statistic: Statistic, bootstrap: ClusterBootstrap) -> dict[str, np.ndarray]:
    """A statistic over all resamples.

    Args:
        statistic: weights (N, b) -> name -> (..., b), NaN where not defined.
        bootstrap: the resamples.

    Returns:
        name -> (..., n_boot). Empty when there are fewer than two groups: nothing can be learned then.
    """
    if bootstrap.n_groups < 2 or bootstrap.n_boot == 0:
        return {}
    blocks = [statistic(weights) for weights in bootstrap.blocks()]
    return {name: np.concatenate([block[name] for block in blocks], axis=-1) for name in blocks[0]}


def summarise(
    value: float,
    draws: np.ndarray | None,
    *,
    n: int,
    n_groups: int,
    why: str = notes.NO_IMAGES,
    note: str | None = None,
    proportion: bool = False,
    reflect: bool = False,
    level: float = 0.95,
) -> Metric:
    """One value and its resamples as a ``Metric``.

    Args:
        value: the value on the data itself; NaN means not defined.
        draws: (B,) the value in each resample, NaN where not defined there; None without resamples.
        n: images it was measured on.
        n_groups: groups it was measured on.
        why: the note when ``value`` is not defined.
        note: what to say anyway.
        proportion: the value is a share of independent answers, so that an exact binomial interval on the
            number of groups may stand in where all resamples agree. Otherwise such a value has no
            interval: [1, 1] from a dozen images would be a lie.
        reflect: for a value that noise pushes up: take the lower end from the basic interval, 0 at least,
            and the upper end from whichever interval reaches further.
        level: coverage.
    """
    if not np.isfinite(value):
        return Metric(value=None, n=n, level=level, note=why)
    if n_groups < 2:
        return Metric(value=value, n=n, level=level, note=notes.join(note, notes.ONE_GROUP))
    if draws is None or not len(draws):
        return Metric(value=value, n=n, level=level, note=notes.join(note, notes.NO_RESAMPLES))
    defined = draws[np.isfinite(draws)]
    missing = len(draws) - len(defined)
    if missing > _MOSTLY * len(draws):
        said = notes.MOSTLY_UNDEFINED.format(undefined=missing, resamples=len(draws))
        return Metric(value=value, n=n, level=level, note=notes.join(note, said))
    if missing:
        note = notes.join(note, notes.SOME_UNDEFINED.format(undefined=missing, resamples=len(draws)))
    if np.ptp(defined) <= _SAME:
        return _without_variation(value, n, n_groups, note, proportion, level)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    if reflect:
        low, high = max(0.0, min(value, 2 * value - high)), max(high, 2 * value - low)
    return Metric(value=value, low=float(low), high=float(high), n=n, level=level, note=note)


def _without_variation(
    value: float, n: int, n_groups: int, note: str | None, proportion: bool, level: float
) -> Metric:
    """The metric whose resamples all agree: an exact interval for shares, else none."""
    if not proportion:
        return Metric(value=value, n=n, level=level, note=notes.join(note, notes.NO_VARIATION))
    low, high = clopper_pearson(value * n_groups, n_groups, level)
    said = notes.join(note, notes.EXACT.format(groups=n_groups))
    return Metric(value=value, low=low, high=high, n=n, level=level, note=said)


def clopper_pearson(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934, Biometrika 26(4), 404-413).

    Args:
        successes: 0..n; need not be whole (a share of groups), as the beta quantiles are continuous.
        n: trials, 1 or more.
        level: coverage.

    Raises:
        DataError: ``successes`` is outside 0..n, or ``n`` is below 1.
        MissingExtraError: scipy is not installed.
    """
    if n < 1 or not 0 <= successes <= n:
        raise DataError("no binomial interval", expected="0 <= successes <= n", got=f"{successes}, {n}")
    try:
        from scipy.special import betaincinv
    except ImportError as exc:
        raise MissingExtraError("scipy", "eval") from exc
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def share(
    hits: np.ndarray, among: np.ndarray, bootstrap: ClusterBootstrap, *, why: str = notes.NO_IMAGES
) -> Metric:
    """The share of ``hits`` (N,) bool among the images of ``among`` (N,) bool, with its interval."""
    inside = np.stack([hits & among, among]).astype(np.float64)

    def ratio(weights: np.ndarray) -> dict[str, np.ndarray]:
        right, total = inside @ weights
        return {"share": np.divide(right, total, out=np.full(total.shape, np.nan), where=total > 0)}

    n = int(among.sum())
    value = float((hits & among).sum() / n) if n else float("nan")
    draws = resample(ratio, bootstrap).get("share")
    return summarise(value, draws, n=n, n_groups=bootstrap.groups_of(among), why=why, proportion=True)
