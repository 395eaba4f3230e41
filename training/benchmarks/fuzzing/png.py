"""Mutations of PNG chunks whose checksums are made right again, so that the decoder behind is reached."""

from __future__ import annotations

import random
import struct
import zlib

from fuzzing import draw, seeds

HEAD = b"\x89PNG\r\n\x1a\n"
KINDS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"tEXt")
KINDS += (b"zTXt", b"iTXt", b"pHYs", b"acTL", b"fcTL", b"fdAT", b"sBIT", b"bKGD", b"hIST", b"tIME", b"xxXx")
Chunks = list[tuple[bytes, bytes]]


def split(data: bytes) -> Chunks:
    """Kinds and bodies of the chunks that are whole."""
    chunks, place = [], len(HEAD)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            break
        chunks.append((data[place + 4 : place + 8], data[place + 8 : end - 4]))
        place = end
    return chunks


def join(chunks: Chunks) -> bytes:
    return HEAD + b"".join(seeds.chunk(kind, body) for kind, body in chunks)


def repair(data: bytes) -> bytes:
    """The whole chunks with right checksums, and an end; what is no chunk is left out."""
    chunks = split(data) if data.startswith(HEAD) else []
    if not chunks:
        return data
    return join(chunks if chunks[-1][0] == b"IEND" else [*chunks, (b"IEND", b"")])


def body(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The body of one chunk changed blindly, the checksum right."""
    chunks = split(data)
    if not chunks:
        return data
    index = rng.randrange(len(chunks))
    kind, old = chunks[index]
    chunks[index] = (kind, rng.choice(draw.BLIND)(rng, old, other))
    return join(chunks)


def header(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """One field of IHDR: sizes of bombs, depths and colours that do not exist."""
    chunks = split(data)
    if not chunks or len(chunks[0][1]) != 13:
        return data
    values = list(struct.unpack(">IIBBBBB", chunks[0][1]))
    for _ in range(rng.choice((1, 1, 2))):
        which = rng.randrange(7)
        small = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, rng.randrange(256)))
        values[which] = rng.choice((draw.number(rng, 4), rng.randrange(100))) if which < 2 else small
    if rng.random() < 0.1:
        values[:2] = rng.choice(((10_000, 10_000), (2**31 - 1,) * 2, (65_535, 1_500), (1, 10**8)))
    chunks[0] = (chunks[0][0], struct.pack(">IIBBBBB", *values))
    return join(chunks)


def shuffle(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Chunks left out, doubled, moved, renamed, or taken from the other file."""
    chunks = split(data)
    if not chunks:
        return data
    what, index = rng.randrange(5), rng.randrange(len(chunks))
    if what == 0:
        del chunks[index]
    elif what == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[index])
    elif what == 2:
        chunks.insert(rng.randrange(len(chunks)), chunks.pop(index))
    elif what == 3:
        chunks[index] = (rng.choice(KINDS), chunks[index][1])
    else:
        chunks.insert(index, rng.choice(split(other) or chunks))
    return join(chunks)


def foreign(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A chunk of drawn or empty content, or one that unpacks to far more than it holds."""
    chunks, kind = split(data), rng.choice(KINDS)
    content = rng.randbytes(rng.choice((0, 1, 4, 13, 26, 100)))
    if rng.random() < 0.3:
        packed = zlib.compress(bytes(rng.choice((1000, 2_000_000))))
        named = ((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"IDAT", b""))
        kind, lead = rng.choice(named)
        content = lead + packed
    chunks.insert(rng.randrange(1, len(chunks) + 1) if chunks else 0, (kind, content))
    return join(chunks)


def pixels(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The rows changed below the compression: filter bytes, missing rows, too many of them."""
    chunks = split(data)
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    try:
        raw = zlib.decompressobj().decompress(packed, 1_000_000)
    except zlib.error:
        return data
    raw = rng.choice(draw.BLIND)(rng, raw, other)
    if rng.random() < 0.1:
        raw += bytes(rng.choice((1, 1000, 3_000_000)))
    changed = (b"IDAT", zlib.compress(raw, rng.choice((0, 1, 9))))
    places = [index for index, (kind, _) in enumerate(chunks) if kind == b"IDAT"]
    rest = [item for item in chunks if item[0] != b"IDAT"]
    rest.insert(places[0] if places else len(rest), changed)
    return join(rest)


def false_length(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The length of one chunk, with the checksum of what it then covers."""
    places, place = [], len(HEAD)
    for _, content in split(data):
        places.append((place, len(content)))
        place += 12 + len(content)
    if not places:
        return data
    place, old = rng.choice(places)
    new = rng.choice((old + 1, max(old - 1, 0), 0, old + 12, draw.number(rng, 4)))
    out = data[:place] + struct.pack(">I", new) + data[place + 4 :]
    end = place + 8 + new
    if end + 4 <= len(out) and rng.random() < 0.7:
        out = out[:end] + struct.pack(">I", zlib.crc32(out[place + 4 : end])) + out[end + 4 :]
    return out


AWARE: tuple[draw.Mutation, ...] = (
    body,
    body,
    header,
    header,
    shuffle,
    foreign,
    pixels,
    pixels,
    false_length,
)
