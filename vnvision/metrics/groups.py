"""Which demographic group each subject belongs to: one, or none that is known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from vnvision.errors import DataError


def has_group(groups: Sequence[str | None] | np.ndarray) -> np.ndarray:
    """(N,) bool, the group is known: not None and not empty."""
    return np.array([group is not None and str(group) != "" for group in groups], dtype=bool)


def group_of_subject(
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


def group_of_named(
    names: list[Hashable], group_of: Mapping[Hashable, str | None]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(S,) index of each subject's group, -1 where it is not known, and the groups' names sorted."""
    labels = [group_of.get(name) for name in names]
    present = np.flatnonzero(has_group(labels))
    own = np.full(len(names), -1)
    own[present], order = group_of_subject(
        np.arange(len(present)), [names[i] for i in present], [labels[i] for i in present]
    )
    return own, order
