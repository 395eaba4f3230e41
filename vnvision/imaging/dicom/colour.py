"""Colour: RGB as stored, YBR turned into it, palettes looked up (PS3.3 C.7.6.3.1.2, C.7.9)."""

from __future__ import annotations

import numpy as np

from vnvision.imaging.codecs import common
from vnvision.imaging.dicom import lut, toolkit
from vnvision.imaging.dicom.elements import Elements
from vnvision.imaging.dicom.header import Header
from vnvision.imaging.dicom.lut import Lut

_CHANNELS = ("Red", "Green", "Blue")
KEYWORDS = tuple(
    f"{before}{channel}PaletteColorLookupTable{part}"
    for channel in _CHANNELS
    for before, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def shown(stored: np.ndarray, photometric: str, head: Header, elements: Elements) -> np.ndarray:
    """RGB (H, W, 3) of a decoded frame: uint8 for up to 8 bits a channel, uint16 for more; full range.

    Args:
        stored: (H, W, 3), or (H, W) for a palette.
        photometric: what the decoder left it in.
        head: the header.
        elements: of the data set, for its palette.

    Raises:
        DataError: a colour model the decoder should have undone, or a wrong palette.
    """
    if photometric == "PALETTE COLOR":
        red, green, blue = palette(elements)
        found = np.stack([red(stored), green(stored), blue(stored)], axis=-1)
        return full_range(found, red.bits)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        return full_range(_from_ybr(stored, head.stored), head.stored)
    if photometric != "RGB":
        raise common.unsupported(elements.name, f"RGB out of the decoder for {head.photometric}", photometric)
    return full_range(stored, head.stored)


def full_range(values: np.ndarray, bits: int) -> np.ndarray:
    """Levels of 0..2^bits - 1 as uint8 (8 bits and fewer) or uint16, stretched to the range of that type."""
    dtype, most = (np.uint8, 255) if bits <= 8 else (np.uint16, 65535)
    top = (1 << bits) - 1
    if top == most:
        return values.astype(dtype)
    found: np.ndarray = np.rint(np.minimum(values, top).astype(np.float64) * most / top).astype(dtype)
    return found


def _from_ybr(stored: np.ndarray, bits: int) -> np.ndarray:
    """YBR_FULL to RGB in as many bits: Y, and Cb and Cr about the middle of the range."""
    if bits == 8:
        return toolkit.ybr_to_rgb(stored.astype(np.uint8))
    top, middle = (1 << bits) - 1, 1 << bits - 1
    y, cb, cr = (stored[..., i].astype(np.float64) for i in range(3))
    cb, cr = cb - middle, cr - middle
    green = y - (0.114 * 1.772 / 0.587) * cb - (0.299 * 1.402 / 0.587) * cr
    rgb = np.stack([y + 1.402 * cr, green, y + 1.772 * cb], axis=-1)
    found: np.ndarray = np.clip(np.floor(rgb + 0.5), 0, top).astype(np.int64)
    return found


def palette(elements: Elements) -> tuple[Lut, Lut, Lut]:
    """The three tables of a palette, segmented ones unfolded.

    Raises:
        DataError: a table is missing, too short, or makes no sense.
    """
    red, green, blue = (_channel(elements, channel) for channel in _CHANNELS)
    if len({table.bits for table in (red, green, blue)}) > 1:
        raise elements.wrong("PaletteColorLookupTableDescriptor", "as many bits in each colour", "others")
    return red, green, blue


def _channel(elements: Elements, channel: str) -> Lut:
    name = f"{channel}PaletteColorLookupTable"
    count, first, bits = lut.descriptor(elements, f"{name}Descriptor")
    data = elements.value(f"{name}Data")
    if data is not None:
        narrow = isinstance(data, bytes) and len(data) < 2 * count  # one byte an entry, whatever is declared
        return Lut(elements.words(f"{name}Data", count), first, min(bits, 8) if narrow else bits)
    keyword = f"Segmented{name}Data"
    packed = elements.value(keyword)
    if not isinstance(packed, bytes):
        raise elements.wrong(f"{name}Data", "a table", "none")
    size = 1 if bits <= 8 else 2
    words = elements.words(keyword, len(packed) // size).tolist()
    try:
        entries = _unfold(words, size, count)
    except (IndexError, ValueError) as exc:
        raise elements.wrong(keyword, f"segments of {count} entries", str(exc)) from exc
    return Lut(np.array(entries, np.int64), first, bits)


def _unfold(words: list[int], size: int, count: int) -> list[int]:
    """The entries of a segmented table (C.7.9.2): discrete, linear and indirect segments."""
    out: list[int] = []
    at = 0
    while at + 1 < len(words) and len(out) < count:
        if words[at] == _INDIRECT:
            repeats, start, at = words[at + 1], _offset(words, at + 2, size), at + (6 if size == 1 else 4)
            for _ in range(repeats):
                if len(out) < count:
                    start = _segment(words, start, out)
        else:
            at = _segment(words, at, out)
    if len(out) < count:
        raise ValueError(f"{len(out)} entries")
    return out[:count]


def _segment(words: list[int], at: int, out: list[int]) -> int:
    """Append one discrete or linear segment; where the next begins."""
    kind, length = words[at], words[at + 1]
    if kind == _DISCRETE:
        out += words[at + 2 : at + 2 + length]
        return at + 2 + length
    if kind != _LINEAR or not out:
        raise ValueError(f"segment type {kind} after {len(out)} entries")
    start, end = out[-1], words[at + 2]
    steps = np.arange(1, length + 1) / max(length, 1)
    out += np.rint(start + (end - start) * steps).astype(int).tolist()
    return at + 3


def _offset(words: list[int], at: int, size: int) -> int:
    """The 32-bit offset of an indirect segment, least significant word first; bytes are halves of words."""
    part = words[at : at + (4 if size == 1 else 2)]
    if size == 2:
        return (part[1] << 16 | part[0]) // 2
    return part[3] << 24 | part[2] << 16 | part[1] << 8 | part[0]
