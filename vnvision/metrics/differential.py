"""Differential performance: error rates of each demographic group at one threshold.

In the words of ISO/IEC 19795-10: FMR and FNMR of each group, FMR across groups, and failure-to-enrol rate,
all at the same threshold, each with its ratio to a stated reference group. One subject belongs to one group.
Intervals are over subjects (see ``verification.rate_interval``), also where no error was seen.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.verification import (
    SubjectCounts,
    code_subjects,
    design_effect,
    float32_limit,
    iter_pairs_blocks,
    rate_interval,
    rule_of_three,
)
from vnvision.records import Metric
from vnvision.spec import Record

FEW_SUBJECTS_LIMIT = 30
_MOST_WAITING = 1 << 22

NO_REFERENCE_ERRORS = "no error in the reference group: no ratio"
FEW_SUBJECTS = "{group}: {subjects} subjects, fewer than {limit}"
FEW_COMPARISONS = "{group}: {n} impostor comparisons, fewer than the {needed} that an FMR of {target} needs"
NO_FALSE_MATCH = "{group}: no false match seen, which shows an FMR below {high} and not one of zero"
NO_FALSE_NON_MATCH = "{group}: no false non-match seen, which shows an FNMR below {high} and not one of zero"
NOBODY_ENROLLED = "{group}: no comparison at all, failure to enrol {rate} of {n} attempts"
LEFT_OUT = "{images} images without a known group left out"


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
class GroupCounts:
    """Errors and comparisons at one threshold, by group. What ``differential_report`` reads.

    Attributes:
        threshold: a comparison matches at or above it.
        groups: names in order.
        n_subjects: of each group.
        n_images: of each group.
        genuine: group -> non-matches among its genuine comparisons.
        impostor: (group, group), in the order of ``groups``, -> matches among its impostor comparisons.
        left_out: images without a known group.
    """

    threshold: float
    groups: tuple[str, ...]
    n_subjects: dict[str, int]
    n_images: dict[str, int]
    genuine: dict[str, SubjectCounts]
    impostor: dict[tuple[str, str], SubjectCounts]
    left_out: int = 0


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


# --- counting -------------------------------------------------------------------------------------------


def _group_of_subject(
    codes: np.ndarray, names: list[Hashable], groups: Sequence[str | None] | np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(S,) index of each subject's group, and the groups' names sorted.

    Raises:
        DataError: a subject is in two groups, or there is no group.
    """
    labels = [str(group) for group in groups]
    order = tuple(sorted(set(labels)))
    if not order:
        raise DataError("no image with a known group", expected="a group for each image", got="none")
    index = {name: i for i, name in enumerate(order)}
    which = np.array([index[label] for label in labels], dtype=np.int64)
    own = np.zeros(len(names), np.int64)
    own[codes] = which
    wrong = np.flatnonzero(own[codes] != which)
    if len(wrong):
        at = int(wrong[0])
        both = sorted([order[int(which[at])], order[int(own[codes[at]])]])
        raise DataError(
            f"subject {names[int(codes[at])]!r} is in two groups", expected="one", got=" and ".join(both)
        )
    return own, order


def _known(groups: Sequence[str | None] | np.ndarray) -> np.ndarray:
    """(N,) bool, the group is known: not None and not empty."""
    return np.array([group is not None and str(group) != "" for group in groups], dtype=bool)


def count_all_pairs(
    embeddings: np.ndarray,
    subjects: Sequence[Hashable] | np.ndarray,
    groups: Sequence[str | None] | np.ndarray,
    threshold: float,
    *,
    block: int = 2048,
) -> GroupCounts:
    """Errors of every unordered pair of images, streamed: memory grows with the errors, not with N x N.

    Args:
        embeddings: (N, D) unit-norm.
        subjects: (N,).
        groups: (N,) demographic group; None or empty is unknown, and left out.
        threshold: cosine at and above which a comparison matches.
        block: as in ``iter_pairs_blocks``.

    Raises:
        DataError: shapes disagree, a subject is in two groups, or no group is known.
    """
    if not len(embeddings) == len(subjects) == len(groups):
        got = f"{len(subjects)} subjects, {len(groups)} groups"
        raise DataError("columns do not fit the embeddings", expected=str(len(embeddings)), got=got)
    known = _known(groups)
    kept = np.flatnonzero(known).tolist()
    codes, names = code_subjects([subjects[i] for i in kept])
    own, order = _group_of_subject(codes, names, [groups[i] for i in kept])
    images = np.bincount(codes, minlength=len(names)).astype(float)
    missed = np.zeros(len(names))
    matches = _Matches(len(names))
    for part in iter_pairs_blocks(embeddings[kept], codes, block):
        rows, _ = np.nonzero(part.same & (part.scores < float32_limit(threshold)))
        missed += np.bincount(codes[rows + part.row0], minlength=len(names))
        rows, cols = part.false_matches(threshold)
        matches.add(codes[rows], codes[cols])
    first, second, errors = matches.sums()
    genuine, impostor = {}, {}
    everyone = np.arange(len(names))
    for g, name in enumerate(order):
        mine = everyone[own == g]
        pairs = images[mine] * (images[mine] - 1) / 2
        genuine[name] = SubjectCounts.from_sums(mine, mine, missed[mine], pairs, len(names))
    for g, h in combinations_with_replacement(range(len(order)), 2):
        ends = np.sort(np.stack([own[first], own[second]]), axis=0)
        there = (ends[0] == g) & (ends[1] == h)
        left, right = images * (own == g), images * (own == h)
        impostor[order[g], order[h]] = SubjectCounts.from_product(
            left, right, first[there], second[there], errors[there]
        )
    return GroupCounts(
        threshold,
        order,
        {name: int((own == g).sum()) for g, name in enumerate(order)},
        {name: int(images[own == g].sum()) for g, name in enumerate(order)},
        genuine,
        impostor,
        int((~known).sum()),
    )


