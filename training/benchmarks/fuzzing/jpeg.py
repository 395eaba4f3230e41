"""Mutations of JPEG marker segments."""

from __future__ import annotations

import random

from fuzzing import draw

MARKERS = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC8, 0xC9, 0xCA, 0xCC, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB)
MARKERS += (0xDC, 0xDD, 0xDE, 0xE0, 0xE1, 0xE2, 0xEE, 0xF7, 0xF8, 0xFE, 0x01, 0x00, 0xFF)
Segments = list[tuple[int, bytes]]  # marker, and what follows its length field


def split(data: bytes) -> tuple[Segments, bytes]:
    """The segments up to the first scan's header, and the rest of the file."""
    segments: Segments = []
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, size = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if size < 2:
            break
        segments.append((marker, data[place + 4 : place + 2 + size]))
        place += 2 + size
        if marker == 0xDA:
            break
    return segments, data[place:]


def join(segments: Segments, rest: bytes) -> bytes:
    parts = [b"\xff\xd8"]
    for marker, body in segments:
        parts.append(bytes((0xFF, marker)) + min(len(body) + 2, 65535).to_bytes(2, "big") + body[:65533])
    return b"".join([*parts, rest])


def _one(rng: random.Random, segments: Segments, *markers: int) -> int | None:
    places = [index for index, (marker, _) in enumerate(segments) if not markers or marker in markers]
    return rng.choice(places) if places else None


def body(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The content of one segment: tables, EXIF, Adobe's colour marker."""
    segments, rest = split(data)
    index = _one(rng, segments)
    if index is None:
        return data
    marker, old = segments[index]
    segments[index] = (marker, rng.choice(draw.BLIND)(rng, old, other))
    return join(segments, rest)


def frame(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Precision, size, channels, sampling factors or table numbers in the frame header."""
    segments, rest = split(data)
    index = _one(rng, segments, 0xC0, 0xC1, 0xC2)
    if index is None or len(segments[index][1]) < 6:
        return data
    marker, out = segments[index][0], bytearray(segments[index][1])
    for _ in range(rng.choice((1, 1, 2))):
        if rng.random() < 0.5:
            place = rng.choice((1, 3))
            out[place : place + 2] = rng.choice((draw.number(rng, 2), rng.randrange(200))).to_bytes(2, "big")
        else:
            out[rng.randrange(len(out))] = rng.choice((0, 1, 2, 3, 4, 8, 12, 0x11, 0x22, 0x41, 0xFF))
    if rng.random() < 0.1:
        out[1:5] = rng.choice(
            (b"\x27\x10\x27\x10", b"\xff\xff\xff\xff", b"\xff\xff\x05\xf5", b"\0\1\xff\xff")
        )
    segments[index] = (marker, bytes(out))
    return join(segments, rest)


def shuffle(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Segments left out, doubled, moved, renamed, or taken from the other file."""
    segments, rest = split(data)
    index = _one(rng, segments)
    if index is None:
        return data
    what = rng.randrange(5)
    if what == 0:
        del segments[index]
    elif what == 1:
        segments.insert(rng.randrange(len(segments) + 1), segments[index])
    elif what == 2:
        segments.insert(rng.randrange(len(segments)), segments.pop(index))
    elif what == 3:
        segments[index] = (rng.choice(MARKERS), segments[index][1])
    else:
        segments.insert(index, rng.choice(split(other)[0] or segments))
    return join(segments, rest)


def foreign(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A segment of drawn content; restart intervals, Adobe and EXIF ones among them."""
    segments, rest = split(data)
    drawn = (rng.choice(MARKERS), rng.randbytes(rng.choice((0, 1, 2, 4, 14, 200))))
    adobe = (0xEE, b"Adobe\0d\0\0\0\0" + bytes([rng.choice((0, 1, 2, 7))]))
    restart = (0xDD, draw.number(rng, 2).to_bytes(2, "big"))
    exif = (0xE1, b"Exif\0\0" + rng.choice((b"II*\0", b"MM\0*")) + rng.randbytes(rng.choice((0, 4, 60))))
    segments.insert(rng.randrange(len(segments) + 1), rng.choice((drawn, adobe, restart, exif)))
    return join(segments, rest)


def scan(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The compressed pixels and the scans behind the first, the headers left alone."""
    segments, rest = split(data)
    if rng.random() < 0.2:
        place = draw.at(rng, rest)
        marker = bytes((0xFF, rng.choice((*range(0xD0, 0xDA), *MARKERS))))
        return join(segments, rest[:place] + marker + rest[place:])
    return join(segments, rng.choice(draw.BLIND)(rng, rest, other))


def false_length(rng: random.Random, data: bytes, other: bytes) -> bytes:
    segments, _ = split(data)
    index = _one(rng, segments)
    if index is None:
        return data
    place = 2 + sum(4 + len(body) for _, body in segments[:index])
    old = len(segments[index][1]) + 2
    new = rng.choice((old + 1, old - 1, 0, 1, 2, 3, draw.number(rng, 2)))
    return data[: place + 2] + (new & 0xFFFF).to_bytes(2, "big") + data[place + 4 :]


def closed(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Cut, then given the end marker that a decoder looks for."""
    return draw.cut(rng, data, other) + b"\xff\xd9"


AWARE: tuple[draw.Mutation, ...] = (
    body,
    body,
    frame,
    frame,
    shuffle,
    foreign,
    scan,
    scan,
    false_length,
    closed,
)
