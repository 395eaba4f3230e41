"""Nearest people by cosine: exact by matrix product, or FAISS where it is asked for."""

from __future__ import annotations

import importlib
from typing import Any, Literal, Protocol

import numpy as np

from vnvision.errors import MissingExtraError

SearchKind = Literal["auto", "exact", "faiss"]
_BLOCK_SCORES = 1 << 23  # float32 scores held at once: 32 MB


class Index(Protocol):
    """Search over a fixed set of embeddings."""

    def top(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best owners of each query.

        Args:
            queries: (Q, D) float32, unit-norm.
            k: how many different owners.

        Returns:
            Cosines (Q, k) float32, best first, each the maximum over the owner's rows, and owners (Q, k)
            int64; -inf and -1 where there are fewer than k owners. Equal scores: the lower owner first.
        """


def open_index(matrix: np.ndarray, owners: np.ndarray, kind: SearchKind = "auto") -> Index:
    """An index over ``matrix``.

    Args:
        matrix: (N, D) float32, unit-norm rows.
        owners: (N,) int64, 0 or more: whose row it is.
        kind: ``faiss`` takes FAISS, which is exact too and keeps a copy of the matrix; ``auto`` and ``exact``
            our own search (compared in ``training/benchmarks/face_search.py``).

    Raises:
        MissingExtraError: FAISS was asked for and is not installed.
    """
    return FaissIndex(matrix, owners) if kind == "faiss" else ExactIndex(matrix, owners)


class ExactIndex:
    """Blocks of a matrix product; nothing is approximated and Q x N scores are never held at once."""

    def __init__(self, matrix: np.ndarray, owners: np.ndarray) -> None:
        if np.any(np.diff(owners) < 0):
            order = np.argsort(owners, kind="stable")
            matrix, owners = matrix[order], owners[order]
        self._matrix = matrix
        self._owners, self._starts = np.unique(owners, return_index=True)
        self._ends = np.append(self._starts[1:], len(matrix))

    def top(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``Index.top``."""
        best = np.full((len(queries), k), -np.inf, np.float32)
        who = np.full((len(queries), k), -1, np.int64)
        rows = max(1, _BLOCK_SCORES // max(1, len(queries)))
        first = 0
        while first < len(self._owners) and len(queries):
            # Whole people only, so that a maximum never straddles two blocks.
            last = int(np.searchsorted(self._ends, self._starts[first] + rows, side="right"))
            last = max(last, first + 1)
            self._block(queries, first, last, best, who)
            first = last
        return best, who

    def _block(self, queries: np.ndarray, first: int, last: int, best: np.ndarray, who: np.ndarray) -> None:
        start, end = int(self._starts[first]), int(self._ends[last - 1])
        scores = queries @ self._matrix[start:end].T
        if end - start > last - first:
            scores = np.maximum.reduceat(scores, self._starts[first:last] - start, axis=1)
        k = best.shape[1]
        # Only rows with something above their k-th best so far need sorting: after the first block, few.
        for row in np.flatnonzero(scores.max(axis=1) > best[:, -1]):
            line = scores[row]
            floor = best[row, -1]
            if len(line) > k:
                floor = max(floor, np.partition(line, len(line) - k)[len(line) - k])
            found = np.flatnonzero(line >= floor)
            values = np.concatenate([best[row], line[found]])
            people = np.concatenate([who[row], self._owners[first + found]])
            keep = np.lexsort((np.where(people < 0, np.iinfo(np.int64).max, people), -values))[:k]
            best[row], who[row] = values[keep], people[keep]


class FaissIndex:
    """FAISS ``IndexFlatIP``: exact too, with a copy of the matrix of its own."""

    def __init__(self, matrix: np.ndarray, owners: np.ndarray) -> None:
        self._index = _faiss().IndexFlatIP(matrix.shape[1])
        self._index.add(np.ascontiguousarray(matrix, dtype=np.float32))
        self._owners = np.asarray(owners, dtype=np.int64)
        self._most = int(np.bincount(self._owners).max()) if len(self._owners) else 1

    def top(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``Index.top``."""
        best = np.full((len(queries), k), -np.inf, np.float32)
        who = np.full((len(queries), k), -1, np.int64)
        if not len(queries) or not len(self._owners):
            return best, who
        # The k-th person shows up after at most k - 1 people have used up all of their rows.
        depth = min(len(self._owners), (k - 1) * self._most + 1)
        scores, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), depth)
        for query in range(len(queries)):
            people, where = np.unique(self._owners[rows[query]], return_index=True)
            values = scores[query][where]  # rows come best first, so the first of a person is the best
            keep = np.lexsort((people, -values))[:k]
            best[query, : len(keep)], who[query, : len(keep)] = values[keep], people[keep]
        return best, who


def _faiss() -> Any:
    try:
        faiss = importlib.import_module("faiss")
    except ImportError as exc:
        raise MissingExtraError("faiss", "gallery") from exc
    return faiss
