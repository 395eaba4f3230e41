"""Mutations that know nothing of the format."""

from __future__ import annotations

import random
from collections.abc import Callable

NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 4095, 32767, 32768, 65534, 65535, 65536, 2**24)
NUMBERS += (10**8, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


def number(rng: random.Random, width: int) -> int:
    """An unsigned number of ``width`` bytes: mostly one that has broken decoders before."""
    top = 256**width
    if rng.random() < 0.3:
        return rng.randrange(top)
    return rng.choice([value for value in NUMBERS if value < top])


def at(rng: random.Random, data: bytes) -> int:
    """A place in the file; every third time near its head."""
    return rng.randrange(min(len(data), 400) if rng.random() < 0.33 else len(data)) if data else 0


def length(rng: random.Random, data: bytes) -> int:
    return 1 + int(rng.random() ** 4 * len(data))  # mostly short


def flip(rng: random.Random, data: bytes, other: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16)) if out else 0):
        out[at(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(out)


def put_byte(rng: random.Random, data: bytes, other: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if out else 0):
        out[at(rng, data)] = rng.choice((0, 255, 127, 128, rng.randrange(256)))
    return bytes(out)


def put_number(rng: random.Random, data: bytes, other: bytes) -> bytes:
    width, place = rng.choice((2, 4)), at(rng, data)
    value = number(rng, width).to_bytes(width, rng.choice(("big", "little")))
    return data[:place] + value + data[place + width :]


def cut(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: at(rng, data)]


def insert(rng: random.Random, data: bytes, other: bytes) -> bytes:
    place, count = at(rng, data), min(length(rng, data), 4096)
    block = rng.randbytes(count) if rng.random() < 0.5 else bytes([rng.choice((0, 255, 65))]) * count
    return data[:place] + block + data[place:]


def delete(rng: random.Random, data: bytes, other: bytes) -> bytes:
    place = at(rng, data)
    return data[:place] + data[place + length(rng, data) :]


def double(rng: random.Random, data: bytes, other: bytes) -> bytes:
    place = at(rng, data)
    block = data[place : place + min(length(rng, data), 65536)]
    return data[:place] + block * rng.choice((2, 2, 3, 10)) + data[place + len(block) :]


def splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    if rng.random() < 0.5:  # the head of one, the tail of the other
        return data[: at(rng, data)] + other[at(rng, other) :]
    place, there = at(rng, data), at(rng, other)
    block = other[there : there + length(rng, other)]
    return data[:place] + block + data[place + rng.choice((0, len(block))) :]


Mutation = Callable[[random.Random, bytes, bytes], bytes]
BLIND: tuple[Mutation, ...] = (flip, put_byte, put_number, cut, insert, delete, double, splice)
