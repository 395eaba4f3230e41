"""``.bin`` verification sets: a pickle of (encoded images, which pairs show one person).

A pickle can run any program, so only what such files need is let through: lists, tuples, byte strings,
booleans and numbers, numpy's arrays of bytes and booleans. Anything else is refused by name.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.errors import DataError

_ALLOWED = {
    ("builtins", "bytes"),
    ("builtins", "bytearray"),
    ("__builtin__", "bytes"),
    ("__builtin__", "bytearray"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


@dataclass(frozen=True, slots=True)
class BinSet:
    """Images as they were encoded, 2 P of them, and (P,) whether pair 2 i, 2 i + 1 shows one person."""

    images: tuple[bytes, ...]
    same: tuple[bool, ...]


class _Restricted(pickle.Unpickler):
    """Finds nothing but the names a ``.bin`` set needs."""

    def __init__(self, data: bytes, where: str) -> None:
        # Python 2 wrote byte strings as text of one byte a letter.
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) not in _ALLOWED:
            raise DataError(
                f"{self._where} asks for {module}.{name}",
                expected="nothing but images and truth values",
                fix="do not open this file: it is no plain .bin set and may be hostile",
            )
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise DataError(f"{self._where} asks for an object outside the file", got=repr(pid)[:60])


def _latin1(text: str, encoding: str) -> bytes:
    """Byte strings as old pickle protocols keep them; no other codec is run."""
    if encoding != "latin1":
        raise DataError("a byte string in another encoding", expected="latin1", got=repr(encoding)[:40])
    return text.encode("latin1")


def read_bin(path: str | Path) -> BinSet:
    """Read a ``.bin`` set without running anything in it.

    Raises:
        DataError: unreadable, hostile (names what it asks for), or of another form.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as exc:
        raise DataError(f"cannot read {path}", got=exc.strerror or str(exc)) from exc
    try:
        value = _Restricted(data, str(path)).load()
    except DataError:
        raise
    except Exception as exc:  # a damaged pickle may raise nearly anything
        got = f"{type(exc).__name__}: {exc}"[:120]
        raise DataError(f"{path} is no .bin set", expected="a pickle of (images, same)", got=got) from exc
    return _checked(value, str(path), len(data))


def _checked(value: Any, where: str, size: int) -> BinSet:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise DataError(f"{where} is no .bin set", expected="(images, same)", got=type(value).__name__)
    for part in value:
        if not isinstance(part, list | tuple | np.ndarray):
            raise DataError(f"{where} is no .bin set", expected="two lists", got=type(part).__name__)
    images, same = (list(part) for part in value)
    encoded = [_bytes(image, where, size) for image in images]
    if len(encoded) != 2 * len(same) or not same:
        raise DataError(
            f"{where}: images and pairs do not fit",
            expected="two images a pair, one pair or more",
            got=f"{len(encoded)} images, {len(same)} pairs",
        )
    wrong = [flag for flag in same if not isinstance(flag, bool | int | np.bool_ | np.integer)]
    if wrong:
        raise DataError(f"{where}: truth of a pair", expected="true or false", got=repr(wrong[0])[:40])
    return BinSet(tuple(encoded), tuple(bool(flag) for flag in same))


def _bytes(image: Any, where: str, size: int) -> bytes:
    """One encoded image; it cannot be longer than the ``size`` bytes of the file that holds it."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        image = image.data
    if not isinstance(image, bytes | bytearray | memoryview):
        raise DataError(f"{where}: an image", expected="bytes of an image file", got=type(image).__name__)
    length = memoryview(image).nbytes
    if length > size:
        raise DataError(
            f"{where}: an image is longer than the file", expected=f"{size} bytes", got=str(length)
        )
    return bytes(image)