class _Matches:
    """False matches summed by pair of subjects as they come."""

    def __init__(self, n_subjects: int) -> None:
        self._size = n_subjects
        self._keys = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.int64)
        self._waiting: list[np.ndarray] = []
        self._n_waiting = 0

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        self._waiting.append(np.minimum(first, second) * self._size + np.maximum(first, second))
        self._n_waiting += len(first)
        if self._n_waiting > _MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        keys = np.concatenate([self._keys, *self._waiting])
        counts = np.concatenate([self._counts, np.ones(self._n_waiting, np.int64)])
        self._keys, inverse = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(inverse, counts, len(self._keys)).astype(np.int64)
        self._waiting, self._n_waiting = [], 0

    def sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._settle()
        size = max(self._size, 1)
        return self._keys // size, self._keys % size, self._counts.astype(float)


def count_pairs(
    scores: np.ndarray,
    first: Sequence[Hashable] | np.ndarray,
    second: Sequence[Hashable] | np.ndarray,
    group_of: Mapping[Hashable, str | None],
    threshold: float,
) -> GroupCounts:
    """Errors of a list of comparisons, as in LFW's ``pairs.txt``.

    Images are not known here, so ``n_images`` counts sides of comparisons.

    Args:
        scores: (N,) cosines.
        first: (N,) subject on one side.
        second: (N,) subject on the other.
        group_of: subject -> group; comparisons of a subject without one are left out.
        threshold: cosine at and above which a comparison matches.

    Raises:
        DataError: lengths disagree, a score is not finite, or no group is known.
    """
    if not len(scores) == len(first) == len(second):
        raise DataError("pairs do not fit", expected=str(len(scores)), got=f"{len(first)}, {len(second)}")
    values = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError("a score is not finite", expected="cosines", got="NaN or infinity")
    codes, names = code_subjects([*first, *second])
    labels = [group_of.get(name) for name in names]
    known = _known(labels)
    a, b = codes[: len(values)], codes[len(values) :]
    kept = known[a] & known[b]
    present = np.flatnonzero(known)
    own = np.full(len(names), -1)
    own[present], order = _group_of_subject(
        np.arange(len(present)), [names[i] for i in present], [labels[i] for i in present]
    )
    a, b, match = a[kept], b[kept], values[kept] >= threshold
    low, high = np.minimum(own[a], own[b]), np.maximum(own[a], own[b])
    same = a == b
    size = len(names)
    genuine = {
        name: SubjectCounts.from_comparisons(a[rows], b[rows], ~match[rows], size)
        for g, name in enumerate(order)
        for rows in [np.flatnonzero(same & (low == g))]
    }
    impostor = {
        (order[g], order[h]): SubjectCounts.from_comparisons(a[rows], b[rows], match[rows], size)
        for g, h in combinations_with_replacement(range(len(order)), 2)
        for rows in [np.flatnonzero(~same & (low == g) & (high == h))]
    }
    sides = np.bincount(np.concatenate([own[a], own[b]]), minlength=len(order))
    seen = np.unique(np.concatenate([a, b]))
    people = np.bincount(own[seen], minlength=len(order))
    return GroupCounts(
        threshold,
        order,
        dict(zip(order, people.tolist(), strict=True)),
        dict(zip(order, sides.tolist(), strict=True)),
        genuine,
        impostor,
        2 * int((~kept).sum()),
    )


# --- rates ----------------------------------------------------------------------------------------------


