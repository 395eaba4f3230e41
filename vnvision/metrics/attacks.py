"""Presentation attack detection: what gets through, and who is turned away (after ISO/IEC 30107-3).

A score is a liveness score, higher means more live; a presentation passes as bona fide where ``score >=
threshold``. An attack belongs to a species: one kind of instrument made in one way, such as a laser print.

    APCER(s)  attacks of species s that pass / attacks of species s
    BPCER     bona fide presentations that do not pass / bona fide presentations
    APNRR(s)  attacks of species s without a response / attacks of species s; BPNRR likewise
    ACER      (worst APCER + BPCER) / 2

State the worst APCER and BPCER side by side: the standard's view is that a system is as weak as its worst
species, and ACER, kept for comparison with papers, hides which of its two halves an error came from.

**No response** (no face was found, nothing was decided) is never a score. ``apart``: APCER and BPCER are
shares of the presentations that got a response, to be read with APNRR and BPNRR. ``attack``: silence counts
as an answer "attack", as at a gate that stays shut, and the shares are of all presentations.

**Intervals** are over subjects (or any cluster), see ``intervals.rate_interval``, for the threshold as it is.
The worst APCER of K species lies between the highest lower and the highest upper end of K intervals, each at
1 - (1 - level) / K, which hold together by Bonferroni's inequality whatever the species share; ACER likewise
from K + 1. Coverage of 95 % intervals in 400 simulated studies each (15 to 100 subjects, 1 to 5 species,
rates 0.03 to 0.35): worst APCER 96 to 99 %, BPCER 96 to 98 %, ACER 100 %; of D-EER's percentile intervals
(150 studies each) 93 to 96 %.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.metrics import notes
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.pairs import code_subjects
from vnvision.metrics.subjects import SubjectCounts
from vnvision.records import Metric
from vnvision.spec import Record

NoResponse = Literal["apart", "attack"]
BONA_FIDE = -1


class SpeciesRates(Record):
    """One species of attack instrument; ``apnrr`` is of all its presentations."""

    species: str
    apcer: Metric
    apnrr: Metric


class AttackRates(Record):
    """All error rates at one threshold. ``acer`` is for comparison only: see the module's text."""

    threshold: float
    no_response: NoResponse
    species: tuple[SpeciesRates, ...]
    worst_species: str | None
    worst_apcer: Metric
    bpcer: Metric
    bpnrr: Metric
    acer: Metric


@dataclass(frozen=True, slots=True, eq=False)
class Presentations:
    """What was presented and how it was scored.

    Attributes:
        scores: (N,) float64, higher means more live; NaN where there was no response.
        species: (N,) index into ``names``, ``BONA_FIDE`` for bona fide presentations.
        names: species, sorted.
        subjects: (N,) codes 0..S-1.
    """

    scores: np.ndarray
    species: np.ndarray
    names: tuple[str, ...]
    subjects: np.ndarray

    @classmethod
    def of(
        cls,
        scores: Sequence[float | None],
        species: Sequence[str | None],
        subjects: Sequence[Hashable] | np.ndarray,
    ) -> Self:
        """From one row a presentation.

        Args:
            scores: (N,); None is no response.
            species: (N,); None is bona fide.
            subjects: (N,) who is presented or impersonated, or another cluster (a session, a device).

        Raises:
            DataError: lengths differ, a score is not finite, or one of the two kinds is missing.
        """
        lengths = len(scores), len(species), len(subjects)
        if len(set(lengths)) != 1:
            raise DataError("presentations do not fit", expected=f"{lengths[0]} each", got=str(lengths))
        wrong = [row for row, score in enumerate(scores) if score is not None and not np.isfinite(score)]
        if wrong:
            raise DataError(
                f"the score of presentation {wrong[0]} is not finite",
                expected="a number, or None for no response",
                got=str(scores[wrong[0]]),
            )
        names = tuple(sorted({name for name in species if name is not None}))
        index: dict[str | None, int] = {None: BONA_FIDE}
        index.update((name, code) for code, name in enumerate(names))
        codes = np.array([index[name] for name in species], dtype=np.int64)
        if not names or not (codes == BONA_FIDE).any():
            raise DataError(
                "both kinds of presentation are needed",
                expected="attacks and bona fide ones",
                got=f"{int((codes >= 0).sum())} and {int((codes < 0).sum())}",
            )
        values = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
        return cls(values, codes, names, code_subjects(subjects)[0])

    @property
    def answered(self) -> np.ndarray:
        """(N,) bool, there was a response."""
        return np.isfinite(self.scores)

    def counted(self, no_response: NoResponse) -> np.ndarray:
        """(N,) bool, the presentations that APCER and BPCER are shares of.

        Raises:
            ConfigError: ``no_response`` is neither ``apart`` nor ``attack``.
        """
        if no_response not in get_args(NoResponse):
            raise ConfigError("no_response is wrong", expected="apart or attack", got=repr(no_response))
        return self.answered if no_response == "apart" else np.ones(len(self.scores), bool)


