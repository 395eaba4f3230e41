"""Which pictures show whom: a folder with a folder a person, or a manifest with ``path`` and ``identity``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import normalize

from vnvision.data.manifest import leaves_root
from vnvision.data.table import read_table, row_list
from vnvision.errors import DataError
from vnvision.faces.conditions import rows_where

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures and what is known of them.

    Attributes:
        root: folder that paths are relative to.
        paths: (N,).
        columns: ``identity`` and any other column by name, (N,) each; empty text is unknown.
        sha256: of the manifest file, or of the names and sizes of a folder's pictures.
    """

    root: Path
    paths: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    sha256: str


def list_pictures(source: str | Path, *, where: Sequence[str] = ()) -> Pictures:
    """Pictures of a folder or a manifest.

    In a folder the folder that a picture lies in says whom it shows; pictures in the top folder show nobody
    known. Names are taken in Unicode form NFC: two spellings of one name are one person.

    Args:
        source: a folder, or a ``.csv`` or ``.parquet`` manifest with a column ``path``.
        where: ``COLUMN=VALUE`` each; only rows that fit all of them.

    Raises:
        DataError: nothing there, no column ``path``, a path outside the manifest's folder, a condition that
            is none or that nothing fits.
    """
    place = Path(source)
    found = _of_folder(place) if place.is_dir() else _of_manifest(place)
    rows = rows_where(found.columns, where, len(found.paths))
    return replace(
        found,
        paths=tuple(found.paths[i] for i in rows),
        columns={name: tuple(cells[i] for i in rows) for name, cells in found.columns.items()},
    )


def _of_folder(root: Path) -> Pictures:
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise DataError(f"no pictures in {root}", expected="a folder a person, with pictures", got="none")
    paths = tuple(file.relative_to(root).as_posix() for file in files)
    folders = (file.parent.relative_to(root).as_posix() for file in files)
    digest = hashlib.sha256()
    for path, file in zip(paths, files, strict=True):
        digest.update(f"{path}\0{file.stat().st_size}\n".encode("utf-8", "surrogateescape"))
    identity = tuple("" if folder == "." else normalize("NFC", folder) for folder in folders)
    return Pictures(root, paths, {"identity": identity}, digest.hexdigest())


def _of_manifest(path: Path) -> Pictures:
    if not path.exists():
        raise DataError(
            f"{path} does not exist", expected="a folder of pictures, or a .csv or .parquet manifest"
        )
    table = read_table(path)
    if "path" not in table.header:
        raise DataError(f"{path} has no column path", got=", ".join(table.header))
    columns = {
        name: tuple(cell.strip() if name == "path" else normalize("NFC", cell.strip()) for cell in cells)
        for name, cells in zip(table.header, zip(*table.cells, strict=True), strict=True)
    }
    paths = columns.pop("path")
    outside = [line for line, name in zip(table.lines, paths, strict=True) if not name or leaves_root(name)]
    if outside:
        raise DataError(
            f"{path}: {row_list(outside)} has no path inside the manifest's folder",
            expected=f"paths relative to {path.parent}",
        )
    return Pictures(path.parent, paths, columns, table.sha256)
