"""JPEG and JPEG-LS frames without their comments and application data (ISO/IEC 10918-1 and 14495-1)."""

from __future__ import annotations

from vnvision.errors import DataError

_SOI, _EOI, _SOS, _DHT, _DQT, _DRI, _LSE = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xF8
_APP0, _APP8, _APP14 = 0xE0, 0xE8, 0xEE
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7} - {_DHT, 0xC8, 0xCC})
_OTHERS = frozenset({0xCC, 0xDC})  # arithmetic conditioning, number of lines
_RESTARTS = range(0xD0, 0xD8)


def stripped(frame: bytes) -> bytes:
    """The same compressed picture with the segments that decoding needs, and nothing else.

    Kept are frame, table and scan headers, the entropy-coded data, and three application segments that decide
    on colours, written anew: JFIF without its thumbnail, Adobe's transform flag, and the colour transform of
    JPEG-LS. Comments, EXIF, colour profiles and everything behind the end of the image go.

    Raises:
        DataError: no JPEG, or a damaged one.
    """
    if frame[:2] != bytes((0xFF, _SOI)):
        raise _damaged("no start of image")
    out, at, lossless = [frame[:2]], 2, False
    while True:
        while frame[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 2 > len(frame) or frame[at] != 0xFF:
            raise _damaged("bytes between its segments, or no end of image")
        marker = frame[at + 1]
        if marker == _EOI:
            return b"".join([*out, b"\xff\xd9"])
        length = int.from_bytes(frame[at + 2 : at + 4], "big")
        body = frame[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise _damaged("a segment that is cut short")
        at += 2 + length
        lossless = lossless or marker == 0xF7
        kept = _kept(marker, body)
        if kept is not None:
            out.append(bytes((0xFF, marker)) + (len(kept) + 2).to_bytes(2, "big") + kept)
        if marker == _SOS:
            end = _scan_end(frame, at, lossless)
            out.append(frame[at:end])
            at = end


def _kept(marker: int, body: bytes) -> bytes | None:
    """The body of a segment as it may stay, None for one that goes."""
    if marker == _APP0 and body[:5] == b"JFIF\0" and len(body) >= 12:
        return body[:12] + b"\0\0"
    if marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
        return b"Adobe" + b"\0\x64\0\0\0\0" + body[11:12]
    if marker == _APP8 and body[:4] == b"mrfx" and len(body) >= 5:
        return body[:5]
    sized = {_DHT: _huffman_bytes, _DQT: _quantiser_bytes, _DRI: lambda _: 2, _SOS: _scan_bytes}
    if marker in sized:
        return _exactly(body, sized[marker](body))
    if marker in _FRAMES:
        return _exactly(body, 6 + 3 * body[5] if len(body) > 5 else -1)
    return body if marker in _OTHERS or marker == _LSE else None


def _exactly(body: bytes, length: int) -> bytes:
    if length != len(body):
        raise _damaged("a segment of another length than its content has")
    return body


def _huffman_bytes(body: bytes) -> int:
    at = 0
    while at + 17 <= len(body):
        at += 17 + sum(body[at + 1 : at + 17])
    return at


def _quantiser_bytes(body: bytes) -> int:
    at = 0
    while at < len(body):
        at += 129 if body[at] >> 4 else 65
    return at


def _scan_bytes(body: bytes) -> int:
    return 4 + 2 * body[0] if body else -1


def _scan_end(frame: bytes, at: int, lossless: bool) -> int:
    """Where the entropy-coded data end: at the next marker that is no restart."""
    while True:
        at = frame.find(b"\xff", at)
        if at < 0 or at + 1 >= len(frame):
            raise _damaged("no end of image")
        after = frame[at + 1]
        if after in _RESTARTS or (after < 0x80 if lossless else after == 0):
            at += 2
        elif after == 0xFF:
            at += 1
        else:
            return at


def _damaged(got: str) -> DataError:
    return DataError("a compressed frame is damaged", expected="a JPEG picture", got=got)
