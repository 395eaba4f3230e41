"""What a search for people in two sets found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vnvision.data.table import write_table

By = Literal["centroid", "best"]
BY: tuple[By, ...] = ("centroid", "best")
COLUMNS = ("first", "second", "cosine", "n_first", "n_second", "first_path", "second_path", "best_cosine")


@dataclass(frozen=True, slots=True)
class OverlapPair:
    """A person of the first set who is likely one of the second.

    Attributes:
        first: name in the first set.
        second: name in the second.
        cosine: what was held against the threshold: of the centroids, or of the two most alike pictures.
        n_first: pictures of the first.
        n_second: pictures of the second.
        first_path: of the two most alike pictures, to look at.
        second_path: likewise.
        best_cosine: of these two.
    """

    first: str
    second: str
    cosine: float
    n_first: int
    n_second: int
    first_path: str
    second_path: str
    best_cosine: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """What was compared, and what was found.

    Attributes:
        pairs: from the highest cosine down.
        n_first: people of the first set with a template.
        n_second: of the second.
        n_compared: comparisons made: of people by centroid, of pictures by best.
        threshold: cosine.
        by: how people were compared.
    """

    pairs: tuple[OverlapPair, ...]
    n_first: int
    n_second: int
    n_compared: int
    threshold: float
    by: By

    @property
    def first_people(self) -> int:
        """How many people of the first set are likely in the second."""
        return len({pair.first for pair in self.pairs})


def write_overlap(overlap: Overlap, path: str | Path) -> Path:
    """The pairs as CSV or Parquet; a header alone where there are none.

    Raises:
        DataError: it cannot be written.
    """
    cells = (
        [
            f"{value:.6f}" if isinstance(value, float) else str(value)
            for value in (getattr(pair, name) for name in COLUMNS)
        ]
        for pair in overlap.pairs
    )
    return write_table(path, COLUMNS, cells)
