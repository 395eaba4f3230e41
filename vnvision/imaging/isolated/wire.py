"""What passes between reader and decoder process: a JSON head, then raw bytes. Nothing is unpickled.

A message is the head's length (4 bytes, big-endian), the head (UTF-8 JSON), and the buffers whose lengths
the head lists under ``sizes``. The decoder process is the side that a hostile file may have taken over, so
every length, type and shape it sends is checked before it is used.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import fields
from io import RawIOBase
from typing import Any

import numpy as np

from vnvision.records import Sample

MAX_HEAD_BYTES = 8 * 2**20
_LENGTH = struct.Struct(">I")
_DTYPES = frozenset(
    np.dtype(order + kind).str
    for order in "<>"
    for kind in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
)
_SAMPLE_FIELDS = frozenset(field.name for field in fields(Sample))


class WireError(Exception):
    """The other side sent what is not a message."""


def send(stream: RawIOBase, head: dict[str, Any], buffers: Sequence[memoryview] = ()) -> None:
    """Write one message; returns when all of it is with the system.

    Raises:
        WireError: the head is longer than a message may carry.
        OSError: the other side is gone.
    """
    text = json.dumps(head | {"sizes": [buffer.nbytes for buffer in buffers]}).encode()
    if len(text) > MAX_HEAD_BYTES:
        raise WireError(f"{len(text):,} bytes of metadata")
    for view in (memoryview(_LENGTH.pack(len(text)) + text), *buffers):
        rest = view
        while rest.nbytes:
            rest = rest[stream.write(rest) or 0 :]


def receive(stream: RawIOBase, max_bytes: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read one message: its head, and its buffers as writable uint8 arrays.

    Args:
        stream: unbuffered.
        max_bytes: the most that all buffers together may hold.

    Raises:
        EOFError: the other side is gone, between messages or inside one.
        WireError: lengths beyond the limits, or a head that is not JSON.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size).tobytes())
    if length > MAX_HEAD_BYTES:
        raise WireError(f"a head of {length:,} bytes")
    try:
        head = json.loads(_exactly(stream, length).tobytes())
    except (ValueError, RecursionError) as exc:
        raise WireError("a head that is not JSON") from exc
    sizes = head.get("sizes") if isinstance(head, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise WireError("a head without sizes")
    if sum(sizes) > max_bytes:
        raise WireError(f"{sum(sizes):,} bytes where at most {max_bytes:,} fit")
    return head, [_exactly(stream, size) for size in sizes]


def _exactly(stream: RawIOBase, length: int) -> np.ndarray:
    data = np.empty(length, np.uint8)
    view = data.data
    while view.nbytes:
        count = stream.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data


def pack(value: Any, buffers: list[memoryview]) -> Any:
    """A value as JSON; arrays and bytes go to ``buffers``. Containers are tagged, so tuples stay tuples.

    Raises:
        TypeError: a value of another type than None, bool, int, float, str, bytes, list, tuple, dict, number
            of numpy or array of numbers.
    """
    plain = value is None or isinstance(value, bool | int | float | str)
    if plain and not isinstance(value, np.generic):
        return value
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [pack(item, buffers) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(key, buffers), pack(item, buffers)] for key, item in value.items()]}
    if isinstance(value, bytes | bytearray | memoryview):
        view = memoryview(value)
        buffers.append((view if view.contiguous else memoryview(view.tobytes())).cast("B"))
        return {"bytes": len(buffers) - 1}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value, order="C")
        if array.dtype.str in _DTYPES:
            buffers.append(array.reshape(-1).view(np.uint8).data)
            kind = "array" if isinstance(value, np.ndarray) else "number"
            return {kind: [len(buffers) - 1, array.dtype.str, list(array.shape)]}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def unpack(tree: Any, buffers: Sequence[np.ndarray]) -> Any:
    """The value that ``pack`` was given.

    Raises:
        WireError: what ``pack`` never writes.
    """
    try:
        return _unpack(tree, buffers)
    except (ValueError, TypeError, IndexError, RecursionError) as exc:
        raise WireError(f"a value that makes no sense ({exc})") from exc


def _unpack(tree: Any, buffers: Sequence[np.ndarray]) -> Any:
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise WireError("a list without a tag")
        return tree
    ((kind, body),) = tree.items()
    if kind in ("list", "tuple"):
        items = [_unpack(item, buffers) for item in body]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {_unpack(key, buffers): _unpack(item, buffers) for key, item in body}
    if kind == "bytes":
        return _buffer(buffers, body).tobytes()
    if kind in ("array", "number"):
        array = _array(buffers, *body)
        return array if kind == "array" else array[()]
    raise WireError(f"an unknown tag {kind!r}")


def _buffer(buffers: Sequence[np.ndarray], index: Any) -> np.ndarray:
    if type(index) is not int or not 0 <= index < len(buffers):
        raise WireError("a buffer that was not sent")
    return buffers[index]


def _array(buffers: Sequence[np.ndarray], index: Any, dtype: Any, shape: Any) -> np.ndarray:
    data = _buffer(buffers, index)
    if dtype not in _DTYPES or not all(type(side) is int and side >= 0 for side in shape):
        raise WireError("an array of an unknown kind")
    if math.prod(shape) * np.dtype(dtype).itemsize != data.nbytes:
        raise WireError(f"{data.nbytes:,} bytes for an array of shape {shape} and type {dtype}")
    array: np.ndarray = data.view(dtype).reshape(shape)
    return array


def pack_sample(sample: Sample, buffers: list[memoryview]) -> dict[str, Any]:
    """A sample as JSON, its arrays in ``buffers``."""
    return {name: pack(getattr(sample, name), buffers) for name in sorted(_SAMPLE_FIELDS)}


def unpack_sample(tree: Any, buffers: Sequence[np.ndarray]) -> Sample:
    """The sample that ``pack_sample`` was given.

    Raises:
        WireError: fields are missing or unknown, or the image is not (H, W, C).
    """
    if not isinstance(tree, dict) or set(tree) != _SAMPLE_FIELDS:
        raise WireError("a sample with other fields")
    values = {name: unpack(value, buffers) for name, value in tree.items()}
    image, meta = values["image"], values["meta"]
    if not isinstance(image, np.ndarray) or image.ndim != 3 or not isinstance(meta, dict):
        raise WireError("a sample without an image (H, W, C)")
    return Sample(**values)
