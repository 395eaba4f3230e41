"""The rows that go into shards: of a manifest, or of the aligned cache made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vnvision.data.table import Table, read_table
from vnvision.errors import DataError

ALIGNED_FROM = "aligned_from"
"""Column of an aligned cache: the picture's path in the manifest it was made from."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Rows as they are packed.

    Attributes:
        manifest: the file that says what is packed.
        root: folder of the pictures.
        header: the columns.
        cells: one list a row.
        lines: line of each row in ``manifest``.
        manifest_sha256: of the manifest.
        aligned_sha256: of the cache's, if there is one.
        left_out: rows without an aligned crop.
    """

    manifest: Path
    root: Path
    header: tuple[str, ...]
    cells: Sequence[Sequence[str]]
    lines: Sequence[int]
    manifest_sha256: str
    aligned_sha256: str | None = None
    left_out: int = 0

    def columns(self, row: int) -> dict[str, str]:
        """The cells of one row by column."""
        return dict(zip(self.header, self.cells[row], strict=True))

    def line(self, row: int) -> int:
        """Its line in the manifest."""
        return self.lines[row]

    def facts(self) -> dict[str, Any]:
        """What the index says of them."""
        identities = None
        if "identity" in self.header:
            at = self.header.index("identity")
            identities = len({row[at] for row in self.cells if row[at]})
        return {
            "manifest_sha256": self.manifest_sha256,
            "aligned_sha256": self.aligned_sha256,
            "n": len(self.cells),
            "left_out": self.left_out,
            "identities": identities,
            "columns": self.header,
        }


def rows_of(manifest: Path, aligned: Path | None) -> Packed:
    """The rows of a manifest, with crops of an aligned cache in place of its pictures where one is given.

    Raises:
        DataError: no column ``path``, no aligned cache, or one of other pictures.
    """
    table = _table(manifest)
    if aligned is None:
        return Packed(manifest, manifest.parent, table.header, table.cells, table.lines, table.sha256)
    cache = _table(aligned / "manifest.csv")
    if ALIGNED_FROM not in cache.header:
        raise DataError(
            f"{aligned} is no aligned cache",
            expected=f"a folder that face align wrote, with a column {ALIGNED_FROM}",
            got=", ".join(cache.header),
        )
    by_path = {row[cache.header.index(ALIGNED_FROM)]: row for row in cache.cells}
    header, cells, lines = _joined(table, cache, by_path)
    if not cells:
        raise DataError(f"{aligned} has no crop of {manifest}", expected="a cache made from this manifest")
    missing = len(table.cells) - len(cells)
    return Packed(manifest, aligned, header, cells, lines, table.sha256, cache.sha256, missing)


def _joined(
    table: Table, cache: Table, by_path: dict[str, Sequence[str]]
) -> tuple[tuple[str, ...], list[list[str]], list[int]]:
    """Columns of the manifest; path and hash are the crop's, and the cache's own columns follow."""
    header = (*table.header, *(name for name in cache.header if name not in table.header))
    # The manifest may say more, or other things, than when the cache was made: its cells hold.
    theirs = {name for name in cache.header if name not in table.header} | {"path", "sha256"}
    at = table.header.index("path")
    cells, lines = [], []
    for row, line in zip(table.cells, table.lines, strict=True):
        crop = by_path.get(row[at].strip())
        if crop is None:
            continue
        known = dict(zip(table.header, row, strict=True))
        known |= {n: c for n, c in zip(cache.header, crop, strict=True) if n in theirs}
        cells.append([known[name] for name in header])
        lines.append(line)
    return header, cells, lines


def _table(path: Path) -> Table:
    table = read_table(path)
    if "path" not in table.header:
        raise DataError(f"{path} has no column path", got=", ".join(table.header))
    return table
