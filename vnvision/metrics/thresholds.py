"""Thresholds for a false match rate, and how many comparisons are needed to claim one.

A comparison is a match where ``score >= threshold``. FMR is the share of impostor comparisons that match,
FNMR the share of genuine ones that do not, TAR = 1 - FNMR (terms after ISO/IEC 19795-1). A rate asked for is
supported by 3 / rate comparisons or more: with fewer, no error at all would still not show that the rate is
met (rule of three, Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?", JAMA).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from vnvision.errors import ConfigError, DataError
from vnvision.records import Metric
from vnvision.spec import Record

RULE_OF_THREE = 3.0
TOLERANCE = 1e-9


class FmrThreshold(Record):
    """A threshold that holds the FMR on the impostor comparisons it was found on.

    ``supported`` is False where there were fewer than ``needed`` = 3 / target comparisons: the threshold is
    then a guess, to be shown as such.
    """

    threshold: float
    target: float = Field(gt=0, le=1)
    achieved: float
    n_impostor: int
    needed: int
    supported: bool

    @classmethod
    def from_counts(cls, threshold: float, target: float, accepted: float, n: int) -> FmrThreshold:
        """From ``accepted`` matches among ``n`` impostor comparisons at ``threshold``.

        Raises:
            ConfigError: ``target`` is outside (0, 1].
        """
        needed = rule_of_three(target)
        return cls(
            threshold=threshold,
            target=target,
            achieved=accepted / n,
            n_impostor=n,
            needed=needed,
            supported=n >= needed,
        )


class TarAtFmr(Record):
    """TAR at the threshold for one FMR; ``tar`` has an interval where subjects were given."""

    at: FmrThreshold
    tar: Metric


def check_rate(target: float) -> None:
    """Refuse a rate nothing can meet.

    Raises:
        ConfigError: ``target`` is outside (0, 1].
    """
    if not 0 < target <= 1:
        raise ConfigError("a target rate cannot be met", expected="0 < rate <= 1", got=str(target))


def check_scores(values: np.ndarray, what: str) -> np.ndarray:
    """Scores as (N,) float64.

    Args:
        values: any shape.
        what: the kind of comparison, for the error text.

    Raises:
        DataError: there is none, or one is not finite.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if not len(flat):
        raise DataError(f"no {what} comparisons", expected="one or more", got="0")
    if not np.isfinite(flat).all():
        raise DataError(f"a {what} score is not finite", expected="cosines", got="NaN or infinity")
    return flat


def rule_of_three(target: float) -> int:
    """Comparisons needed before a rate of ``target`` can be claimed: 3 / target, rounded up."""
    check_rate(target)
    return int(np.ceil(RULE_OF_THREE / target - TOLERANCE))


def threshold_at_fmr(impostor: np.ndarray, target: float) -> FmrThreshold:
    """The smallest threshold at which at most ``target`` of the impostor comparisons match.

    That is the next number above the first score too many, so tied scores are refused together; next in
    float32 for float32 scores, so that comparing in float32 gives the same answers.

    Args:
        impostor: (N,) scores.
        target: FMR asked for, above 0, up to 1.

    Raises:
        DataError: no impostor comparison, or a score that is not finite.
        ConfigError: ``target`` is outside (0, 1].
    """
    check_rate(target)
    scores = check_scores(impostor, "impostor")
    allowed = int(np.floor(target * len(scores) + TOLERANCE))
    if allowed >= len(scores):
        threshold = float(scores.min())
    else:
        place = len(scores) - 1 - allowed
        kind = np.float32 if np.asarray(impostor).dtype == np.float32 else np.float64
        threshold = float(np.nextafter(kind(np.partition(scores, place)[place]), kind(np.inf)))
    return FmrThreshold.from_counts(threshold, target, int((scores >= threshold).sum()), len(scores))


def operating_points(genuine: np.ndarray, impostor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every distinct pair of rates, from the strictest threshold down.

    Returns:
        thresholds (K,), the distinct scores from high to low after one above them all; FMR (K,); TAR (K,).

    Raises:
        DataError: no genuine or no impostor comparison, or a score that is not finite.
    """
    same, different = np.sort(check_scores(genuine, "genuine")), np.sort(check_scores(impostor, "impostor"))
    thresholds = np.unique(np.concatenate([same, different]))[::-1]
    thresholds = np.concatenate([[np.nextafter(thresholds[0], np.inf)], thresholds])
    fmr = 1 - np.searchsorted(different, thresholds, side="left") / len(different)
    tar = 1 - np.searchsorted(same, thresholds, side="left") / len(same)
    return thresholds, fmr, tar
