"""Error counts of several sets of comparisons as one. Numbers of persons are the same in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np

from vnvision.metrics.group_counts import GroupCounts
from vnvision.metrics.subjects import SubjectCounts


def together(counts: Sequence[SubjectCounts]) -> SubjectCounts:
    """Sets without a common comparison as one set.

    Exact where no two persons meet in more than one set. Where they do, their comparisons count as two
    pairs of persons, which makes the variance larger, not smaller.
    """
    return SubjectCounts(
        first=np.concatenate([one.first for one in counts]),
        second=np.concatenate([one.second for one in counts]),
        errors=np.concatenate([one.errors for one in counts]),
        comparisons=np.concatenate([one.comparisons for one in counts]),
        margin=np.sum([one.margin for one in counts], axis=0),
        total=float(sum(one.total for one in counts)),
        squares=float(sum(one.squares for one in counts)),
    )


def renumbered(counts: SubjectCounts, codes: np.ndarray, n_subjects: int) -> SubjectCounts:
    """The same counts under other person codes.

    Args:
        counts: persons 0..S-1.
        codes: (S,) the new code of each.
        n_subjects: new codes are below this.
    """
    margin = np.zeros(n_subjects)
    margin[codes] = counts.margin
    return replace(
        counts, first=codes[counts.first], second=codes[counts.second], margin=margin, product=None
    )


def nothing(n_subjects: int) -> SubjectCounts:
    """No comparison at all."""
    none = np.zeros(0, np.int64)
    return SubjectCounts.from_comparisons(none, none, none, n_subjects)


def merge_groups(
    parts: Sequence[GroupCounts], n_subjects: int, sizes: dict[str, tuple[int, int]]
) -> GroupCounts:
    """Counts of several parts of the data as one.

    Args:
        parts: with person codes of the whole data (``renumbered``).
        n_subjects: persons in all.
        sizes: persons and images of each group in all.
    """
    order = tuple(sorted(sizes))
    empty = nothing(n_subjects)
    genuine = {
        name: together([empty, *(p.genuine[name] for p in parts if name in p.genuine)]) for name in order
    }
    impostor = {
        cell: together([empty, *(p.impostor[cell] for p in parts if cell in p.impostor)])
        for cell in combinations_with_replacement(order, 2)
    }
    return GroupCounts(
        parts[0].threshold,
        order,
        {name: size[0] for name, size in sizes.items()},
        {name: size[1] for name, size in sizes.items()},
        genuine,
        impostor,
        sum(part.left_out for part in parts),
    )
