"""What an importer found, on its way to a manifest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from vnvision import atomic
from vnvision.data.manifest import leaves_root
from vnvision.data.neardup import Progress, default_threads
from vnvision.data.rows import Row
from vnvision.data.table import row_list
from vnvision.errors import DataError


@dataclass(frozen=True, slots=True)
class FoundBox:
    """One box: the index of its row, its label, and its corners in pixels."""

    row: int
    label: str
    corners_xyxy_px: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a data set, and what goes beside the manifest.

    Attributes:
        rows: paths relative to ``root``, with ``/`` between folders.
        root: an existing folder.
        boxes: for ``boxes.csv``; None where the data set has none.
        categories: for ``categories.json``; None where it has none.
        skipped: for ``skipped.csv``: files passed over, and why; None where that is not kept.
    """

    rows: tuple[Row, ...]
    root: Path
    boxes: tuple[FoundBox, ...] | None = None
    categories: list[dict[str, Any]] | None = None
    skipped: tuple[tuple[str, str], ...] | None = None

    def filled(self, **values: str | None) -> Found:
        """The same with ``values`` in every row that has none of its own."""
        given = {name: value for name, value in values.items() if value is not None}

        def fill(row: Row) -> Row:
            lacking: dict[str, Any] = {
                name: value for name, value in given.items() if getattr(row, name) is None
            }
            return replace(row, **lacking)

        return replace(self, rows=tuple(fill(row) for row in self.rows))


def manifest_path(out: str | Path) -> Path:
    """The manifest file meant by ``out``: itself, or ``manifest.csv`` in a folder."""
    out = Path(out)
    return out if out.suffix.lower() in (".csv", ".parquet") and not out.is_dir() else out / "manifest.csv"


def safe_name(name: str, where: str) -> str:
    """A file name from outside as a relative path with ``/``.

    Raises:
        DataError: it is empty, absolute, climbs out with ``..``, or holds control characters.
    """
    name = name.replace("\\", "/")
    if not name.strip() or leaves_root(name) or any(ord(letter) < 32 for letter in name):
        raise DataError(
            f"{where}: unsafe file name", expected="a relative path without ..", got=repr(name)[:120]
        )
    return PurePosixPath(name).as_posix()


def related(found: Found, target: Path) -> Found:
    """The same with paths relative to the manifest's folder.

    Raises:
        DataError: images lie outside that folder, or are missing.
    """
    root, folder = found.root.resolve(), target.parent.resolve()
    if not root.is_relative_to(folder):
        raise DataError(
            f"images lie in {found.root}, outside the manifest's folder",
            expected=f"{target.name} in that folder or above it",
            got=str(target.parent),
            fix=f"write it to {found.root / target.name}, or move the images",
        )
    missing = [row for row in found.rows if not (root / row.path).is_file()]
    if missing:
        numbered = [row.line for row in missing if row.line]
        place = f" ({row_list(numbered)})" if numbered else ""
        raise DataError(
            f"{len(missing)} of {len(found.rows)} images are not there{place}",
            got=f"no file {missing[0].path} in {found.root}",
            fix="check the folder that image names are relative to (image_root)",
        )
    prefix = PurePosixPath(root.relative_to(folder).as_posix())
    rows = tuple(replace(row, path=(prefix / row.path).as_posix()) for row in found.rows)
    skipped = found.skipped and tuple(((prefix / path).as_posix(), why) for path, why in found.skipped)
    return replace(found, rows=rows, root=target.parent, skipped=skipped)


def hashed(found: Found, folder: Path, progress: Progress | None) -> Found:
    """The same with ``sha256`` of every file; one that a row states already must be right.

    Raises:
        DataError: a file cannot be read, or is not what its row says.
    """

    def one(row: Row) -> Row:
        try:
            digest = atomic.sha256_file(folder / row.path)
        except OSError as exc:
            raise DataError(f"cannot read {folder / row.path}", got=exc.strerror or str(exc)) from exc
        if row.sha256 not in (None, digest):
            raise DataError(f"{row.path} has changed", expected=f"sha256 {row.sha256}", got=digest)
        return replace(row, sha256=digest)

    rows = []
    with ThreadPoolExecutor(default_threads()) as pool:
        for row in pool.map(one, found.rows):
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(found.rows))
    return replace(found, rows=tuple(rows))
