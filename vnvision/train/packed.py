"""A packed set as face training reads a manifest: a ``.rec`` or tar shards, nothing unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.records.coded import Coded
from vnvision.data.records.images import Images
from vnvision.data.records.sources import PictureSource, is_packed, open_pictures
from vnvision.data.rows import IDENTITY, PLAIN, Row, split_name
from vnvision.errors import DataError

SPLIT = "split"
_LEAKAGE = ("group_id", IDENTITY)


class PackedRows(Sequence[Row]):
    """Rows made when they are looked at; ``line`` counts the pictures of the whole set from 1."""

    def __init__(self, source: PictureSource, chosen: np.ndarray) -> None:
        self.source, self.chosen = source, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        """A row, or a tuple of them."""
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        at = int(self.chosen[index])
        cells = {name: column.text(at) for name, column in self.source.columns.items()}
        group = next((cells[name] for name in _LEAKAGE if name in cells), "")
        plain = {name: cells.get(name) or None for name in PLAIN} | {"group_id": group or None}
        plain[SPLIT] = split_name(cells.get(SPLIT, ""))
        extra = {name: text for name, text in cells.items() if name not in PLAIN}
        return Row(at + 1, self.source.place(at), extra=extra, **plain)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Row]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class PackedSet(Manifest):
    """Pictures by number, and a manifest of them: the loader reads ``image``, all else columns and rows.

    Attributes:
        source: the whole set.
        chosen: (N,) the numbers of its pictures that are these rows.
    """

    source: PictureSource = field(kw_only=True)
    chosen: np.ndarray = field(kw_only=True)

    @classmethod
    def of(cls, source: PictureSource) -> PackedSet:
        """All pictures of a source.

        Raises:
            DataError: a split of another name than train, val and test.
        """
        splits = source.columns.get(SPLIT)
        wrong = [name for name in splits.names if split_name(name) is None] if splits else []
        if wrong:
            raise DataError(f"{source.path}: split", expected="train, val or test", got=", ".join(wrong[:5]))
        chosen = np.arange(len(source), dtype=np.min_scalar_type(-max(1, len(source))))
        return cls(
            rows=_rows(source, chosen),
            root=source.path.parent,
            path=source.path,
            sha256=source.sha256,
            source=source,
            chosen=chosen,
        )

    def image(self, index: int) -> np.ndarray:
        """The picture of a row; see ``Images``."""
        return self.source.image(int(self.chosen[index]))

    def column(self, name: str) -> Coded | None:
        """A column of these rows; None where the set does not have it."""
        whole = self.source.columns.get(name)
        return None if whole is None else whole.take(self.chosen)

    def split(self, name: str) -> PackedSet:
        """The rows of one split; raises as ``Manifest.split``."""
        wanted, splits = split_name(name) or name, self.column(SPLIT)
        there = () if splits is None else tuple(split_name(text) for text in splits.names)
        found = [code for code, text in enumerate(there) if text == wanted]
        mask = np.isin(splits.codes, found) if splits is not None else np.zeros(len(self), bool)
        if not mask.any():
            names = ", ".join(sorted({text for text in there if text}))
            expected = f"one of {names}" if names else "a column split in the manifest that was packed"
            raise DataError(f"{self.path} has no split {name!r}", expected=expected)
        return self.where(mask)

    def where(self, chosen: np.ndarray | Sequence[bool] | Sequence[int]) -> PackedSet:
        """Some of the rows, by mask or numbers."""
        wanted = np.asarray(chosen)
        picked = self.chosen[wanted if wanted.dtype == bool else wanted.astype(np.int64)]
        return replace(self, rows=_rows(self.source, picked), chosen=picked)

    def file(self, row: Row) -> Any:
        """The bytes of a row's picture, which ``vnvision.imaging.read`` takes as it takes a path."""
        return self.source.encoded(row.line - 1)


def open_data(path: str | Path, columns: Sequence[str] = (), *, identity: str = IDENTITY) -> Manifest:
    """What the key ``data`` of face training names: a manifest, a ``.rec``, or shards.

    Args:
        path: of it, or of the folder of packed pictures.
        columns: that are asked for besides, of shards.
        identity: the column that names the person.

    Raises:
        DataError: it is missing or damaged.
    """
    if is_packed(path):
        return PackedSet.of(open_pictures(path, identity=identity, columns=columns))
    return read_manifest(path)


def splits_of(manifest: Manifest) -> set[str]:
    """The splits that have rows."""
    if isinstance(manifest, PackedSet):
        column = manifest.column(SPLIT)
        names = () if column is None else [column.names[i] for i in np.unique(column.codes) if i >= 0]
        return {name for text in names if (name := split_name(text))}
    return {row.split for row in manifest.rows if row.split is not None}


def cells(manifest: Manifest, column: str) -> Coded:
    """A column of a manifest or a packed set; all empty where it has none of that name."""
    if isinstance(manifest, PackedSet):
        found = manifest.column(column)
        return Coded(np.full(len(manifest), -1, np.int8), ()) if found is None else found
    return Coded.of([row.extra.get(column, "").strip() for row in manifest.rows])


def images_of(manifest: Manifest) -> Images | tuple[Path, ...]:
    """What a loader reads: a packed set itself, or a manifest's files."""
    if isinstance(manifest, PackedSet):
        return manifest
    return tuple(manifest.file(row) for row in manifest.rows)


def crossing_groups(manifest: Manifest) -> list[str]:
    """Leakage groups that stand in several splits, sorted."""
    if isinstance(manifest, PackedSet):
        return _crossing(manifest)
    splits: dict[str, set[str]] = {}
    for row, key in zip(manifest.rows, manifest.group_keys(), strict=True):
        if row.split:
            splits.setdefault(key, set()).add(row.split)
    return sorted(key for key, names in splits.items() if len(names) > 1)


def _crossing(packed: PackedSet) -> list[str]:
    splits = packed.column(SPLIT)
    group = next((found for name in _LEAKAGE if (found := packed.column(name)) is not None), None)
    if splits is None or group is None:
        return []
    canonical = Coded.of([split_name(name) or "" for name in splits.names]).codes
    known = (splits.codes >= 0) & (group.codes >= 0)
    pairs = np.unique(group.codes[known].astype(np.int64) * 4 + canonical[splits.codes[known]])
    groups, counts = np.unique(pairs // 4, return_counts=True)
    return sorted(group.names[i] for i in groups[counts > 1])


def _rows(source: PictureSource, chosen: np.ndarray) -> tuple[Row, ...]:
    return cast(tuple[Row, ...], PackedRows(source, chosen))
