"""Pictures of people by number, whatever they are kept in: what a training loop reads from.

Each source can be pickled, and opens its files when first read in each process, so it goes to the workers of
a loader by fork or by spawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from vnvision.data.manifest import leaves_root
from vnvision.data.records.face_rec import read_keys
from vnvision.data.records.rec import RecordReader
from vnvision.data.records.shard_index import SUFFIX
from vnvision.data.records.shard_set import ShardSet
from vnvision.data.table import read_table, row_list
from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.imaging.depth import to_uint8


class PictureSource(Protocol):
    """Pictures by number.

    Attributes:
        codes: (N,) int64, the number in ``names`` of the person that each picture shows; -1 unknown.
        names: each person's name, in order of first appearance or of number.
    """

    codes: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int: ...

    def read(self, index: int) -> np.ndarray:
        """A picture: (H, W, 3) uint8 RGB.

        Raises:
            DataError: it cannot be read; the file, and record or sample, is named.
        """
        ...

    def identity(self, index: int) -> str:
        """Whom it shows; empty where that is unknown."""
        ...


class _People:
    """Names and codes, the same for every source."""

    def __init__(self, identities: Sequence[str]) -> None:
        known: dict[str, int] = {}
        codes = [known.setdefault(name, len(known)) if name else -1 for name in identities]
        self.codes = np.array(codes, np.int64)
        self.names = tuple(known)

    def __len__(self) -> int:
        return len(self.codes)

    def identity(self, index: int) -> str:
        """Whom a picture shows; empty where that is unknown."""
        code = int(self.codes[index])
        return self.names[code] if code >= 0 else ""


class ManifestPictures(_People):
    """Pictures in files.

    Args:
        path: ``.csv`` or ``.parquet`` manifest.
        identity: the column that names the person.
        root: folder that paths are relative to; the manifest's own unless given.

    Raises:
        DataError: no such column, or a path outside the root.
    """

    def __init__(
        self, path: str | Path, *, identity: str = "identity", root: str | Path | None = None
    ) -> None:
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
        super().__init__([cell.strip() for cell in columns[identity]])

    def read(self, index: int) -> np.ndarray:
        """A picture: (H, W, 3) uint8 RGB."""
        return _rgb(self.root / self.paths[index], "")


class RecordPictures(_People):
    """Pictures in a ``.rec``, without unpacking it.

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
        super().__init__([])
        self.codes, self.names = codes.astype(np.int64), tuple(map(str, numbers.tolist()))

    def read(self, index: int) -> np.ndarray:
        """A picture: (H, W, 3) uint8 RGB."""
        key = int(self.keys[index])
        return _rgb(self._reader.record(key).data, f"{self._reader.path}: record {key}")


class ShardPictures(_People):
    """Pictures in tar shards, in any order. Opening it reads every sample's JSON once.

    Args:
        path: the index of the shards, or its folder.
        identity: the column that names the person.

    Raises:
        DataError: damaged, or samples without that column.
    """

    def __init__(self, path: str | Path, *, identity: str = "identity") -> None:
        self._set = ShardSet(path)
        if identity not in self._set.index.job.columns:
            there = ", ".join(self._set.index.job.columns)
            raise DataError(f"{self._set.path} has no column {identity}", got=there)
        counts = [shard.n for shard in self._set.index.shards]
        self._first = np.concatenate([[0], np.cumsum(counts)])
        places = ((shard, place) for shard, n in enumerate(counts) for place in range(n))
        super().__init__([str(self._set.columns(*place).get(identity, "")).strip() for place in places])

    def read(self, index: int) -> np.ndarray:
        """A picture: (H, W, 3) uint8 RGB."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = int(np.searchsorted(self._first, index, side="right")) - 1
        sample = self._set.sample(shard, index - int(self._first[shard]))
        return _rgb(sample.data, f"{self._set.index.shards[shard].file}: {sample.key}")


def open_pictures(path: str | Path, *, identity: str = "identity") -> PictureSource:
    """The source for a path: ``.rec``, an index or folder of shards, or a manifest.

    Raises:
        DataError: as the source does.
    """
    path = Path(path)
    if path.suffix.lower() == ".rec":
        return RecordPictures(path)
    if path.is_dir() or path.name.endswith(SUFFIX):
        return ShardPictures(path, identity=identity)
    return ManifestPictures(path, identity=identity)


def _rgb(picture: Path | bytes, where: str) -> np.ndarray:
    try:
        image = to_uint8(read(picture).image)
    except DataError as exc:
        raise DataError(f"{where}: {exc}" if where else str(exc)) from exc
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
