"""Average linkage of unit vectors by cosine, exact, without an N x N matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.data.unionfind import DisjointSets
from vnvision.errors import ConfigError, DataError
from vnvision.metrics.pairs import float32_limit

_TIE = 1e-9
_UNIT = 1e-3
_AT_ONCE = 2048
_MOST_PAIRS = 10_000_000  # kept; some 40 bytes each while they are sorted


def average_linkage(
    embeddings: np.ndarray,
    threshold: float,
    apart: Sequence[int] | None = None,
    *,
    block: int = _AT_ONCE,
    most_pairs: int = _MOST_PAIRS,
) -> np.ndarray:
    """Groups of vectors whose mean cosine, over all pairs of two groups, reaches the threshold.

    The same groups as cutting the average-linkage tree (UPGMA; Sokal and Michener 1958) at this cosine. Of
    unit vectors the mean cosine of two groups is the product of their sums over both counts, so a group is
    kept as one vector. Two groups can only join where some pair of theirs reaches the threshold, so only
    groups that share such a pair are compared; the pairs are found block by block. The chain of nearest
    neighbours (Murtagh 1983, "A survey of recent advances in hierarchical clustering algorithms", The
    Computer Journal 26, 354-359) gives the tree's own answer because joining two groups never brings them
    nearer to a third, also where some must not join.

    Memory is that of the vectors, one block and the pairs: 20,000 faces of 3,000 people at a false match rate
    of 1e-3 make about 0.3 million. With more than ``most_pairs`` they are not kept, and every group is
    compared with every other: slower, the same answer.

    Args:
        embeddings: (N, D) unit-norm.
        threshold: cosine, above 0.
        apart: (N,) numbers; two vectors of one number never join. None: all may.
        block: rows and columns compared at once.
        most_pairs: how many to keep.

    Returns:
        (N,) int64, group of each vector, counted from 0 in order of first appearance. Equal input gives equal
        groups.

    Raises:
        ConfigError: a threshold that is no cosine above 0, or a block below 1.
        DataError: vectors that are not unit-norm, or ``apart`` of another length.
    """
    vectors = np.asarray(embeddings, np.float32)
    if not 0 < threshold <= 1 or block < 1:
        raise ConfigError(
            "groups cannot be made", expected="a cosine above 0, block from 1", got=f"{threshold:g}, {block}"
        )
    if vectors.ndim != 2 or (len(vectors) and abs(np.linalg.norm(vectors, axis=1) - 1).max() > _UNIT):
        raise DataError("vectors cannot be grouped", expected="(N, D) of length 1", got=str(vectors.shape))
    if apart is not None and len(apart) != len(vectors):
        raise DataError("apart does not fit", expected=f"{len(vectors)} numbers", got=str(len(apart)))
    groups = DisjointSets(len(vectors))
    photos = list(range(len(vectors))) if apart is None else [int(one) for one in apart]
    near = _near(vectors, threshold, block, most_pairs)
    for one, other in _Chain(vectors, threshold, photos, near).joins():
        groups.union(one, other)
    return np.array(groups.labels(), np.int64)


def _near(vectors: np.ndarray, threshold: float, block: int, most: int) -> list[np.ndarray] | None:
    """Of each vector the others whose cosine reaches the threshold; None where these are too many to keep."""
    limit, n = float32_limit(threshold - _TIE), len(vectors)
    ends: list[np.ndarray] = []
    kept = 0
    for row in range(0, n, block):
        for col in range(row, n, block):
            rows, cols = np.nonzero(vectors[row : row + block] @ vectors[col : col + block].T >= limit)
            pairs = np.stack([rows + row, cols + col]).astype(np.int32)
            pairs = pairs[:, pairs[0] < pairs[1]]
            kept += pairs.shape[1]
            if kept > most:
                return None
            ends.append(pairs)
    both = (
        np.concatenate([*ends, *(pair[::-1] for pair in ends)], axis=1)
        if ends
        else np.empty((2, 0), np.int32)
    )
    order = np.argsort(both[0], kind="stable")
    bounds = np.searchsorted(both[0][order], np.arange(1, n))
    return list(np.split(both[1][order], bounds)) if n else []


@dataclass
class _Chain:
    """Groups on their way: each is named by its lowest vector.

    Attributes:
        vectors: (N, D) unit-norm.
        threshold: cosine.
        photos: (N,) numbers of which a group holds each once.
        near: of each vector those it may join by; None: all.
    """

    vectors: np.ndarray
    threshold: float
    photos: Sequence[int]
    near: list[np.ndarray] | None

    def __post_init__(self) -> None:
        n = len(self.vectors)
        self.sums, self.counts = self.vectors.astype(np.float64), np.ones(n)
        self.alive, self.barred = np.ones(n, bool), np.zeros(n, bool)
        self.group, self.members = np.arange(n, dtype=np.int32), [[i] for i in range(n)]
        self.held = [{photo} for photo in self.photos]
        self.holding: dict[int, set[int]] = {}  # photo -> groups with a face in it
        for i, photo in enumerate(self.photos):
            self.holding.setdefault(photo, set()).add(i)

    def joins(self) -> Iterator[tuple[int, int]]:
        """Groups that join, as they do.

        A group whose nearest is below the threshold is done: later joins bring nobody nearer.
        """
        chain: list[int] = []
        for start in range(len(self.vectors)):
            if self.alive[start]:
                chain.append(start)
            while chain:
                best, cosine, last = self._nearest(chain[-1], chain[-2] if len(chain) > 1 else None)
                if best is None or cosine < self.threshold - _TIE:
                    self.alive[chain.pop()] = False
                elif last is None or last < cosine - _TIE:
                    chain.append(best)
                else:
                    kept, gone = sorted((chain.pop(), chain.pop()))
                    yield kept, gone
                    self._join(kept, gone)
                    if not chain:
                        chain.append(kept)

    def _nearest(self, tip: int, before: int | None) -> tuple[int | None, float, float | None]:
        """The group nearest to another, their cosine, and the cosine to the one before it in the chain."""
        if self.near is None:
            others = np.flatnonzero(self.alive)
        else:
            others = np.unique(self.group[self.near[tip]])
            self.near[tip] = others
        barred = [i for photo in self.held[tip] for i in self.holding[photo]]  # itself too
        self.barred[barred] = True
        others = others[self.alive[others] & ~self.barred[others]]
        self.barred[barred] = False
        if not len(others):
            return None, -1.0, None
        cosines = self.sums[others] @ self.sums[tip] / (self.counts[others] * self.counts[tip])
        at = int(np.argmax(cosines))
        last = None if before is None else float(cosines[np.searchsorted(others, before)])
        return int(others[at]), float(cosines[at]), last

    def _join(self, kept: int, gone: int) -> None:
        self.sums[kept] += self.sums[gone]
        self.counts[kept] += self.counts[gone]
        self.alive[gone] = False
        self.group[self.members[gone]] = kept
        self.members[kept] += self.members[gone]
        if self.near is not None:
            self.near[kept] = np.concatenate([self.near[kept], self.near[gone]])
            self.near[gone] = np.empty(0, np.int32)
        for photo in self.held[gone]:
            self.holding[photo].discard(gone)
            self.holding[photo].add(kept)
        self.held[kept] |= self.held[gone]
