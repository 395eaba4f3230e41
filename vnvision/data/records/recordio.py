"""RecordIO framing and the image header of MXNet, as pure functions over bytes.

A record is a magic word, a word of three flag bits and 29 bits of length, the payload, and zeros up to a
multiple of four bytes. A payload that holds the magic word at a multiple of four bytes is split there into
parts and the word is left out, so that the word always means the start of a part. Flags: 0 a whole record, 1
its first part, 2 a middle part, 3 its last (the RecordIO format of dmlc-core).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError

MAGIC = 0xCED7230A
MAX_PART = (1 << 29) - 1
"""Bytes of one part: the length has 29 bits."""

MAX_LABELS = 1 << 16
MAX_EXACT = 1 << 24
"""Whole numbers up to here are exact in float32, which labels are kept in."""

_WORD = struct.pack("<I", MAGIC)
_HEADER = struct.Struct("<IfQQ")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)

ReadAt = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """One record of an image set.

    Attributes:
        label: (K,) float32; K is 1 where the header's flag is 0.
        id: as the writer chose it, mostly the record's number.
        data: the encoded image, or nothing.
        id2: a second one, mostly 0.
        flag: 0 where the label is a single number, else how many numbers it has.
    """

    label: np.ndarray
    id: int
    data: bytes
    id2: int = 0
    flag: int = 0


def frame(payload: bytes) -> bytes:
    """The bytes of one record.

    Raises:
        DataError: a part is longer than the format can say.
    """
    parts, start, at = [], 0, payload.find(_WORD)
    while at >= 0:
        if at % 4 == 0:
            parts.append(payload[start:at])
            start = at + 4
            at = payload.find(_WORD, start)
        else:
            at = payload.find(_WORD, at + 1)
    parts.append(payload[start:])
    if max(map(len, parts)) > MAX_PART:
        longest = max(map(len, parts))
        raise DataError("a record is too long", expected=f"at most {MAX_PART:,} bytes", got=f"{longest:,}")
    last = len(parts) - 1
    framed = []
    for number, part in enumerate(parts):
        kind = _WHOLE if not last else _FIRST if number == 0 else _LAST if number == last else _MIDDLE
        framed += [struct.pack("<II", MAGIC, kind << 29 | len(part)), part, b"\0" * (-len(part) % 4)]
    return b"".join(framed)


def unframe(read: ReadAt, offset: int, size: int, where: str) -> tuple[bytes, int]:
    """The payload of the record at ``offset``, and the offset behind it.

    Args:
        read: gives bytes at (offset, length).
        offset: of the record.
        size: of the file.
        where: names file and record in errors.

    Raises:
        DataError: no record starts there, it is cut short, or its parts are out of order.
    """
    parts: list[bytes] = []
    while True:
        head = read(offset, 8)
        if len(head) < 8:
            raise DataError(f"{where} is cut short", expected="8 bytes of a header", got=str(len(head)))
        magic, word = struct.unpack("<II", head)
        kind, length = word >> 29, word & MAX_PART
        if magic != MAGIC:
            raise DataError(f"{where}: no record starts here", expected=hex(MAGIC), got=hex(magic))
        if kind not in ((_MIDDLE, _LAST) if parts else (_WHOLE, _FIRST)):
            raise DataError(f"{where}: its parts are out of order", got=f"flag {kind} at byte {offset}")
        if offset + 8 + length > size:
            there = size - offset - 8
            raise DataError(f"{where} is cut short", expected=f"{length} bytes", got=str(there))
        parts.append(read(offset + 8, length))
        offset += 8 + length + -length % 4
        if kind in (_WHOLE, _LAST):
            return _WORD.join(parts), offset


def pack_image(record: ImageRecord) -> bytes:
    """Header and image as one payload.

    Raises:
        DataError: a label that is no vector, or that float32 would change, or ids below 0.
    """
    label = np.asarray(record.label, np.float32).ravel()
    if (record.flag == 0 and len(label) != 1) or record.flag not in (0, len(label)):
        raise DataError("a record's label", expected=f"{record.flag or 1} numbers", got=str(len(label)))
    if min(record.id, record.id2) < 0:
        raise DataError("a record's id", expected="0 or more", got=str(min(record.id, record.id2)))
    single = float(label[0]) if record.flag == 0 else 0.0
    vector = b"" if record.flag == 0 else label.astype("<f4").tobytes()
    return _HEADER.pack(record.flag, single, record.id, record.id2) + vector + record.data


def unpack_image(payload: bytes, where: str) -> ImageRecord:
    """Header and image of a payload.

    Raises:
        DataError: shorter than its header says.
    """
    if len(payload) < _HEADER.size:
        raise DataError(
            f"{where} has no image header", expected=f"{_HEADER.size} bytes", got=str(len(payload))
        )
    flag, single, number, second = _HEADER.unpack_from(payload)
    if flag == 0:
        return ImageRecord(np.array([single], np.float32), number, payload[_HEADER.size :], second)
    end = _HEADER.size + 4 * flag
    if flag > MAX_LABELS or end > len(payload):
        raise DataError(f"{where}: its label is longer than the record", got=f"{flag} numbers")
    label = np.frombuffer(payload, "<f4", flag, _HEADER.size).astype(np.float32)
    return ImageRecord(label, number, payload[end:], second, flag)
