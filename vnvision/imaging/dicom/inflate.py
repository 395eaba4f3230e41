"""A deflated data set as a stream that unpacks no further than it is read."""

from __future__ import annotations

import io
import zlib
from typing import IO

_STEP = 256 * 1024


class Inflated(io.RawIOBase):
    """The inflated bytes of ``packed`` (raw deflate, PS3.5 A.5), unpacked when they are reached.

    Args:
        packed: the deflated bytes.
        limit: bytes that may be unpacked in all; reading beyond raises ``ValueError``.
    """

    def __init__(self, packed: bytes, limit: int) -> None:
        self._packed = packed
        self._limit = limit
        self._engine = zlib.decompressobj(-zlib.MAX_WBITS)
        self._out = bytearray()
        self._at = 0

    @property
    def unfinished(self) -> bool:
        """All that is there is unpacked, and deflate waits for more."""
        return not self._packed and not self._engine.eof

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position in the inflated bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; from the end only after all has been unpacked."""
        if whence == io.SEEK_END:
            self.reach(self._limit)
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._out)}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes, all that are left without it."""
        end = self._limit if size is None or size < 0 else self._at + size
        self.reach(end)
        piece = bytes(self._out[self._at : end])
        self._at += len(piece)
        return piece

    def reach(self, end: int) -> bool:
        """Unpack up to byte ``end``; whether the data go that far.

        Raises:
            ValueError: that lies beyond the limit.
            zlib.error: the data are damaged.
        """
        if end > self._limit:
            raise ValueError(f"more than {self._limit:,} inflated bytes")
        while len(self._out) < end and not self._engine.eof and self._packed:
            self._out += self._engine.decompress(self._packed, _STEP)
            self._packed = self._engine.unconsumed_tail
        return len(self._out) >= end


def cut_short(stream: IO[bytes] | Inflated) -> bool:
    """Whether a stream stops too early: before where it stands, or in the middle of deflated data."""
    at = stream.tell()
    return (isinstance(stream, Inflated) and stream.unfinished) or not reaches(stream, at)


def reaches(stream: IO[bytes] | Inflated, end: int) -> bool:
    """Whether a stream goes on up to byte ``end``; its position may change."""
    return stream.reach(end) if isinstance(stream, Inflated) else stream.seek(0, io.SEEK_END) >= end
