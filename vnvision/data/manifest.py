"""Manifests: which images there are, what they show, who may use them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from vnvision.data.rowchecks import check_extra, check_rows, gaps
from vnvision.data.rows import GOVERNANCE, LABEL_PREFIX, PLAIN, SPLITS, Row, parse_rows, split_name
from vnvision.data.table import read_table, row_list, write_table
from vnvision.errors import DataError

__all__ = ["GOVERNANCE", "SPLITS", "Manifest", "Row", "read_manifest", "write_manifest"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows of one manifest file, or some of them.

    Attributes:
        rows: in file order.
        root: folder that row paths are relative to.
        path: the manifest file.
        sha256: hex digest of the whole manifest file, kept by ``split`` and ``where``.
        warnings: what is missing but allowed, one line each.
    """

    rows: tuple[Row, ...]
    root: Path
    path: Path
    sha256: str
    warnings: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_multilabel(self) -> bool:
        """Whether labels come from ``label:<id>`` columns."""
        return any(row.labels is not None for row in self.rows)

    def split(self, name: str) -> Manifest:
        """The rows of one split; ``validation`` and ``valid`` mean ``val``.

        Raises:
            DataError: no row has that split; names the splits there are.
        """
        wanted = split_name(name) or name
        rows = tuple(row for row in self.rows if row.split == wanted)
        if not rows:
            there = sorted({row.split for row in self.rows if row.split is not None})
            raise DataError(
                f"{self.path} has no split {name!r}",
                expected=f"one of {', '.join(there)}" if there else "a column split",
                fix=None if there else "assign one with: vnvision data split",
            )
        return replace(self, rows=rows)

    def where(self, chosen: np.ndarray | Sequence[bool] | Sequence[int]) -> Manifest:
        """Some of the rows.

        Args:
            chosen: a boolean mask (N,), or row indices in the order wanted.

        Raises:
            DataError: a mask of another length, or an index out of range.
        """
        picked = np.asarray(chosen)
        if picked.dtype == bool:
            if picked.shape != (len(self),):
                raise DataError(f"mask for {self.path}", expected=f"({len(self)},)", got=str(picked.shape))
            picked = np.flatnonzero(picked)
        if picked.size and (picked.dtype.kind not in "iu" or picked.min() < 0 or picked.max() >= len(self)):
            raise DataError(f"indices for {self.path}", expected=f"whole numbers in 0..{len(self) - 1}")
        return replace(self, rows=tuple(self.rows[i] for i in picked.astype(np.int64).ravel()))

    def file(self, row: Row) -> Path:
        """Where a row's image lies.

        Raises:
            DataError: the path is absolute or climbs out of the root.
        """
        if leaves_root(row.path):
            raise DataError(
                f"{self.path}: row {row.line} leaves the root",
                expected=f"a path relative to {self.root}",
                got=row.path,
            )
        return self.root / row.path

    def label_ids(self) -> tuple[str, ...]:
        """Every label there is, sorted: values of ``label``, or names of the ``label:<id>`` columns."""
        if self.is_multilabel:
            return tuple(sorted({key for row in self.rows for key in row.labels or ()}))
        return tuple(sorted({row.label for row in self.rows if row.label is not None}))

    def targets(self, label_ids: Sequence[str]) -> np.ndarray:
        """Class targets in the order of ``label_ids``.

        Returns:
            (N,) int64 class indices, -1 unknown; multi-label: (N, C) int8 of 1, 0 and -1 unknown.
            Multi-label columns that ``label_ids`` leaves out are left out.

        Raises:
            DataError: a row has a label that is not in ``label_ids`` (with row numbers), or an id has no
                ``label:<id>`` column.
        """
        return self._multilabel_targets(label_ids) if self.is_multilabel else self._class_targets(label_ids)

    def _class_targets(self, label_ids: Sequence[str]) -> np.ndarray:
        index: dict[str | None, int] = {label: i for i, label in enumerate(label_ids)}
        index[None] = -1
        unknown = [row for row in self.rows if row.label not in index]
        if unknown:
            names = ", ".join(sorted({str(row.label) for row in unknown}))
            raise DataError(
                f"{self.path}: unknown label in {row_list([row.line for row in unknown])}",
                expected=f"one of {', '.join(label_ids)}",
                got=names,
            )
        return np.array([index[row.label] for row in self.rows], dtype=np.int64)

    def _multilabel_targets(self, label_ids: Sequence[str]) -> np.ndarray:
        missing = sorted(set(label_ids) - set(self.label_ids()))
        if missing:
            raise DataError(
                f"{self.path} has no column for {', '.join(missing)}",
                expected=", ".join(f"label:{name}" for name in missing),
                got=", ".join(f"label:{name}" for name in self.label_ids()),
            )
        targets = np.full((len(self), len(label_ids)), -1, dtype=np.int8)
        for i, row in enumerate(self.rows):
            known = row.labels or {}
            for j, label in enumerate(label_ids):
                value = known.get(label)
                if value is not None:
                    targets[i, j] = value
        return targets

    def group_keys(self) -> list[str]:
        """The leakage group of each row; a row without one is its own group, under a key of its path."""
        return [row.group_id if row.group_id is not None else f"path\0{row.path}" for row in self.rows]


