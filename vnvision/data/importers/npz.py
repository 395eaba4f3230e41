"""Arrays out of an ``.npz`` of unknown origin: never unpickled, sized before they are unpacked."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from vnvision.errors import DataError

MAX_BYTES = 64 * 2**30
"""Unpacked size of one array: four times the largest MedMNIST archive (PathMNIST at 224 px)."""

MAX_RATIO = 400
"""Unpacked to packed size of arrays over a megabyte. Deflate reaches 1,032 on zeros, images far less."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)
_BAD_HEADER = (
    SyntaxError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)


@dataclass(frozen=True, slots=True)
class Archive:
    """An open ``.npz``."""

    path: Path
    file: zipfile.ZipFile

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self.file.namelist()

    def shape(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an array, from its header."""
        with self._entry(name) as (_, shape, dtype):
            return shape, dtype

    def read(self, name: str) -> np.ndarray:
        """A whole array."""
        with self._entry(name) as (stream, shape, dtype):
            data = _exactly(stream, math.prod(shape) * dtype.itemsize)
            return np.frombuffer(data, dtype=dtype).reshape(shape)

    def items(self, name: str) -> Iterator[np.ndarray]:
        """The items along the first axis, one at a time, so that a large array is never whole in memory."""
        with self._entry(name) as (stream, shape, dtype):
            size = math.prod(shape[1:]) * dtype.itemsize
            for _ in range(shape[0]):
                yield np.frombuffer(_exactly(stream, size), dtype=dtype).reshape(shape[1:])

    @contextmanager
    def _entry(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype]]:
        where = f"{self.path}: {name}"
        try:
            info = self.file.getinfo(f"{name}.npy")
        except KeyError as exc:
            there = ", ".join(self.file.namelist())[:200]
            raise DataError(f"{self.path} has no array {name}", got=there) from exc
        if info.file_size > MAX_BYTES or info.file_size > max(2**20, MAX_RATIO * info.compress_size):
            raise DataError(
                f"{where} unpacks to {info.file_size:,} bytes",
                expected=f"at most {MAX_BYTES:,}, and {MAX_RATIO} times its packed {info.compress_size:,}",
                fix="it looks like a decompression bomb",
            )
        try:
            with self.file.open(info) as stream:
                shape, fortran, dtype = _header(stream)
                if dtype.hasobject or fortran or len(shape) < 1:
                    raise DataError(where, expected="a plain array in C order", got=f"{dtype} {shape}")
                if math.prod(shape) * dtype.itemsize + stream.tell() != info.file_size:
                    raise DataError(where, expected=f"{info.file_size} bytes", got=f"{dtype} {shape}")
                yield stream, shape, dtype
        except _BROKEN as exc:
            raise DataError(f"{where} is damaged", got=str(exc)[:120]) from exc


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an archive.

    Raises:
        DataError: it is no zip file, or names an array twice.
    """
    try:
        file = zipfile.ZipFile(path)
    except _BROKEN as exc:
        raise DataError(f"{path} is no .npz archive", got=str(exc)[:120]) from exc
    with file:
        names = file.namelist()
        if len(set(names)) < len(names):
            raise DataError(f"{path} names an array twice")
        yield Archive(path, file)


def has(path: Path, name: str) -> bool:
    """Whether an archive has an array."""
    with opened(path) as archive:
        return name in archive


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"array format {version}")
    try:
        return read[version](stream)
    except _BAD_HEADER as exc:
        raise ValueError(f"array header: {exc}") from exc


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("cut short")
    return data
