"""What GDCM does not survive: it ends the whole program over some damaged files, so they never reach it.

Found by fuzzing python-gdcm 3.2.6: its own checks throw through the binding, which nothing in Python can
catch.
"""

from __future__ import annotations

_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_SCAN, _STUFFING = 0xDA, 0x00
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_JFIF, _ADOBE = (0xE0, b"JFIF\0"), (0xEE, b"Adobe")


def aborts_gdcm(frame: bytes, allocated: int, stored: int) -> str | None:
    """Why GDCM would end the program over a JPEG frame; None where it would not.

    It allows no warning of its JPEG library before the first scan (stray bytes between the segments, a JFIF
    version or an Adobe colour transform it does not know), no more than 16 bits, and no unused bits in 8.
    """
    if frame.startswith(_JPEG_2000):
        return None
    if allocated > 16:
        return f"{allocated} bits, where JPEG has at most 16"
    if stored < allocated == 8:
        return f"{stored} of 8 bits in use"
    return _untidy(frame) if frame.startswith(_JPEG) else None


def _untidy(frame: bytes) -> str | None:
    """What the JPEG library would warn of before the first scan."""
    at = 2
    while at + 4 <= len(frame):
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if frame[at] != 0xFF or marker == _STUFFING:
            return "stray bytes between its segments"
        if marker == _SCAN:
            return None
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif length < 2:
            return "a segment of impossible length"
        else:
            body = frame[at + 4 : at + 2 + length]
            if (marker, body[:5]) == _JFIF and len(body) >= 14 and body[5] != 1:
                return f"JFIF version {body[5]}"
            if (marker, body[:5]) == _ADOBE and len(body) >= 12 and body[11] > 1:
                return f"Adobe colour transform {body[11]}"
            at += 2 + length
    return None
