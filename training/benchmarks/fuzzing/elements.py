"""DICOM files as a flat row of elements (PS3.5, section 7), read so tolerantly that damaged ones pass too."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace

IMPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END, PIXELS = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x7FE00010
SYNTAX = 0x00020010


@dataclass(frozen=True)
class Element:
    """One element or item header with the value behind it; sequences are open, their content follows."""

    tag: int
    vr: bytes  # empty where the syntax is implicit, and for items
    length: int  # as written, true or not
    value: bytes

    def changed(self, value: bytes) -> Element:
        """Another value, its length right and even."""
        value += b"\0" * (len(value) % 2)
        return replace(self, value=value, length=len(value))


@dataclass(frozen=True)
class File:
    """A file taken apart: what precedes the data set, the data set, and how it is written."""

    meta: list[Element]
    data: list[Element]
    syntax: str
    rest: bytes = b""


def _read(data: bytes, order: str, implicit: bool) -> tuple[list[Element], bytes]:
    elements, place, inside_pixels = [], 0, False
    while place + 8 <= len(data):
        group, number = struct.unpack_from(order + "HH", data, place)
        tag = group << 16 | number
        vr = b"" if implicit or group == 0xFFFE else data[place + 4 : place + 6]
        if vr in LONG_VRS or not vr:
            at = place + (8 if vr else 4)
            if at + 4 > len(data):
                break
            (length,) = struct.unpack_from(order + "I", data, at)
            start = at + 4
        else:
            (length,) = struct.unpack_from(order + "H", data, place + 6)
            start = place + 8
        opened = length == UNDEFINED or vr == b"SQ" or (group == 0xFFFE and not inside_pixels)
        end = start if opened else min(start + length, len(data))
        elements.append(Element(tag, vr, length, data[start:end]))
        inside_pixels = (inside_pixels or (tag == PIXELS and length == UNDEFINED)) and tag != SEQUENCE_END
        place = end
    return elements, data[place:]


def _write(elements: list[Element], order: str, implicit: bool) -> bytes:
    parts = []
    for element in elements:
        parts.append(struct.pack(order + "HH", element.tag >> 16, element.tag & 0xFFFF))
        if implicit or not element.vr:
            parts.append(struct.pack(order + "I", element.length & UNDEFINED))
        elif element.vr in LONG_VRS:
            parts.append(element.vr + b"\0\0" + struct.pack(order + "I", element.length & UNDEFINED))
        else:
            parts.append(element.vr + struct.pack(order + "H", element.length & 0xFFFF))
        parts.append(element.value)
    return b"".join(parts)


def _layout(syntax: str) -> tuple[str, bool]:
    return (">" if syntax == BIG else "<"), syntax == IMPLICIT


def split(data: bytes) -> File | None:
    """A DICOM file taken apart; None where it has no preamble."""
    if data[128:132] != b"DICM":
        return None
    place = 132  # group 2 is always explicit and little endian
    while data[place : place + 2] == b"\x02\x00" and place + 8 <= len(data):
        vr = data[place + 4 : place + 6]
        if vr in LONG_VRS:
            place += 12 + int.from_bytes(data[place + 8 : place + 12], "little")
        else:
            place += 8 + int.from_bytes(data[place + 6 : place + 8], "little")
    meta, _ = _read(data[132:place], "<", implicit=False)
    named = [element.value for element in meta if element.tag == SYNTAX]
    syntax = named[0].rstrip(b"\0 ").decode("latin-1") if named else IMPLICIT
    body = data[place:]
    if syntax == DEFLATED:
        try:
            body = zlib.decompressobj(-15).decompress(body, 4_000_000)
        except zlib.error:
            return None
    elements, rest = _read(body, *_layout(syntax))
    return File(meta, elements, syntax, rest)


def join(file: File) -> bytes:
    """The bytes of a file, written as ``syntax`` says, whatever ``meta`` names."""
    body = _write(file.data, *_layout(file.syntax)) + file.rest
    if file.syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(body) + packer.flush()
    return b"\0" * 128 + b"DICM" + _write(file.meta, "<", implicit=False) + body


def number(value: int, file: File) -> bytes:
    """An unsigned short as this file writes it."""
    return struct.pack(_layout(file.syntax)[0] + "H", value & 0xFFFF)
