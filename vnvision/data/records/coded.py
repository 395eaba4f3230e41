"""A column of few values over many rows, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Text by row, each value kept once: some bytes a row, where strings take a hundred.

    Attributes:
        codes: (N,) whole numbers, the place in ``names`` of each row's value; -1 where it is empty.
        names: the values.
    """

    codes: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, cells: Sequence[str]) -> Self:
        """Values numbered in order of first appearance."""
        known: dict[str, int] = {}
        codes = [known.setdefault(cell, len(known)) if cell else -1 for cell in cells]
        return cls(np.array(codes, np.int64), tuple(known))

    def __len__(self) -> int:
        return len(self.codes)

    def text(self, row: int) -> str:
        """The value of a row."""
        code = int(self.codes[row])
        return self.names[code] if code >= 0 else ""

    def take(self, rows: np.ndarray) -> Coded:
        """Some of the rows."""
        return Coded(self.codes[rows], self.names)

    def by_name(self) -> np.ndarray:
        """(N,) int64: the values that occur, numbered in order of their sorted names; -1 stays."""
        used = np.flatnonzero(np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)))
        ranked = sorted(used.tolist(), key=self.names.__getitem__)
        numbers = np.full(len(self.names) + 1, -1, np.int64)  # the last one is read by -1
        numbers[ranked] = np.arange(len(ranked))
        return numbers[self.codes]
