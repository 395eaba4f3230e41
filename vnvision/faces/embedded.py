"""Templates of many pictures with what is known of them: what bulk embedding writes and evaluation reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vnvision.errors import DataError
from vnvision.faces.conditions import column_of, rows_where


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFaces:
    """One row a picture.

    Attributes:
        embeddings: (N, D) float32, unit-norm; rows of failures are zero.
        paths: (N,) as the manifest has them, relative to its folder.
        reasons: (N,) why there is no template (no face, unreadable, quality); empty where there is one.
        columns: further columns of the manifest by name, (N,) text each: ``identity``, any group column.
        model: fingerprint of the embedder; templates of two models must not be compared.
        manifest_sha256: of the manifest the pictures come from.
    """

    embeddings: np.ndarray
    paths: tuple[str, ...]
    reasons: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    model: str = ""
    manifest_sha256: str = ""

    def __post_init__(self) -> None:
        n = len(self.paths)
        lengths = {"embeddings": len(self.embeddings), "reasons": len(self.reasons)}
        lengths |= {name: len(values) for name, values in self.columns.items()}
        wrong = [f"{name} has {length}" for name, length in lengths.items() if length != n]
        if self.embeddings.ndim != 2 or wrong:
            raise DataError("embedded faces do not fit", expected=f"{n} rows", got=", ".join(wrong) or "1-D")

    @property
    def found(self) -> np.ndarray:
        """(N,) bool, there is a template."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    def column(self, name: str) -> tuple[str, ...]:
        """A column by name.

        Raises:
            DataError: there is none of that name.
        """
        return tuple(column_of(self.columns, name))

    def where(self, conditions: Sequence[str]) -> EmbeddedFaces:
        """The rows that fit every ``COLUMN=VALUE``.

        Raises:
            DataError: no condition, no such column, or nothing fits.
        """
        rows = rows_where(self.columns, conditions, len(self.paths))
        return replace(
            self,
            embeddings=self.embeddings[rows],
            paths=tuple(self.paths[i] for i in rows),
            reasons=tuple(self.reasons[i] for i in rows),
            columns={name: tuple(cells[i] for i in rows) for name, cells in self.columns.items()},
        )
