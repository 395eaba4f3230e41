"""RLE frames without slack (PS3.5 Annex G)."""

from __future__ import annotations

from vnvision.errors import DataError

_HEADER = 64


def stripped(frame: bytes, pixels: int) -> bytes:
    """The same segments, each cut where it has given its last pixel, behind a header of offsets only.

    Args:
        frame: header and segments.
        pixels: rows times columns: what every segment unpacks to.

    Raises:
        DataError: the frame is damaged.
    """
    count = int.from_bytes(frame[:4], "little")
    if len(frame) < _HEADER or not 1 <= count <= 15:
        raise _damaged("no header")
    starts = [int.from_bytes(frame[4 * i + 4 : 4 * i + 8], "little") for i in range(count)]
    offsets, segments, at = [], [], _HEADER
    for start, limit in zip(starts, [*starts[1:], len(frame)], strict=True):
        if not _HEADER <= start <= limit <= len(frame):
            raise _damaged("offsets out of order")
        segment = frame[start : _end(frame, start, limit, pixels)]
        segment += b"\0" * (len(segment) % 2)
        offsets.append(at)
        segments.append(segment)
        at += len(segment)
    header = b"".join(number.to_bytes(4, "little") for number in [count, *offsets])
    return header.ljust(_HEADER, b"\0") + b"".join(segments)


def _end(frame: bytes, at: int, limit: int, pixels: int) -> int:
    filled = 0
    while filled < pixels:
        if at >= limit:
            raise _damaged("a segment that is cut short")
        control = frame[at]
        if control < 128:
            at, filled = at + control + 2, filled + control + 1
        elif control > 128:
            at, filled = at + 2, filled + 257 - control
        else:
            at += 1
    return min(at, limit)


def _damaged(got: str) -> DataError:
    return DataError("a compressed frame is damaged", expected="RLE segments", got=got)
