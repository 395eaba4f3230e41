"""Pictures of people by number, with what is known of each: a manifest's files, a ``.rec``, or tar shards.

Each source can be pickled, and opens its files when first read in each process, so it goes to the workers of
a loader by fork or by spawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vnvision.data.manifest import leaves_root
from vnvision.data.records.coded import Coded
from vnvision.data.records.face_rec import read_keys
from vnvision.data.records.picture_source import IDENTITY, PictureSource
from vnvision.data.records.rec import RecordReader
from vnvision.data.records.shard_index import SUFFIX
from vnvision.data.records.shard_pictures import ShardPictures
from vnvision.data.table import read_table, row_list
from vnvision.errors import DataError
from vnvision.imaging import read

__all__ = [
    "ManifestPictures",
    "PictureSource",
    "RecordPictures",
    "ShardPictures",
    "is_packed",
    "open_pictures",
]


class ManifestPictures(PictureSource):
    """Pictures in files.

    Args:
        path: ``.csv`` or ``.parquet`` manifest.
        identity: the column that names the person.
        root: folder that paths are relative to; the manifest's own unless given.

    Raises:
        DataError: no such column, or a path outside the root.
    """

    def __init__(self, path: str | Path, *, identity: str = IDENTITY, root: str | Path | None = None) -> None:
        table = read_table(path)
        missing = [name for name in ("path", identity) if name not in table.header]
        if missing:
            raise DataError(f"{path} has no column {', '.join(missing)}", got=", ".join(table.header))
        columns = dict(zip(table.header, zip(*table.cells, strict=True), strict=True))
        self.paths = tuple(cell.strip() for cell in columns["path"])
        outside = [line for line, p in zip(table.lines, self.paths, strict=True) if not p or leaves_root(p)]
        self.root = Path(root) if root is not None else Path(path).parent
        if outside:
            raise DataError(
                f"{path}: {row_list(outside)} has no path in the root", expected=f"a path in {self.root}"
            )
        people = Coded.of([cell.strip() for cell in columns[identity]])
        super().__init__(Path(path), table.sha256, {identity: people}, identity)

    def place(self, index: int) -> str:
        """The picture's file."""
        return str(self.root / self.paths[index])

    def encoded(self, index: int) -> bytes:
        """The bytes of the file."""
        try:
            return (self.root / self.paths[index]).read_bytes()
        except OSError as exc:
            raise DataError(f"cannot read {self.place(index)}", got=exc.strerror or str(exc)) from exc

    def image(self, index: int) -> np.ndarray:
        """A picture as it was saved; see ``Images``."""
        return read(self.root / self.paths[index]).image


class RecordPictures(PictureSource):
    """Pictures in a ``.rec``, without unpacking it. Its only column is ``identity``, numbers as text.

    Args:
        path: the ``.rec``.

    Raises:
        DataError: damaged, or images without a number of an identity.
    """

    def __init__(self, path: str | Path) -> None:
        self._reader = RecordReader(path)
        found = read_keys(self._reader)
        self.keys = found.keys
        numbers, codes = np.unique(found.identities, return_inverse=True)
        people = Coded(codes.astype(np.int32), tuple(map(str, numbers.tolist())))
        digest = hashlib.sha256(self._reader.digest().encode())
        for array in (found.keys, found.identities):
            digest.update(np.ascontiguousarray(array, "<i8").data)
        super().__init__(self._reader.path, digest.hexdigest(), {IDENTITY: people}, IDENTITY)

    def place(self, index: int) -> str:
        """File and key of the picture's record."""
        return f"{self._reader.path}: record {int(self.keys[index])}"

    def encoded(self, index: int) -> bytes:
        """The bytes of a picture."""
        return self._reader.record(int(self.keys[index])).data


def open_pictures(
    path: str | Path, *, identity: str = IDENTITY, columns: Sequence[str] = ()
) -> PictureSource:
    """The source for a path: ``.rec``, an index of shards, a folder with one of both, or a manifest.

    Args:
        path: what holds the pictures.
        identity: the column that names the person.
        columns: further ones, of shards.

    Raises:
        DataError: as the source does.
    """
    path = Path(path)
    if path.is_dir() and not list(path.glob(f"*{SUFFIX}")):
        path = _only_rec(path)
    if path.suffix.lower() == ".rec":
        if identity != IDENTITY:
            raise DataError(f"{path} has no column {identity}", got=IDENTITY, fix=f"use {IDENTITY}")
        return RecordPictures(path)
    if path.is_dir() or path.name.endswith(SUFFIX):
        return ShardPictures(path, identity=identity, columns=columns)
    return ManifestPictures(path, identity=identity)


def is_packed(path: str | Path) -> bool:
    """Whether a path is of packed pictures, not of a manifest."""
    path = Path(path)
    return path.suffix.lower() == ".rec" or path.name.endswith(SUFFIX) or path.is_dir()


def _only_rec(folder: Path) -> Path:
    found = sorted(folder.glob("*.rec"))
    if len(found) != 1:
        raise DataError(
            f"{folder} holds no set of pictures",
            expected=f"one NAME.rec, or shards with their NAME{SUFFIX}",
            got=", ".join(file.name for file in found) or "neither",
            fix="name the manifest itself, or pack one with: vnvision data pack",
        )
    return found[0]
