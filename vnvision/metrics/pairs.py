"""Every pair of images compared once, block by block, so that no N x N matrix is held.

A score is a cosine, higher means more alike. A genuine pair shows one person, an impostor pair two.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vnvision.errors import ConfigError, DataError


def code_subjects(subjects: Sequence[Hashable] | np.ndarray) -> tuple[np.ndarray, list[Hashable]]:
    """(N,) int64 codes in order of first appearance, and the distinct subjects."""
    index: dict[Hashable, int] = {}
    keys = subjects.tolist() if isinstance(subjects, np.ndarray) else subjects
    codes = np.array([index.setdefault(key, len(index)) for key in keys], dtype=np.int64)
    return codes, list(index)


def float32_limit(threshold: float) -> np.float32:
    """The smallest float32 not below ``threshold``: float32 scores reach both or neither.

    NumPy would round the threshold to the nearest float32 instead, which may let the next score in.
    """
    near = np.float32(threshold)
    return near if float(near) >= threshold else np.nextafter(near, np.float32(np.inf))


@dataclass(frozen=True, eq=False)
class PairBlock:
    """The comparisons of rows ``row0 ..`` with columns ``col0 ..``, each unordered pair of images once.

    Attributes:
        scores: (R, C) float32 cosines.
        row0: image index of the first row.
        col0: image index of the first column; equal to ``row0`` for a block on the diagonal.
        same: (R, C) bool, both images show one person (upper triangle only on the diagonal).
    """

    scores: np.ndarray
    row0: int
    col0: int
    same: np.ndarray

    @cached_property
    def valid(self) -> np.ndarray | None:
        """(R, C) bool, the pairs that count: above the diagonal. None off the diagonal: all count."""
        return np.triu(np.ones(self.scores.shape, bool), 1) if self.row0 == self.col0 else None

    @cached_property
    def different(self) -> np.ndarray:
        """(R, C) bool, the impostor pairs."""
        return ~self.same if self.valid is None else self.valid & ~self.same

    @property
    def genuine(self) -> np.ndarray:
        """Genuine scores, 1-D, in row order."""
        return self.scores[self.same]

    @property
    def impostor(self) -> np.ndarray:
        """Impostor scores, 1-D, in row order."""
        return self.scores[self.different]

    @property
    def genuine_at(self) -> tuple[np.ndarray, np.ndarray]:
        """Image indices (rows, columns) of ``genuine``."""
        return self._at(self.same)

    @property
    def impostor_at(self) -> tuple[np.ndarray, np.ndarray]:
        """Image indices (rows, columns) of ``impostor``."""
        return self._at(self.different)

    def false_matches(self, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Image indices of the impostor pairs that match. Few, so cheaper than ``impostor_at``."""
        return self._at((self.scores >= float32_limit(threshold)) & self.different)

    def _at(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, cols = np.nonzero(mask)
        return rows + self.row0, cols + self.col0


def iter_pairs_blocks(
    embeddings: np.ndarray, identities: Sequence[Hashable] | np.ndarray, block: int = 2048
) -> Iterator[PairBlock]:
    """Every unordered pair of images once, in blocks of at most ``block`` x ``block`` scores.

    Memory is that of the embeddings and one block; an image is never compared with itself.

    Args:
        embeddings: (N, D) unit-norm.
        identities: (N,) who each image shows.
        block: rows and columns of a block.

    Raises:
        DataError: shapes disagree, or an embedding is not unit-norm within 1e-3.
        ConfigError: ``block`` is below 1.
    """
    if block < 1:
        raise ConfigError("block is too small", expected="1 or more", got=str(block))
    if embeddings.ndim != 2 or len(embeddings) != len(identities):
        raise DataError(
            "embeddings do not fit the identities",
            expected=f"({len(identities)}, D)",
            got=str(embeddings.shape),
        )
    rows32 = np.asarray(embeddings, dtype=np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", rows32, rows32))
    wrong = ~(np.abs(norms - 1) <= 1e-3)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise DataError(f"embedding {at} is not unit-norm", expected="norm 1", got=f"{norms[at]:.4g}")
    codes, _ = code_subjects(identities)
    for row0 in range(0, len(codes), block):
        rows = slice(row0, row0 + block)
        for col0 in range(row0, len(codes), block):
            cols = slice(col0, col0 + block)
            same = codes[rows, None] == codes[None, cols]
            yield PairBlock(
                rows32[rows] @ rows32[cols].T, row0, col0, np.triu(same, 1) if row0 == col0 else same
            )
