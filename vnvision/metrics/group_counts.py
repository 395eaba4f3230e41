"""Errors at one threshold, counted by demographic group."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.groups import group_of_named, group_of_subject, has_group
from vnvision.metrics.pairs import PairBlock, code_subjects, float32_limit, iter_pairs_blocks
from vnvision.metrics.subjects import SubjectCounts

_MOST_WAITING = 1 << 22


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
    known = has_group(groups)
    kept = np.flatnonzero(known).tolist()
    codes, names = code_subjects([subjects[i] for i in kept])
    own, order = group_of_subject(codes, names, [groups[i] for i in kept])
    images = np.bincount(codes, minlength=len(names)).astype(float)
    missed, matches = _errors_of_blocks(iter_pairs_blocks(embeddings[kept], codes, block), codes, threshold)
    return GroupCounts(
        threshold,
        order,
        n_subjects={name: int((own == g).sum()) for g, name in enumerate(order)},
        n_images={name: int(images[own == g].sum()) for g, name in enumerate(order)},
        genuine=_genuine_of_images(images, missed, own, order),
        impostor=_impostor_of_images(images, matches, own, order),
        left_out=int((~known).sum()),
    )


def _errors_of_blocks(
    blocks: Iterable[PairBlock], codes: np.ndarray, threshold: float
) -> tuple[np.ndarray, _Matches]:
    """(S,) false non-matches of each subject, and the false matches, from images with subjects ``codes``."""
    size = int(codes.max()) + 1
    missed, matches = np.zeros(size), _Matches(size)
    for part in blocks:
        rows, _ = np.nonzero(part.same & (part.scores < float32_limit(threshold)))
        missed += np.bincount(codes[rows + part.row0], minlength=size)
        rows, cols = part.false_matches(threshold)
        matches.add(codes[rows], codes[cols])
    return missed, matches


def _genuine_of_images(
    images: np.ndarray, missed: np.ndarray, own: np.ndarray, order: tuple[str, ...]
) -> dict[str, SubjectCounts]:
    """Genuine comparisons of each group, from images and false non-matches (S,) of each subject."""
    found = {}
    for g, name in enumerate(order):
        mine = np.flatnonzero(own == g)
        pairs = images[mine] * (images[mine] - 1) / 2
        found[name] = SubjectCounts.from_sums(mine, mine, missed[mine], pairs, len(own))
    return found


def _impostor_of_images(
    images: np.ndarray, matches: _Matches, own: np.ndarray, order: tuple[str, ...]
) -> dict[tuple[str, str], SubjectCounts]:
    """Impostor comparisons within and across groups, from images (S,) of each subject and false matches."""
    first, second, errors = matches.sums()
    low, high = np.minimum(own[first], own[second]), np.maximum(own[first], own[second])
    found = {}
    for g, h in combinations_with_replacement(range(len(order)), 2):
        there = (low == g) & (high == h)
        left, right = images * (own == g), images * (own == h)
        found[order[g], order[h]] = SubjectCounts.from_product(
            left, right, first[there], second[there], errors[there]
        )
    return found


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
    """Errors of a list of comparisons, as in LFW's ``pairs.txt``; ``n_images`` counts sides of comparisons.

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
    own, order = group_of_named(names, group_of)
    ends = codes.reshape(2, len(values))
    kept = (own[ends] >= 0).all(axis=0)
    ends, match = ends[:, kept], values[kept] >= threshold
    return GroupCounts(
        threshold,
        order,
        n_subjects=_by_group(own[np.unique(ends)], order),
        n_images=_by_group(own[ends].ravel(), order),
        genuine=_genuine_of_pairs(ends, ~match, own, order),
        impostor=_impostor_of_pairs(ends, match, own, order),
        left_out=2 * int((~kept).sum()),
    )


def _by_group(which: np.ndarray, order: tuple[str, ...]) -> dict[str, int]:
    """How often each group's index occurs."""
    return dict(zip(order, np.bincount(which, minlength=len(order)).tolist(), strict=True))


def _genuine_of_pairs(
    ends: np.ndarray, error: np.ndarray, own: np.ndarray, order: tuple[str, ...]
) -> dict[str, SubjectCounts]:
    """Genuine comparisons of each group, from a list: subjects (2, N) and whether each is an error (N,)."""
    first, second = ends
    found = {}
    for g, name in enumerate(order):
        rows = np.flatnonzero((first == second) & (own[first] == g))
        found[name] = SubjectCounts.from_comparisons(first[rows], second[rows], error[rows], len(own))
    return found


def _impostor_of_pairs(
    ends: np.ndarray, error: np.ndarray, own: np.ndarray, order: tuple[str, ...]
) -> dict[tuple[str, str], SubjectCounts]:
    """Impostor comparisons within and across groups, from a list as in ``_genuine_of_pairs``."""
    first, second = ends
    low, high = np.sort(own[ends], axis=0)
    found = {}
    for g, h in combinations_with_replacement(range(len(order)), 2):
        rows = np.flatnonzero((first != second) & (low == g) & (high == h))
        found[order[g], order[h]] = SubjectCounts.from_comparisons(
            first[rows], second[rows], error[rows], len(own)
        )
    return found
