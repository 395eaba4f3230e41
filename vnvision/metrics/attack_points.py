"""Thresholds of presentation attack detection: one rate held, the other read off; and where they meet.

Terms as in ``attacks``. D-EER(s) is the rate at the threshold where APCER(s) = BPCER.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.attacks import BONA_FIDE, AttackRates, NoResponse, Presentations, attack_rates
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.thresholds import TOLERANCE, check_rate, rule_of_three
from vnvision.records import Metric
from vnvision.spec import Record


class AttackPoint(Record):
    """The rates at the threshold that holds one of them.

    ``achieved`` is the fixed rate at the threshold. ``supported`` is False where fewer than ``needed`` =
    3 / target presentations stand behind it (for APCER: of any species); the threshold is then a guess.
    """

    fixed: Literal["apcer", "bpcer"]
    target: float
    achieved: float
    n: int
    needed: int
    supported: bool
    rates: AttackRates


class DetectionEer(Record):
    """Where one species' APCER meets BPCER, among the presentations that got a response."""

    species: str
    rate: Metric
    threshold: float


def apcer_at_bpcer(
    data: Presentations, target: float, *, no_response: NoResponse = "apart", level: float = 0.95
) -> AttackPoint:
    """The rates at the highest threshold whose BPCER is at most ``target``.

    Raises:
        ConfigError: ``target`` is outside (0, 1].
        DataError: no bona fide presentation got a response, or too few did for the target.
    """
    check_rate(target)
    scores, n = _of_kind(data, BONA_FIDE, no_response)
    allowed = int(np.floor(target * n + TOLERANCE)) - (n - len(scores))
    if allowed < 0 or not len(scores):
        raise DataError(
            f"no threshold holds a BPCER of {target:g}",
            expected="responses to bona fide presentations",
            got=f"{len(scores)} of {n}" if n else "none",
        )
    above = np.nextafter(scores[-1], np.inf)
    threshold = float(scores[allowed] if allowed < len(scores) else above)
    rates = attack_rates(data, threshold, no_response=no_response, level=level)
    return _point("bpcer", target, rates.bpcer, n, rates)


def bpcer_at_apcer(
    data: Presentations, target: float, *, no_response: NoResponse = "apart", level: float = 0.95
) -> AttackPoint:
    """The rates at the lowest threshold whose APCER is at most ``target`` for every species.

    Raises:
        ConfigError: ``target`` is outside (0, 1].
        DataError: no attack got a response.
    """
    check_rate(target)
    kinds = [_of_kind(data, code, no_response) for code in range(len(data.names))]
    answered = data.scores[data.answered]
    if not any(len(scores) for scores, _ in kinds):
        raise DataError("no attack got a response", expected="one or more", got="0")
    threshold = float(answered.min())
    for scores, n in kinds:
        allowed = int(np.floor(target * n + TOLERANCE))
        if allowed < len(scores):
            threshold = max(threshold, float(np.nextafter(scores[len(scores) - 1 - allowed], np.inf)))
    rates = attack_rates(data, threshold, no_response=no_response, level=level)
    fewest = min(n for _, n in kinds if n)
    return _point("apcer", target, rates.worst_apcer, fewest, rates)


def detection_eer(
    data: Presentations, *, n_boot: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[DetectionEer, ...]:
    """D-EER of each species that got a response, straight between neighbouring thresholds.

    Intervals are percentile intervals over resampled subjects, in each of which the threshold is found
    again; there is none where all resamples agree, as for scores that do not overlap.

    Raises:
        DataError: no bona fide presentation, or no attack, got a response.
    """
    found = []
    for code, name in enumerate(data.names):
        rows = data.answered & np.isin(data.species, (code, BONA_FIDE))
        scores, attack = data.scores[rows], data.species[rows] == code
        if attack.all() or not attack.any():
            continue
        meet = _Meeting(scores, attack)
        bootstrap = ClusterBootstrap(data.subjects[rows].tolist(), n_boot, seed)
        draws = resample(meet, bootstrap).get("rate")
        rate, threshold = (float(values[0]) for values in meet(np.ones((len(scores), 1))).values())
        metric = summarise(rate, draws, n=len(scores), n_groups=bootstrap.n_groups, level=level)
        found.append(DetectionEer(species=name, rate=metric, threshold=threshold))
    if not found:
        raise DataError("D-EER needs both kinds of response", expected="to attacks and to bona fide ones")
    return tuple(found)


class _Meeting:
    """Where APCER = BPCER, under weights (N, b): ``rate`` (b,) and ``threshold`` (b,)."""

    def __init__(self, scores: np.ndarray, attack: np.ndarray) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._attack = attack[self._order, None]
        levels, first = np.unique(scores[self._order], return_index=True)
        self._thresholds = np.append(levels, np.nextafter(levels[-1], np.inf))
        self._below = np.append(first, len(scores))  # how many scores lie below each threshold

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        ranked = weights[self._order]
        zero = np.zeros((1, weights.shape[1]))
        attacks, others = (
            np.concatenate([zero, np.cumsum(ranked * kind, axis=0)]) for kind in (self._attack, ~self._attack)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            apcer = 1 - attacks[self._below] / attacks[-1]
            bpcer = others[self._below] / others[-1]
        columns = np.arange(weights.shape[1])
        after = np.maximum(np.argmax(bpcer >= apcer, axis=0), 1)  # at the lowest threshold all pass
        before = after - 1
        gap = (apcer - bpcer)[before, columns]
        part = gap / (gap - (apcer - bpcer)[after, columns])
        low, high = self._thresholds[before], self._thresholds[after]
        rate = bpcer[before, columns] + part * (bpcer[after, columns] - bpcer[before, columns])
        return {"rate": rate, "threshold": low + part * (high - low)}


def _of_kind(data: Presentations, code: int, no_response: NoResponse) -> tuple[np.ndarray, int]:
    """Sorted scores of one kind of presentation, and how many its rates are shares of."""
    kind = data.species == code
    return np.sort(data.scores[kind & data.answered]), int((kind & data.counted(no_response)).sum())


def _point(
    fixed: Literal["apcer", "bpcer"], target: float, metric: Metric, n: int, rates: AttackRates
) -> AttackPoint:
    needed = rule_of_three(target)
    return AttackPoint(
        fixed=fixed,
        target=target,
        achieved=metric.value or 0.0,
        n=n,
        needed=needed,
        supported=n >= needed,
        rates=rates,
    )