def attack_rates(
    data: Presentations, threshold: float, *, no_response: NoResponse = "apart", level: float = 0.95
) -> AttackRates:
    """Every rate at one threshold.

    Args:
        data: the presentations.
        threshold: a score from which a presentation passes.
        no_response: see the module's text.
        level: coverage of the intervals.

    Raises:
        ConfigError: ``threshold`` is not finite, or no such ``no_response``.
        MissingExtraError: scipy is not installed.
    """
    if not np.isfinite(threshold):
        raise ConfigError("threshold is wrong", expected="a finite number", got=str(threshold))
    counted = data.counted(no_response)
    passed = data.answered & (data.scores >= threshold)
    kinds = {name: data.species == code for code, name in enumerate(data.names)}
    bona_fide = data.species == BONA_FIDE

    def apcer(name: str, at: float) -> Metric:
        return _rate(data, kinds[name] & counted, passed, at)

    def bpcer(at: float) -> Metric:
        return _rate(data, bona_fide & counted, ~passed, at)

    rows = tuple(
        SpeciesRates(species=name, apcer=apcer(name, level), apnrr=_rate(data, kind, ~data.answered, level))
        for name, kind in kinds.items()
    )
    known = {row.species: row.apcer.value for row in rows if row.apcer.value is not None}
    missing = ", ".join(name for name in data.names if name not in known)
    note = notes.NOT_ALL.format(species=missing) if missing else None
    few, more = (1 - (1 - level) / max(number, 1) for number in (len(known), len(known) + 1))
    worst = [apcer(name, few) for name in known]
    both = [*(apcer(name, more) for name in known), bpcer(more)] if known else []
    return AttackRates(
        threshold=threshold,
        no_response=no_response,
        species=rows,
        worst_species=max(known, key=lambda name: known[name]) if known else None,
        worst_apcer=_together(worst, max, level, note),
        bpcer=bpcer(level),
        bpnrr=_rate(data, bona_fide, ~data.answered, level),
        acer=_together(both, _half_sum, level, note),
    )


def _rate(data: Presentations, among: np.ndarray, errors: np.ndarray, level: float) -> Metric:
    """The share of errors among some presentations, with its interval over their subjects."""
    if not among.any():
        return Metric(value=None, n=0, level=level, note=notes.NO_IMAGES)
    who = data.subjects[among]
    counts = SubjectCounts.from_comparisons(who, who, errors[among], int(data.subjects.max()) + 1)
    return rate_interval(counts, level=level)


def _half_sum(values: Sequence[float]) -> float:
    """ACER from the APCERs and, last, BPCER."""
    return (max(values[:-1]) + values[-1]) / 2


def _together(
    parts: Sequence[Metric], combine: Callable[[Sequence[float]], float], level: float, note: str | None
) -> Metric:
    """A rising function of several rates whose intervals hold together; not defined where one is not."""
    n = sum(part.n for part in parts)
    ends = {
        name: [getattr(part, name) for part in parts if getattr(part, name) is not None]
        for name in ("value", "low", "high")
    }
    if not parts or len(ends["value"]) < len(parts):
        return Metric(value=None, n=n, level=level, note=notes.join(note, notes.NO_IMAGES))
    if min(len(ends["low"]), len(ends["high"])) < len(parts):
        return Metric(value=combine(ends["value"]), n=n, level=level, note=notes.join(note, notes.ONE_GROUP))
    said = notes.TOGETHER.format(number=len(parts)) if len(parts) > 1 else parts[0].note
    found = {name: combine(values) for name, values in ends.items()}
    return Metric(n=n, level=level, note=notes.join(note, said), **found)