def ratio(rate: Metric, reference: Metric) -> Metric:
    """``rate / reference`` with an interval recovered from their two intervals.

    Donner and Zou 2012, "Closed-form confidence intervals for functions of the normal mean and standard
    deviation", Stat. Methods Med. Res. 21(4), 347-359 (the ratio form), for two independent rates. It keeps
    the skewness of both and holds where ``rate`` is 0. Rates of two groups share no subject; a cross-group
    rate shares some with the reference group, and the interval is then somewhat too wide.
    """
    n, level = rate.n, rate.level
    if rate.value is None or reference.value is None:
        return Metric(value=None, n=n, level=level, note=rate.note if rate.value is None else reference.note)
    if reference.value == 0:
        return Metric(value=None, n=n, level=level, note=NO_REFERENCE_ERRORS)
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
    kept = np.flatnonzero(_known(attempts.groups)).tolist()
    codes, names = code_subjects([attempts.subjects[i] for i in kept])
    own, order = _group_of_subject(codes, names, [attempts.groups[i] for i in kept])
    failed = np.asarray(attempts.failed, bool)[kept]
    inside = [own[codes] == g for g in range(len(order))]
    counts = [
        SubjectCounts.from_comparisons(codes[rows], codes[rows], failed[rows], len(names)) for rows in inside
    ]
    pooled = design_effect(counts)
    return {
        name: rate_interval(one, level=level, pooled=pooled) for name, one in zip(order, counts, strict=True)
    }


def differential_report(
    counts: GroupCounts,
    *,
    reference: str | None = None,
    enrolment: Enrolment | None = None,
    target_fmr: float | None = None,
    level: float = 0.95,
) -> DifferentialReport:
    """Every group's and every two groups' rates at the threshold of ``counts``.

    In 1,000 synthetic studies of three groups (60 subjects of three images each, true FMR 2e-3 to 5e-3 and
    FNMR 0.04 to 0.2, both with subject effects) each of the sixteen 95 % intervals, ratios included, held the
    truth in 94 to 97 %. At a higher threshold, with about one false match to be expected in a cell, those of
    the FMR held it in 99 to 100 %.

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
    chosen = reference
    if chosen is None:
        chosen = max(counts.groups, key=lambda name: (counts.n_subjects[name], counts.n_images[name]))
    if chosen not in counts.groups:
        raise DataError("no such reference group", expected=", ".join(counts.groups), got=chosen)
    pooled = design_effect(list(counts.impostor.values()))
    fmr = {cell: rate_interval(one, level=level, pooled=pooled) for cell, one in counts.impostor.items()}
    pooled = design_effect(list(counts.genuine.values()))
    fnmr = {name: rate_interval(one, level=level, pooled=pooled) for name, one in counts.genuine.items()}
    enrolled = failure_to_enrol(enrolment, level=level) if enrolment is not None else {}
    rows = []
    for name in counts.groups:
        same, other = fmr[name, name], name != chosen
        rows.append(
            GroupRates(
                group=name,
                n_subjects=counts.n_subjects[name],
                n_images=counts.n_images[name],
                fmr=same,
                fnmr=fnmr[name],
                fmr_ratio=ratio(same, fmr[chosen, chosen]) if other else None,
                fnmr_ratio=ratio(fnmr[name], fnmr[chosen]) if other else None,
                failure_to_enrol=enrolled.get(name),
                warnings=_cautions(name, counts.n_subjects[name], same, fnmr[name], target_fmr),
            )
        )
    cross = tuple(
        CrossGroupRate(first=a, second=b, fmr=one, fmr_ratio=ratio(one, fmr[chosen, chosen]))
        for (a, b), one in fmr.items()
        if a != b
    )
    said = [LEFT_OUT.format(images=counts.left_out)] if counts.left_out else []
    said += [
        NOBODY_ENROLLED.format(group=name, rate=f"{one.value:.3g}", n=one.n)
        for name, one in enrolled.items()
        if name not in counts.groups and one.value is not None
    ]
    return DifferentialReport(
        threshold=counts.threshold, reference=chosen, groups=tuple(rows), cross=cross, warnings=tuple(said)
    )


def _cautions(
    group: str, subjects: int, fmr: Metric, fnmr: Metric, target_fmr: float | None
) -> tuple[str, ...]:
    """What a reader must know of a small group."""
    out = []
    if subjects < FEW_SUBJECTS_LIMIT:
        out.append(FEW_SUBJECTS.format(group=group, subjects=subjects, limit=FEW_SUBJECTS_LIMIT))
    if target_fmr is not None and fmr.n < rule_of_three(target_fmr):
        needed = rule_of_three(target_fmr)
        out.append(FEW_COMPARISONS.format(group=group, n=fmr.n, needed=needed, target=f"{target_fmr:g}"))
    for rate, text in ((fmr, NO_FALSE_MATCH), (fnmr, NO_FALSE_NON_MATCH)):
        if rate.value == 0 and rate.high is not None:
            out.append(text.format(group=group, high=f"{rate.high:.2g}"))
    return tuple(out)
