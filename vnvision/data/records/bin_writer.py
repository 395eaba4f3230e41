"""Writes ``.bin`` verification sets."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from pathlib import Path

from vnvision import atomic
from vnvision.errors import DataError


def write_bin(images: Sequence[bytes], same: Sequence[bool], path: str | Path) -> Path:
    """Write a ``.bin`` set as a pickle of protocol 3 that holds lists, byte strings and truth values only.

    Written opcode by opcode: what any reader of such sets loads, and nothing that needs a name.

    Args:
        images: 2 P encoded images.
        same: (P,) whether images 2 i and 2 i + 1 show one person.
        path: the file.

    Raises:
        DataError: numbers that do not fit, no pair, an image that is no bytes, or it cannot be written.
    """
    if len(images) != 2 * len(same) or not len(same):
        got = f"{len(images)} images, {len(same)} pairs"
        raise DataError(f"{path}: images and pairs do not fit", expected="two images a pair", got=got)
    wrong = [type(image).__name__ for image in images if not isinstance(image, bytes)]
    if wrong:
        raise DataError(f"{path}: an image", expected="bytes of an image file", got=wrong[0])
    parts = [pickle.PROTO, b"\x03", pickle.EMPTY_LIST, pickle.MARK]
    for image in images:
        parts += [pickle.BINBYTES, struct.pack("<I", len(image)), image]
    parts += [pickle.APPENDS, pickle.EMPTY_LIST, pickle.MARK]
    parts += [pickle.NEWTRUE if flag else pickle.NEWFALSE for flag in same]
    parts += [pickle.APPENDS, pickle.TUPLE2, pickle.STOP]
    try:
        return atomic.write_bytes(path, b"".join(parts))
    except OSError as exc:
        raise DataError(f"cannot write {path}", got=exc.strerror or str(exc)) from exc
