"""``.rec`` files with their ``.idx``: any record by its key."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from vnvision.data.records.files import RandomFile, StagedFile
from vnvision.data.records.rec_index import has_twice, read_index
from vnvision.data.records.recordio import ImageRecord, frame, pack_image, unframe, unpack_image
from vnvision.errors import DataError


class RecordReader:
    """Records by key. Processes and threads may share one: each process opens the file for itself.

    Args:
        path: the ``.rec``. Without an ``.idx`` beside it the file is walked through once, and keys are the
            numbers of the records.

    Attributes:
        keys: (N,) int64 in the order of the index.

    Raises:
        DataError: missing, or an index that does not fit the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = RandomFile(self.path)
        self._size = self._file.size
        index = self.path.with_suffix(".idx")
        if index.is_file():
            self.keys, self._offsets = read_index(index, self._size)
        else:
            starts = [offset for offset, _ in self._walk()]
            self._offsets = np.array(starts, np.int64)
            self.keys = np.arange(len(starts), dtype=np.int64)
        # Keys mostly come in order: then ten million need no further numbers to be found by.
        ordered = bool((self.keys[1:] > self.keys[:-1]).all())
        self._order = None if ordered else np.argsort(self.keys, kind="stable")

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: int) -> bool:
        return self._at(key) is not None

    def _at(self, key: int) -> int | None:
        at = int(np.searchsorted(self.keys, key, sorter=self._order))
        if at == len(self.keys):
            return None
        place = at if self._order is None else int(self._order[at])
        return place if int(self.keys[place]) == key else None

    def read(self, key: int) -> bytes:
        """The payload of a record.

        Raises:
            DataError: no such key, or the record is damaged.
        """
        at = self._at(key)
        if at is None:
            raise DataError(f"{self.path} has no record {key}", expected=f"one of {len(self)} keys")
        where = f"{self.path}: record {key}"
        return unframe(self._file.read, int(self._offsets[at]), self._size, where)[0]

    def record(self, key: int) -> ImageRecord:
        """A record as label and image.

        Raises:
            DataError: no such key, the record is damaged, or holds no image header.
        """
        return unpack_image(self.read(key), f"{self.path}: record {key}")

    def digest(self) -> str:
        """Hex SHA-256 of keys, offsets and the file's length: which records there are, not their bytes."""
        found = hashlib.sha256(b"%d" % self._size)
        for numbers in (self.keys, self._offsets):
            found.update(np.ascontiguousarray(numbers, "<i8").data)
        return found.hexdigest()

    def _walk(self) -> Iterator[tuple[int, bytes]]:
        offset, number = 0, 0
        while offset < self._size:
            where = f"{self.path}: record {number}"
            payload, behind = unframe(self._file.read, offset, self._size, where)
            yield offset, payload
            offset, number = behind, number + 1

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        self._file.close()


class RecordWriter:
    """Writes a ``.rec`` and its ``.idx``; neither is there before ``close``, and none after an error.

    Args:
        path: the ``.rec`` to write.

    Raises:
        DataError: it exists, or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._index = self.path.with_suffix(".idx")
        for file in (self.path, self._index):
            if file.exists():
                raise DataError(f"{file} exists", expected="a new file", fix="choose another name")
        self._staged = StagedFile(self.path)
        self._keys, self._offsets = array("q"), array("q")

    def write(self, key: int, payload: bytes) -> None:
        """Add a record.

        Raises:
            DataError: a key below 0, a payload too long, or the disk is full.
        """
        if key < 0:
            raise DataError(f"{self.path}: key {key}", expected="0 or more")
        framed = frame(payload)
        self._keys.append(key)
        self._offsets.append(self._staged.written)
        self._staged.write(framed)

    def write_image(self, key: int, record: ImageRecord) -> None:
        """Add an image with its label; raises as ``write``, and for a label that does not fit."""
        self.write(key, pack_image(record))

    def close(self) -> Path:
        """Give both files their names: the records first, so that an index always has them.

        Raises:
            DataError: a key was used twice, or they cannot be written.
        """
        if has_twice(np.array(self._keys, np.int64)):
            twice = next(key for key, n in Counter(self._keys).items() if n > 1)
            raise DataError(f"{self.path}: key {twice} was used twice", expected="each key once")
        with StagedFile(self._index) as index:
            for key, offset in zip(self._keys, self._offsets, strict=True):
                index.write(b"%d\t%d\n" % (key, offset))
            self._staged.commit()
            index.commit()
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._staged.discard()
