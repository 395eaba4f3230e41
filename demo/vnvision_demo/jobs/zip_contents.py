"""The files of a zip, unpacked in small parts that are counted as they come."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from vnvision_demo.jobs import zip_texts as say
from vnvision_demo.jobs.zip_directory import Entry

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """The most that is taken.

    Attributes:
        zip_bytes: of the upload.
        entries: in the list of contents, folders and skipped files among them.
        file_bytes: one picture, unpacked.
        total_bytes: all of them, unpacked.
        ratio: ``total_bytes`` over the size of the zip, once more than ``free_bytes`` are unpacked.
        free_bytes: drawn pictures pack well, so small zips may grow more.
        name_chars: of a name with its folders; longer ones are skipped.
        depth: folders one in another; deeper files are skipped.
    """

    zip_bytes: int = 512 << 20
    entries: int = 10_000
    file_bytes: int = 64 << 20
    total_bytes: int = 1 << 30
    ratio: int = 100
    free_bytes: int = 64 << 20
    name_chars: int = 300
    depth: int = 8


@dataclass(slots=True)
class Contents:
    """What lies in an open zip.

    Attributes:
        stream: the open zip.
        name: of the zip, for errors.
        most: what is taken at most.
        zip_bytes: size of the zip.
        total: bytes unpacked so far.
    """

    stream: BinaryIO
    name: str
    most: ZipLimits
    zip_bytes: int
    total: int = 0

    def parts(self, entry: Entry, shown: str) -> Iterator[bytes]:
        """Parts of at most 64 KiB, counted as they come."""
        size = 0
        inflated = self._inflated if entry.method else self._stored
        for part in inflated(entry, shown):
            size += len(part)
            self.total += len(part)
            self._check(size, shown)
            yield part

    def _check(self, size: int, shown: str) -> None:
        most = self.most
        if size > most.file_bytes:
            what = (f"the picture {shown}", f"ảnh {shown}")
            raise say.too_large(self.name, what, say.megabytes(most.file_bytes))
        if self.total > most.total_bytes:
            raise say.too_large(
                self.name, ("unpacked pictures", "ảnh sau khi giải nén"), say.megabytes(most.total_bytes)
            )
        if self.total > max(most.free_bytes, most.ratio * self.zip_bytes):
            raise say.suspicious(self.name, most.ratio)

    def _stored(self, entry: Entry, shown: str) -> Iterator[bytes]:
        self.stream.seek(entry.start)
        left = entry.packed
        while left:
            part = self.stream.read(min(_CHUNK, left))
            if not part:
                raise say.damaged(self.name, "it is cut short")
            left -= len(part)
            yield part

    def _inflated(self, entry: Entry, shown: str) -> Iterator[bytes]:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        for packed in self._stored(entry, shown):
            while packed and not engine.eof:
                try:
                    part = engine.decompress(packed, _CHUNK)
                except zlib.error as exc:
                    raise say.damaged(self.name, f"{shown} cannot be unpacked") from exc
                packed = engine.unconsumed_tail
                if part:
                    yield part
        if not engine.eof:
            tail = engine.flush()
            if tail:
                yield tail
        if not engine.eof:
            raise say.damaged(self.name, f"{shown} is cut short")
