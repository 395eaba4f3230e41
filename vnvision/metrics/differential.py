"""Differential performance: error rates of each demographic group at one threshold.

After ISO/IEC 19795-10: FMR and FNMR of each group, FMR across groups, and failure-to-enrol rate, all at the
same threshold, each with its ratio to a stated reference group. Intervals are over subjects (see
``intervals.rate_interval``), also where no error was seen.

In 1,000 synthetic studies of three groups (60 subjects of three images each, true FMR 2e-3 to 5e-3 and FNMR
0.04 to 0.2, both with subject effects) each of the sixteen 95 % intervals of a report, ratios included, held
the truth in 94 to 97 %. At a higher threshold, with about one false match to be expected in a cell, those of
the FMR held it in 99 to 100 %.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics import notes
from vnvision.metrics.group_counts import GroupCounts
from vnvision.metrics.groups import group_of_subject, has_group
from vnvision.metrics.intervals import design_effect, rate_interval
from vnvision.metrics.pairs import code_subjects
from vnvision.metrics.subjects import SubjectCounts
from vnvision.metrics.thresholds import rule_of_three
from vnvision.records import Metric
from vnvision.spec import Record

FEW_SUBJECTS_LIMIT = 30
Cell = TypeVar("Cell", str, tuple[str, str])


class GroupRates(Record):
    """One demographic group at the report's threshold.

    Ratios are to the reference group; None for that group itself.
    """

    group: str
    n_subjects: int
    n_images: int
    fmr: Metric
    fnmr: Metric
    fmr_ratio: Metric | None = None
    fnmr_ratio: Metric | None = None
    failure_to_enrol: Metric | None = None
    warnings: tuple[str, ...] = ()


class CrossGroupRate(Record):
    """FMR of comparisons between two groups, and its ratio to the FMR within the reference group."""

    first: str
    second: str
    fmr: Metric
    fmr_ratio: Metric


class DifferentialReport(Record):
    """Error rates by demographic group at one threshold."""

    threshold: float
    reference: str
    groups: tuple[GroupRates, ...]
    cross: tuple[CrossGroupRate, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """Attempts to make a reference of an image, failed or not.

    Attributes:
        subjects: (A,) whose.
        groups: (A,) of which demographic group.
        failed: (A,) bool, no template came of it (no face found, quality refused).
    """

    subjects: Sequence[Hashable] | np.ndarray
    groups: Sequence[str | None] | np.ndarray
    failed: np.ndarray


def ratio(rate: Metric, reference: Metric) -> Metric:
    """``rate / reference`` with an interval recovered from their two intervals.

    The method of variance estimates recovery for a ratio (MOVER-R; after Donner and Zou 2012, "Closed-form
    confidence intervals for functions of the normal mean and standard deviation", Stat. Methods Med. Res.),
    for two independent rates. It keeps the skewness of both and holds where ``rate`` is 0. Rates of two
    groups share no subject; a cross-group rate shares some with the reference group, and the interval is then
    somewhat too wide.
    """
    n, level = rate.n, rate.level
    if rate.value is None or reference.value is None:
        return Metric(value=None, n=n, level=level, note=rate.note if rate.value is None else reference.note)
    if reference.value == 0:
        return Metric(value=None, n=n, level=level, note=notes.NO_REFERENCE_ERRORS)
    value = rate.value / reference.value
    if rate.low is None or rate.high is None or reference.low is None or reference.high is None:
        return Metric(value=value, n=n, level=level, note=rate.note or reference.note)
    product = rate.value * reference.value
    below = rate.low * (2 * rate.value - rate.low)
    above = rate.high * (2 * rate.value - rate.high)
    most = reference.high * (2 * reference.value - reference.high)
    least = reference.low * (2 * reference.value - reference.low)
    low = below / (product + np.sqrt(max(product**2 - below * most, 0))) if below > 0 else 0.0
    high = (product + np.sqrt(max(product**2 - above * least, 0))) / least
    return Metric(value=value, low=float(low), high=float(high), n=n, level=level, note=rate.note)


def failure_to_enrol(attempts: Enrolment, *, level: float = 0.95) -> dict[str, Metric]:
    """Failure-to-enrol rate of each group: failed attempts among all, with its interval over subjects.

    Attempts without a known group are left out.

    Raises:
        DataError: lengths disagree, or no group is known.
    """
    if not len(attempts.subjects) == len(attempts.groups) == len(attempts.failed):
        got = f"{len(attempts.groups)}, {len(attempts.failed)}"
        raise DataError("enrolment columns do not fit", expected=str(len(attempts.subjects)), got=got)
    kept = np.flatnonzero(has_group(attempts.groups)).tolist()
    codes, names = code_subjects([attempts.subjects[i] for i in kept])
    own, order = group_of_subject(codes, names, [attempts.groups[i] for i in kept])
    failed = np.asarray(attempts.failed, bool)[kept]
    inside = [own[codes] == g for g in range(len(order))]
    counts = {
        name: SubjectCounts.from_comparisons(codes[rows], codes[rows], failed[rows], len(names))
        for name, rows in zip(order, inside, strict=True)
    }
    return _intervals(counts, level)


def differential_report(
    counts: GroupCounts,
    *,
    reference: str | None = None,
    enrolment: Enrolment | None = None,
    target_fmr: float | None = None,
    level: float = 0.95,
) -> DifferentialReport:
    """Every group's and every two groups' rates at the threshold of ``counts``.

    Args:
        counts: from ``count_all_pairs`` or ``count_pairs``.
        reference: the group others are held against; the one with most subjects by default.
        enrolment: attempts, for failure-to-enrol rates; a group of which nobody enrolled gets a warning.
        target_fmr: the FMR the threshold is meant for; groups with too few comparisons to support it
            (rule of 3) get a warning.
        level: coverage of the intervals.

    Raises:
        DataError: the reference group does not exist.
    """
    chosen = _reference(counts, reference)
    fmr, fnmr = _intervals(counts.impostor, level), _intervals(counts.genuine, level)
    enrolled = failure_to_enrol(enrolment, level=level) if enrolment is not None else {}
    rows = _rows(counts, fmr, fnmr, enrolled, target_fmr)
    return DifferentialReport(
        threshold=counts.threshold,
        reference=chosen,
        groups=tuple(_compared(row, rows[chosen]) for row in rows.values()),
        cross=_across(fmr, chosen),
        warnings=_left_out(counts, enrolled),
    )


def _reference(counts: GroupCounts, wanted: str | None) -> str:
    """The group asked for, or the one with most subjects."""
    if wanted is None:
        return max(counts.groups, key=lambda name: (counts.n_subjects[name], counts.n_images[name]))
    if wanted not in counts.groups:
        raise DataError("no such reference group", expected=", ".join(counts.groups), got=wanted)
    return wanted


def _intervals(cells: Mapping[Cell, SubjectCounts], level: float) -> dict[Cell, Metric]:
    """The rate of each cell with its interval; a cell without errors borrows the others' design effect."""
    pooled = design_effect(list(cells.values()))
    return {cell: rate_interval(one, level=level, pooled=pooled) for cell, one in cells.items()}


def _rows(
    counts: GroupCounts,
    fmr: Mapping[tuple[str, str], Metric],
    fnmr: Mapping[str, Metric],
    enrolled: Mapping[str, Metric],
    target_fmr: float | None,
) -> dict[str, GroupRates]:
    """Each group's rates, not yet compared."""
    return {
        name: GroupRates(
            group=name,
            n_subjects=counts.n_subjects[name],
            n_images=counts.n_images[name],
            fmr=fmr[name, name],
            fnmr=fnmr[name],
            failure_to_enrol=enrolled.get(name),
            warnings=_cautions(name, counts.n_subjects[name], fmr[name, name], fnmr[name], target_fmr),
        )
        for name in counts.groups
    }


def _compared(row: GroupRates, reference: GroupRates) -> GroupRates:
    """With the ratios to the reference group; that group itself has none."""
    if row is reference:
        return row
    ratios = {"fmr_ratio": ratio(row.fmr, reference.fmr), "fnmr_ratio": ratio(row.fnmr, reference.fnmr)}
    return row.model_copy(update=ratios)


def _across(fmr: Mapping[tuple[str, str], Metric], reference: str) -> tuple[CrossGroupRate, ...]:
    """The FMR of every two groups, with its ratio to that within the reference group."""
    base = fmr[reference, reference]
    return tuple(
        CrossGroupRate(first=a, second=b, fmr=one, fmr_ratio=ratio(one, base))
        for (a, b), one in fmr.items()
        if a != b
    )


def _left_out(counts: GroupCounts, enrolled: Mapping[str, Metric]) -> tuple[str, ...]:
    """What the report says nothing about: images without a group, and groups nobody of which enrolled."""
    said = [notes.NO_KNOWN_GROUP.format(images=counts.left_out)] if counts.left_out else []
    said += [
        notes.NOBODY_ENROLLED.format(group=name, rate=f"{one.value:.3g}", n=one.n)
        for name, one in enrolled.items()
        if name not in counts.groups and one.value is not None
    ]
    return tuple(said)


def _cautions(
    group: str, subjects: int, fmr: Metric, fnmr: Metric, target_fmr: float | None
) -> tuple[str, ...]:
    """What a reader must know of a small group."""
    out = []
    if subjects < FEW_SUBJECTS_LIMIT:
        out.append(notes.FEW_SUBJECTS.format(group=group, subjects=subjects, limit=FEW_SUBJECTS_LIMIT))
    if target_fmr is not None and fmr.n < (needed := rule_of_three(target_fmr)):
        target = f"{target_fmr:g}"
        out.append(notes.FEW_COMPARISONS.format(group=group, n=fmr.n, needed=needed, target=target))
    for rate, text in ((fmr, notes.NO_FALSE_MATCH), (fnmr, notes.NO_FALSE_NON_MATCH)):
        if rate.value == 0 and rate.high is not None:
            out.append(text.format(group=group, high=f"{rate.high:.2g}"))
    return tuple(out)
