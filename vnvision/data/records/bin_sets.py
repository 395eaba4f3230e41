"""``.bin`` verification sets: a pickle of (encoded images, which pairs show one person).

A pickle can run any program, so only what such files need is let through: lists, tuples, byte strings,
numbers, and numpy's arrays of bytes and truth values. Anything else is refused by name, and nothing in the
file is run.
"""

from __future__ import annotations

import io
import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

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
_REFUSED = (
    pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4,
    pickle.NEXT_BUFFER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BinSet:
    """Images as they were encoded, 2 P of them, and (P,) whether pair 2 i, 2 i + 1 shows one person."""

    images: tuple[bytes, ...]
    same: tuple[bool, ...]


_InPython: Any = pickle._Unpickler


class _Restricted(_InPython):
    """Finds nothing but the names a ``.bin`` set needs, and calls them in the one way it needs.

    The interpreter in Python and not the one in C: there one opcode can reserve memory for two thousand
    million places.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_InPython.dispatch)

    def __init__(self, data: bytes, where: str) -> None:
        # Python 2 wrote byte strings as text of one byte a letter.
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._where, self._size = where, len(data)

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

    def load_reduce(self) -> None:
        function, values = self.stack[-2:]
        room = [value for value in values if isinstance(value, int)] if function in (bytes, bytearray) else []
        if room:
            raise self._too_long(room[0])
        if function is np.ndarray or (_is_reconstruct(function) and tuple(values[1]) != (0,)):
            raise DataError(f"{self._where} asks for memory", got=repr(values)[:80])
        super().load_reduce()

    def load_bytearray8(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        if length > self._size:
            raise self._too_long(length)
        self.append(bytearray(self.read(length)))

    def _too_long(self, length: int) -> DataError:
        where = f"{self._where}: an image is longer than the file"
        return DataError(where, expected=f"{self._size} bytes", got=str(length))

    def load_build(self) -> None:
        made = self.stack[-2]
        if not isinstance(made, np.ndarray | np.dtype):
            raise DataError(f"{self._where} changes an object", got=type(made).__name__)
        super().load_build()

    def refuse(self) -> None:
        """An opcode that no ``.bin`` set has."""
        raise DataError(f"{self._where} makes an object", expected="nothing but images and truth values")


_Restricted.dispatch[pickle.REDUCE[0]] = _Restricted.load_reduce
_Restricted.dispatch[pickle.BUILD[0]] = _Restricted.load_build
_Restricted.dispatch[pickle.BYTEARRAY8[0]] = _Restricted.load_bytearray8
for _code in _REFUSED:
    _Restricted.dispatch[_code[0]] = _Restricted.refuse


def _is_reconstruct(function: Any) -> bool:
    return getattr(function, "__name__", "") == "_reconstruct"


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
        return _checked(value, str(path), len(data))
    except DataError:
        raise
    except Exception as exc:  # a damaged pickle may raise nearly anything
        got = f"{type(exc).__name__}: {exc}"[:120]
        raise DataError(f"{path} is no .bin set", expected="a pickle of (images, same)", got=got) from exc


def _checked(value: Any, where: str, size: int) -> BinSet:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise DataError(f"{where} is no .bin set", expected="(images, same)", got=type(value).__name__)
    for part in value:
        if not isinstance(part, list | tuple | np.ndarray):
            raise DataError(f"{where} is no .bin set", expected="two lists", got=type(part).__name__)
        if len(part) > size:
            raise DataError(f"{where}: more entries than bytes", expected=f"{size}", got=str(len(part)))
    images, same = (list(part) for part in value)
    known: dict[int, bytes] = {}  # one image named many times is kept once
    for image in images:
        if id(image) not in known:
            known[id(image)] = _bytes(image, where, size)
    encoded = [known[id(image)] for image in images]
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
