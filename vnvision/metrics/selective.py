"""Selective answers: a confidence limit that keeps the risk of the answers given, with a stated guarantee."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.records import AbstentionRule

NO_LIMIT = "no confidence limit keeps the risk at {risk:g}: every answer is withheld"
LIMITS = 20


def confidence(scores: np.ndarray, kind: Literal["classification", "multilabel"]) -> np.ndarray:
    """(N,) how sure an answer is, from calibrated probabilities (N, C): what an abstention limit is set on.

    Classification: the largest probability, from 1/C to 1. Multilabel: that of the least sure label,
    ``min over labels of max(p, 1 - p)``, from 0.5 to 1: "none of these" is an answer too and must not look
    like doubt. The answer is then the whole set of labels and right only where every label is, so its chance
    of being right is *below* this number where several labels are unsure at once. A limit is therefore never
    read as a probability there: ``fit_abstention`` measures the risk at each limit.
    """
    sides = np.maximum(scores, 1.0 - scores)
    sure: np.ndarray = sides.min(axis=1) if kind == "multilabel" else scores.max(axis=1)
    return sure


def fit_abstention(
    confidence: np.ndarray,
    correct: np.ndarray,
    groups: Sequence[Hashable],
    risk: float | None,
    delta: float = 0.05,
) -> tuple[float | None, AbstentionRule | None]:
    """The lowest confidence limit whose answers are wrong in at most ``risk`` of cases, with confidence.

    Selection with guaranteed risk (Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural
    Networks", algorithm 1), over a fixed grid in place of their binary search: at each of ``LIMITS`` limits,
    evenly spaced in coverage, the exact binomial upper bound on the error among answers given (Clopper &
    Pearson 1934) is taken at ``delta / LIMITS`` (Bonferroni), and the limit of largest coverage whose bound
    is at most ``risk`` is chosen. The grid knows the confidences and not which answers are right.

    Supposed: the pictures are exchangeable with those to come. Where groups (patients, plants, smears) hold
    several, the groups are, and pictures of one may err together: both counts are then divided by the design
    effect of the errors over all pictures (Kish 1965), so that n pictures count as n / effect, but no less
    than the number of groups (as many, where there is no error to measure it on). The bound is exact for
    groups of one and an approximation else. It says nothing of another camera, place or season, nor of
    pictures out of scope.

    Args:
        confidence: (N,) of calibrated answers to pictures that the model was not trained on.
        correct: (N,) bool.
        groups: N keys.
        risk: largest share of wrong answers among those given, 0 to 1 exclusive; None for no abstention.
        delta: probability, over the draw of these pictures, that the promise fails.

    Returns:
        The limit (answer at or above it) and the rule; (None, None) without a risk. Where no limit keeps the
        risk: 1.0 and a rule with ``bound`` None and coverage 0, under which everything is withheld; this is
        warned of.

    Raises:
        ConfigError: ``risk`` or ``delta`` out of range.
        DataError: shapes disagree, or nothing to fit on.
        MissingExtraError: scipy is not installed.
    """
    if risk is None:
        return None, None
    _check(confidence, correct, groups, risk, delta)
    codes = np.unique([str(group) for group in groups], return_inverse=True)[1]
    wrong = ~np.asarray(correct, dtype=bool)
    effect = _design_effect(wrong, codes)
    for limit in _grid(confidence):
        given = confidence >= limit
        n, errors = int(given.sum()), int(wrong[given].sum())
        there = len(np.unique(codes[given]))
        counted = min(n, max(there, n / effect)) if effect is not None else there
        bound = upper_bound(errors * counted / n, counted, delta / LIMITS)
        if bound <= risk:
            share = n / len(confidence)
            rule = AbstentionRule(risk=risk, delta=delta, bound=bound, coverage=share, n=len(confidence))
            return float(limit), rule
    warnings.warn(NO_LIMIT.format(risk=risk), stacklevel=2)
    return 1.0, AbstentionRule(risk=risk, delta=delta, bound=None, coverage=0.0, n=len(confidence))


def upper_bound(errors: float, n: float, delta: float) -> float:
    """The error rate that so few errors in n trials exclude with probability 1 - delta (one-sided, exact).

    Counts need not be whole: effective numbers of pictures are not.
    """
    try:
        from scipy.special import betaincinv
    except ImportError as exc:
        raise MissingExtraError("scipy", "eval") from exc
    return 1.0 if errors >= n else float(betaincinv(errors + 1, n - errors, 1 - delta))


def accuracy_at(
    confidence: np.ndarray, correct: np.ndarray, coverages: Sequence[float]
) -> tuple[tuple[float, np.ndarray], ...]:
    """For each coverage wanted: the limit, and which of the N answers are given (N,) bool.

    Answers of equal confidence are given together, so a little more than asked for may be covered.
    """
    ranked = np.sort(confidence)[::-1]
    found = []
    for coverage in coverages:
        limit = float(ranked[min(len(ranked), max(1, int(np.ceil(coverage * len(ranked) - 1e-9)))) - 1])
        found.append((limit, np.asarray(confidence >= limit)))
    return tuple(found)


def selective_curve(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy among the answers kept, for every confidence limit.

    Returns:
        limits (K,), the distinct confidences from high to low; coverage (K,), the share of images with at
        least that confidence; accuracy (K,), the share of those that are right (El-Yaniv and Wiener 2010,
        "On the Foundations of Noise-free Selective Classification").
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1) if len(ranked) else np.zeros(0, int)
    right = np.cumsum(correct[order])[last]
    return ranked[last], (last + 1) / max(1, len(ranked)), right / (last + 1)


def _grid(confidence: np.ndarray) -> np.ndarray:
    """Limits from the lowest up, that give 1, 1 - 1/LIMITS, ... 1/LIMITS of the answers."""
    ranked = np.sort(confidence)
    at = np.floor(np.arange(LIMITS) / LIMITS * len(ranked)).astype(int)
    return np.unique(ranked[at])


def _design_effect(wrong: np.ndarray, codes: np.ndarray) -> float | None:
    """How many times the binomial variance the error rate has over groups; None where it cannot be told."""
    groups, rate = int(codes.max()) + 1, float(wrong.mean())
    if groups == len(wrong):
        return 1.0
    if groups < 2 or not 0 < rate < 1:
        return None
    sums = np.bincount(codes, weights=wrong - rate)
    variance = (sums**2).sum() * groups / (groups - 1)
    return max(1.0, float(variance / (rate * (1 - rate) * len(wrong))))


def _check(
    confidence: np.ndarray, correct: np.ndarray, groups: Sequence[Hashable], risk: float, delta: float
) -> None:
    for name, value in (("risk", risk), ("delta", delta)):
        if not 0 < value < 1:
            raise ConfigError(f"{name} is not a share", expected="0 to 1, exclusive", got=str(value))
    if not len(confidence) or not len(confidence) == len(correct) == len(groups):
        raise DataError(
            "an abstention limit cannot be fitted",
            expected="confidence, correct and groups of one length, 1 or more",
            got=f"{len(confidence)}, {len(correct)} and {len(groups)}",
        )
