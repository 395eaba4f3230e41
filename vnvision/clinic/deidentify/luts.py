"""Lookup tables: they stay only where they are exactly as long as their descriptor says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from vnvision.clinic.deidentify import numbers, values

_PAIRS = {
    0x00283006: 0x00283002,
    **{0x00281201 + i: 0x00281101 + i for i in range(3)},
    0x00281204: 0x00281104,
    **{0x00281221 + i: 0x00281101 + i for i in range(3)},
    0x00281224: 0x00281104,
}
_SEGMENTED = range(0x00281221, 0x00281225)


def check(made: Dataset, counts: Counter[str]) -> None:
    """Drop the tables of a data set that do not fit their descriptors, or that spell a text."""
    for tag, descriptor in _PAIRS.items():
        if tag not in made:
            continue
        entries = _entries(made, descriptor)
        value = made[tag].value
        data = (
            value
            if isinstance(value, bytes)
            else np.array(values.listed(value), "<i4").astype("<u2").tobytes()
        )
        whole = entries and (_runs_to(data, entries) if tag in _SEGMENTED else _long(data, *entries))
        if not whole or numbers.hides_text(data):
            del made[tag]
            counts["lookup tables removed"] += 1


def _entries(made: Dataset, descriptor: int) -> tuple[int, int] | None:
    """(entries, bits) of a LUT Descriptor; 0 entries mean 65,536 (PS3.3 C.11.1.1.1)."""
    found: list[Any] = values.listed(made[descriptor].value) if descriptor in made else []
    if len(found) != 3 or not 1 <= int(found[2]) <= 16:
        return None
    return (int(found[0]) & 0xFFFF) or 65536, int(found[2])


def _long(data: bytes, entries: int, bits: int) -> bool:
    if bits <= 8 and len(data) in (entries, entries + entries % 2):
        return not data[entries:].strip(b"\0")
    return len(data) == 2 * entries


def _runs_to(data: bytes, entries: tuple[int, int]) -> bool:
    """Whether segments (PS3.3 C.7.9.2) fill the table exactly; indirect segments are refused."""
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2").tolist()
    at = filled = 0
    while at + 1 < len(words):
        kind, length = words[at], words[at + 1]
        if kind not in (0, 1):
            return False
        filled += length
        at += 2 + (length if kind == 0 else 1)
    return at == len(words) and filled == entries[0]
