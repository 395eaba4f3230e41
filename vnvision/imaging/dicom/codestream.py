"""The size that a compressed frame itself states, read before a decoder gets to see it."""

from __future__ import annotations

import struct

_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length: TEM, RST0-7, SOI
_FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}  # SOF0-15; SOF55 of JPEG-LS
_END, _SCAN = 0xD9, 0xDA


def stated_size(frame: bytes) -> tuple[int, int, int] | None:
    """Columns, rows and components of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream.

    Source: ISO/IEC 10918-1 B.2.2 (SOF), ISO/IEC 14495-1 C.2.2 (SOF55), ISO/IEC 15444-1 A.5.1 (SIZ). None
    where the frame begins as none of them, or ends before it states its size.
    """
    if frame.startswith(b"\xff\x4f\xff\x51") and len(frame) >= 42:
        width, height, left, top = struct.unpack_from(">IIII", frame, 8)
        return width - left, height - top, struct.unpack_from(">H", frame, 40)[0]
    return _jpeg_size(frame) if frame.startswith(b"\xff\xd8") else None


def has_end(frame: bytes) -> bool:
    """Whether a JPEG or JPEG-LS codestream comes to its end marker (EOI), padding behind it left aside.

    True for other codestreams. A decoder may search for the rest of a cut one for seconds.
    """
    return not frame.startswith(b"\xff\xd8") or b"\xff\xd9" in frame[-16:]


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    at = 2
    while at + 4 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in (_END, _SCAN):
            return None
        elif marker in _FRAMES:
            if at + 10 > len(frame):
                return None
            height, width, components = struct.unpack_from(">HHB", frame, at + 5)
            return width, height, components
        else:
            at += 2 + max(2, int(struct.unpack_from(">H", frame, at + 2)[0]))
    return None
