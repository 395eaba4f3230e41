"""Pictures in tar shards by number, read where they lie."""

from __future__ import annotations

import tarfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.data.records.files import RandomFile
from vnvision.data.records.picture_source import IDENTITY, PictureSource
from vnvision.data.records.shard_rows import read_rows
from vnvision.errors import DataError

_OPEN, _BLOCK = 256, 512


class ShardPictures(PictureSource):
    """Pictures in tar shards, in any order.

    Args:
        path: the index of the shards, or its folder.
        identity: the column that names the person.
        columns: to have besides ``vnvision.data.records.shard_rows.KEPT``.

    Raises:
        DataError: damaged, or samples without that column.
    """

    def __init__(self, path: str | Path, *, identity: str = IDENTITY, columns: Sequence[str] = ()) -> None:
        rows = read_rows(path, (identity, *columns))
        if identity not in rows.columns:
            got = ", ".join(rows.index.job.columns)
            raise DataError(f"{rows.path} has no column {identity}", got=got)
        self._files = [rows.path.parent / shard.file for shard in rows.index.shards]
        self._first = np.array([0, *np.cumsum([shard.n for shard in rows.index.shards])])
        self._offsets, self._sizes = rows.offsets, rows.sizes
        self._open: OrderedDict[int, RandomFile] = OrderedDict()
        there = {name: rows.columns[name] for name in rows.index.job.columns if name in rows.columns}
        super().__init__(rows.path, rows.sha256, there, identity)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def place(self, index: int) -> str:
        """Shard and number of the picture's sample."""
        return f"{self._files[self._shard(index)]}: sample {index:09d}"

    def encoded(self, index: int) -> bytes:
        """The bytes of a picture."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        offset, size = int(self._offsets[index]), int(self._sizes[index])
        data = self._file(self._shard(index)).read(offset - _BLOCK, _BLOCK + size)
        if len(data) < _BLOCK + size or not _heads(data[:_BLOCK], size):
            got = "a header of something else" if len(data) == _BLOCK + size else "the end of the file"
            fix = "pack again, or copy the shard again"
            raise DataError(self.place(index), expected=f"a picture of {size} bytes", got=got, fix=fix)
        return data[_BLOCK:]

    def _shard(self, index: int) -> int:
        return int(np.searchsorted(self._first, index, side="right")) - 1

    def _file(self, number: int) -> RandomFile:
        if number not in self._open:
            self._open[number] = RandomFile(self._files[number])
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(number)
        return self._open[number]


def _heads(block: bytes, size: int) -> bool:
    """Whether a tar header is whole, and of a member of so many bytes."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size == size
    except tarfile.TarError:
        return False