def leaves_root(path: str) -> bool:
    """Whether a path is absolute (on any system) or climbs out with ``..``."""
    windows = PureWindowsPath(path)
    return PurePosixPath(path).is_absolute() or bool(windows.anchor) or ".." in windows.parts


def read_manifest(path: str | Path, *, root: str | Path | None = None, strict: bool = False) -> Manifest:
    """Read a CSV or Parquet manifest.

    Args:
        path: ``.csv`` or ``.parquet``.
        root: folder that row paths are relative to; the manifest's own folder unless given.
        strict: whether missing ``sha256``, ``licence`` or ``consent`` is an error, not a warning.

    Raises:
        DataError: wrong header, no rows, ragged or undecodable rows, wrong values, each with row numbers;
            under ``strict``, also everything that would be a warning.
        MissingExtraError: Parquet without pyarrow.
    """
    path = Path(path)
    folder = Path(root) if root is not None else path.parent
    if root is not None and not folder.is_dir():
        raise DataError(f"root of {path} is no folder", got=str(folder))
    table = read_table(path)
    rows, problems = parse_rows(table, str(path))
    problems += check_rows(rows)
    if problems:
        raise DataError(f"{path}: " + "; ".join(problems))
    warnings = tuple(gap.text for gap in gaps(rows, table.header))
    if strict and warnings:
        raise DataError(
            f"{path}: " + "; ".join(warnings),
            fix="fill these columns, or read without strict to be warned only",
        )
    return Manifest(rows=tuple(rows), root=folder, path=path, sha256=table.sha256, warnings=warnings)


def write_manifest(rows: Iterable[Row], path: str | Path) -> Path:
    """Write rows atomically as CSV or Parquet, by suffix; reading gives equal rows, line numbers apart.

    Columns: path, label or ``label:<id>`` sorted, split, group_id, region, source, licence, consent,
    sha256 (each only where some row has a value), then the extra columns in order of first appearance.
    A row without an extra column that others have gets an empty cell there.

    Raises:
        DataError: no rows, or a row that could not be read back.
        MissingExtraError: Parquet without pyarrow.
    """
    rows = list(rows)
    numbered = [replace(row, line=number) for number, row in enumerate(rows, 2)]
    problems = check_rows(numbered) + check_extra(numbered)
    if not rows:
        problems = ["no rows to write"]
    if problems:
        raise DataError(f"cannot write {path}: " + "; ".join(problems))
    names = [name for name in PLAIN if any(getattr(row, name) for row in rows)]
    labels = sorted({key for row in rows for key in row.labels or ()})
    extra = list(dict.fromkeys(key for row in rows for key in row.extra))
    header = ["path", *(LABEL_PREFIX + key for key in labels), *names, *extra]

    def cells(row: Row) -> list[Any]:
        known = row.labels or {}
        line: list[Any] = [row.path, *(known.get(key) for key in labels)]
        return line + [getattr(row, name) for name in names] + [row.extra.get(key, "") for key in extra]

    return write_table(path, header, (cells(row) for row in rows))
