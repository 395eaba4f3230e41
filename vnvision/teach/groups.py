"""Which photographs belong together: copies, bursts, one plant, one patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.data.neardup import cluster
from vnvision.data.unionfind import DisjointSets
from vnvision.teach import faults
from vnvision.teach.look import Seen


def grouped(
    seen: Seen, names: Sequence[str], files: Sequence[int]
) -> tuple[np.ndarray, tuple[int, ...], list[tuple[str, str]]]:
    """Groups that are never divided, and how many photographs of each class differ.

    Args:
        seen: the photographs.
        names: of the classes.
        files: how many files each class has.

    Returns:
        (N,) group numbers; by class, how many photographs differ; and, of every group of near-duplicates that
        lies in several classes without being the same file, two photographs: those stay together, and the
        user is told.

    Raises:
        SamePhotoError: the same file lies in two classes.
        TooFewPhotosError: too few photographs differ, or too few plants or patients.
    """
    _check_bytes(seen, names)
    alike = cluster(seen.prints, seen.digests)
    targets = np.array([photo.target for photo in seen.photos], np.int64)
    distinct = tuple(len({alike[i] for i in np.flatnonzero(targets == c)}) for c in range(len(names)))
    short = [
        (name, count, total)
        for name, count, total in zip(names, distinct, files, strict=True)
        if count < faults.FEWEST_PHOTOS
    ]
    if short:
        raise faults.few_photos(short)
    groups = _joined(alike, [photo.group for photo in seen.photos])
    for c, name in enumerate(names):
        if (count := len(np.unique(groups[targets == c]))) < faults.FEWEST_GROUPS:
            raise faults.few_groups(name, count)
    return groups, distinct, _across(seen, alike)


def _across(seen: Seen, alike: Sequence[int]) -> list[tuple[str, str]]:
    first: dict[int, int] = {}
    pairs: dict[int, tuple[str, str]] = {}
    for i, one in enumerate(alike):
        here, there = seen.photos[i], seen.photos[first.setdefault(one, i)]
        if here.target != there.target:
            pairs.setdefault(one, (there.shown, here.shown))
    return list(pairs.values())


def _check_bytes(seen: Seen, names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for i, digest in enumerate(seen.digests):
        j = first.setdefault(digest, i)
        one, other = seen.photos[j], seen.photos[i]
        if one.target != other.target:
            raise faults.same_photo(one.shown, names[one.target], other.shown, names[other.target])


def _joined(alike: Sequence[int], known: Sequence[str | None]) -> np.ndarray:
    """Near-duplicates and photographs of one known group, joined."""
    sets = DisjointSets(len(alike))
    first: dict[object, int] = {}
    for i, (one, group) in enumerate(zip(alike, known, strict=True)):
        sets.union(first.setdefault(one, i), i)
        if group is not None:
            sets.union(first.setdefault(group, i), i)
    return np.array(sets.labels(), np.int64)
