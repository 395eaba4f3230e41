"""The list of contents of a zip, read so that an enemy's file costs little and says nothing twice.

``zipfile`` reads the whole list at the word of the file, and takes entries that share bytes: a few kilobytes
can then unpack to petabytes (Fifield 2019, "A better zip bomb"). Here the list is bounded before it is read,
and every entry must lie in a place of its own. Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.6.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from vnvision_demo.jobs import zip_texts as say

_END, _END64, _LOCATOR, _LISTED, _LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"PK\3\4"
_TAIL = 22 + 65535
_BYTES_AN_ENTRY = 1024
_UNKNOWN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a zip, as its list of contents has it.

    Attributes:
        raw_name: bytes of the name.
        utf8: whether the list says that they are UTF-8.
        unicode_name: the Unicode Path extra field, where there is one that fits the name's checksum.
        method: 0 stored, 8 deflated.
        encrypted: it needs a password.
        crc: of the contents.
        packed: bytes in the zip.
        unpacked: bytes that the list promises; not to be trusted.
        start: where its packed bytes begin.
        unix_mode: of the file that went in; 0 where it came from another system.
    """

    raw_name: bytes
    utf8: bool
    unicode_name: bytes
    method: int
    encrypted: bool
    crc: int
    packed: int
    unpacked: int
    start: int
    unix_mode: int


def read_directory(stream: BinaryIO, name: str, most: int) -> list[Entry]:
    """Every entry in the order of the list, folders among them.

    Args:
        stream: the open zip.
        name: of the zip, for errors.
        most: entries accepted.

    Raises:
        DataError: no zip, damaged, too many entries, or entries that share bytes.
    """
    size = stream.seek(0, 2)
    at, count, listed, offset = _end(stream, size, name)
    if count > most or listed > most * _BYTES_AN_ENTRY:
        raise say.too_large(name, ("files", "số tệp"), f"{most:,}")
    before = at - listed - offset  # what lies before the zip, as in those that unpack themselves
    if before < 0:
        raise say.damaged(name, "its list of contents is not where it should be")
    stream.seek(at - listed)
    found = list(_entries(_exactly(stream, listed, name), name, before, most))
    return _placed(stream, found, name, at - listed)


def _end(stream: BinaryIO, size: int, name: str) -> tuple[int, int, int, int]:
    """Where the list ends, its number of entries, its length, and the offset it claims."""
    stream.seek(max(0, size - _TAIL))
    tail = stream.read(_TAIL)
    at = _end_in(tail)
    if at < 0:
        raise say.damaged(name, "it has no list of contents")
    disk, start_disk, here, count, listed, offset, _ = struct.unpack_from("<HHHHIIH", tail, at + 4)
    at += max(0, size - _TAIL)
    if 0xFFFF in (disk, count) or _UNKNOWN in (listed, offset):
        return _end64(stream, at, name)
    if disk or start_disk or here != count:
        raise say.damaged(name, "it is one part of several")
    return at, count, listed, offset


def _end_in(tail: bytes) -> int:
    """Where the end record begins: its comment ends with the file, as the signature may stand in one."""
    at = tail.rfind(_END, 0, max(0, len(tail) - 18))
    while at >= 0 and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") != len(tail):
        at = tail.rfind(_END, 0, at + 3)
    return at


def _end64(stream: BinaryIO, at: int, name: str) -> tuple[int, int, int, int]:
    """The same from the 64-bit record, which the locator before the end points to (4.3.14, 4.3.15)."""
    if at < 20 + 56:
        raise say.damaged(name, "its list of contents is cut short")
    stream.seek(at - 20 - 56)
    record = _exactly(stream, 76, name)
    if record[:4] != _END64 or record[56:60] != _LOCATOR:
        raise say.damaged(name, "its list of contents is cut short")
    count, listed, offset = struct.unpack_from("<QQQ", record, 32)
    return at - 76, count, listed, offset


def _entries(table: bytes, name: str, before: int, most: int) -> Iterator[Entry]:
    at = number = 0
    while at < len(table):
        number += 1
        if number > most:
            raise say.too_large(name, ("files", "số tệp"), f"{most:,}")
        if table[at : at + 4] != _LISTED or len(table) - at < 46:
            raise say.damaged(name, "its list of contents is not in order")
        (made, _, flags, method, _, crc, packed, unpacked, n, m, k, _, _, mode, offset) = struct.unpack_from(
            "<HHHHIIIIHHHHHII", table, at + 4
        )
        raw, extra = table[at + 46 : at + 46 + n], table[at + 46 + n : at + 46 + n + m]
        at += 46 + n + m + k
        if at > len(table):
            raise say.damaged(name, "its list of contents is cut short")
        unpacked, packed, offset = _wide(extra, [unpacked, packed, offset], name)
        yield Entry(
            raw_name=raw,
            utf8=bool(flags & 0x800),
            unicode_name=_unicode_path(extra, raw),
            method=method,
            encrypted=bool(flags & 0x2041),
            crc=crc,
            packed=packed,
            unpacked=unpacked,
            start=offset + before,
            unix_mode=mode >> 16 if made >> 8 in (3, 19) else 0,
        )


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _wide(extra: bytes, values: list[int], name: str) -> list[int]:
    """Sizes and offset, those that do not fit 32 bits from the extra field for them (4.5.3)."""
    wanted = [i for i, value in enumerate(values) if value == _UNKNOWN]
    if not wanted:
        return values
    body = next((body for kind, body in _fields(extra) if kind == 1), b"")
    if len(body) < 8 * len(wanted):
        raise say.damaged(name, "the size of a file is missing")
    for place, i in enumerate(wanted):
        (values[i],) = struct.unpack_from("<Q", body, 8 * place)
    return values


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """Info-ZIP's Unicode Path (4.6.9); empty where it is of another name."""
    for kind, body in _fields(extra):
        if kind == 0x7075 and len(body) > 5 and body[0] == 1:
            (crc,) = struct.unpack_from("<I", body, 1)
            return body[5:] if crc == zlib.crc32(raw) else b""
    return b""


def _placed(stream: BinaryIO, entries: list[Entry], name: str, end: int) -> list[Entry]:
    """With ``start`` behind the local headers; each entry ends before the next begins."""
    found = dict[int, Entry]()
    free = 0
    for index in sorted(range(len(entries)), key=lambda i: entries[i].start):
        entry = entries[index]
        if entry.start < free:
            raise say.overlapping(name)
        if entry.start + 30 > end:
            raise say.damaged(name, "a file lies outside it")
        stream.seek(entry.start)
        head = _exactly(stream, 30, name)
        n, m = struct.unpack_from("<HH", head, 26)
        if head[:4] != _LOCAL:
            raise say.damaged(name, "a file is not where the list says")
        start = entry.start + 30 + n + m
        free = start + entry.packed
        if free > end:
            raise say.damaged(name, "a file lies outside it")
        found[index] = replace(entry, start=start)
    return [found[index] for index in range(len(entries))]


def _exactly(stream: BinaryIO, count: int, name: str) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise say.damaged(name, "it is cut short")
    return data
