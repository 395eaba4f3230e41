"""Overlay planes under Clean Graphics: regions of interest without any text in them."""

from __future__ import annotations

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from vnvision.clinic.deidentify import values
from vnvision.clinic.deidentify.faults import FAULTS
from vnvision.clinic.deidentify.text_seen import lines_of_text

REMOVED, KEPT = "overlays-removed", "overlays-kept"
_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _BITS, _POSITION, _DATA = (
    0x10, 0x11, 0x15, 0x40, 0x50, 0x100, 0x102, 0x3000,
)  # fmt: skip


def cleaned(source: Dataset, made: Dataset) -> list[str]:
    """Add the planes that may stay to ``made``; note whether others were removed.

    A plane stays where it says that it is a region of interest (Overlay Type R), is exactly as long as its
    rows and columns ask for, and shows nothing that looks like a line of text.
    """
    notes = set()
    for group in sorted({tag.group for tag in list(source.keys()) if tag.group & 0xFF01 == 0x6000}):
        try:
            kept = _plane(source, group)
        except FAULTS:
            kept = None
        notes.add(REMOVED if kept is None else KEPT)
        for element in kept or ():
            made.add(element)
    return sorted(notes)


def present(source: Dataset) -> bool:
    """Whether there are overlays or curves."""
    return any(tag.group & 0xFF01 in (0x6000, 0x5000) for tag in list(source.keys()))


def _plane(source: Dataset, group: int) -> list[DataElement] | None:
    def get(element: int) -> list[int]:
        tag = Tag(group, element)
        return [int(value) for value in values.listed(source[tag].value)] if tag in source else []

    rows, columns, frames = get(_ROWS)[0], get(_COLUMNS)[0], (get(_FRAMES) or [1])[0]
    data = bytes(source[group, _DATA].value)
    wanted = -(-rows * columns * frames // 8)
    if str(source[group, _TYPE].value).strip() != "R" or len(data) != wanted + wanted % 2:
        return None
    bits = np.unpackbits(np.frombuffer(data, "u1"), bitorder="little")[: rows * columns * frames]
    planes = bits.reshape(frames, rows, columns)
    if any(lines_of_text(plane * np.uint8(255)) for plane in planes):
        return None
    packed = np.packbits(bits, bitorder="little").tobytes()
    found = [
        (_ROWS, "US", rows),
        (_COLUMNS, "US", columns),
        (_TYPE, "CS", "R"),
        (_ORIGIN, "SS", (get(_ORIGIN) or [1, 1])[:2]),
        (_BITS, "US", 1),
        (_POSITION, "US", 0),
        (_DATA, "OW", packed + b"\0" * (len(packed) % 2)),
    ]
    found += [(_FRAMES, "IS", str(frames))] if frames > 1 else []
    return [DataElement(Tag(group, element), vr, value) for element, vr, value in sorted(found)]
