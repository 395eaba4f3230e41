"""Mutations of DICOM elements."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from fuzzing import draw, jpeg
from fuzzing.elements import (
    ITEM,
    LONG_VRS,
    PIXELS,
    SEQUENCE_END,
    SYNTAX,
    UNDEFINED,
    Element,
    File,
    join,
    number,
    split,
)

VRS = (b"US", b"SS", b"UL", b"DS", b"IS", b"CS", b"SQ", b"UN", b"OB", b"OW", b"UT", b"AT", b"FD", b"??")
SYNTAXES = (
    "1", "1.1", "1.99", "2", "5", "4.50", "4.51", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "4.201",
)  # fmt: skip
SHORTS = {
    "samples": (0x00280002, (0, 1, 2, 3, 4, 255, 65535)),
    "planar": (0x00280006, (0, 1, 2, 65535)),
    "rows": (0x00280010, (0, 1, 2, 7, 4096, 10_000, 65535)),
    "columns": (0x00280011, (0, 1, 2, 7, 4096, 10_000, 65535)),
    "allocated": (0x00280100, (0, 1, 2, 7, 8, 12, 16, 24, 32, 64, 65535)),
    "stored": (0x00280101, (0, 1, 7, 8, 10, 12, 16, 17, 32, 65535)),
    "high": (0x00280102, (0, 7, 8, 11, 15, 16, 31, 65535)),
    "signed": (0x00280103, (0, 1, 2, 65535)),
}
NUMBERS = (
    "0", "1", "-1", "2", "3", "100", "2147483648", "99999999999999999999", "1e9", "1e308", "-1e400", "nan",
    "inf", "1.5", "0x10", "1,5", "+-1", "", " ", "1\\2", "1\\2\\3", "\\",
)  # fmt: skip
TEXTS = {
    0x00280008: b"IS",  # number of frames
    0x00280030: b"DS",  # pixel spacing
    0x00181164: b"DS",  # imager pixel spacing
    0x00281050: b"DS",  # window centre and width
    0x00281051: b"DS",
    0x00281052: b"DS",  # rescale intercept and slope
    0x00281053: b"DS",
}
COLOURS = (
    "MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT",
    "PALETTE COLOR", "CMYK", "", "RGB\\RGB", "rgb", "\xff",
)  # fmt: skip
CHARACTER_SETS = (
    "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "GB18030", "nonsense", "\\", "ISO_IR 6\\ISO_IR 100",
)  # fmt: skip
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID", "", "NONSENSE")
WORDS = {0x00280004: COLOURS, 0x00080005: CHARACTER_SETS, 0x00281056: FUNCTIONS}
DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103, 0x00283002)


def with_element(file: File, new: Element) -> File:
    """The file with this element in the place of its old one, or where its tag belongs."""
    if any(element.tag == new.tag for element in file.data):
        return replace(file, data=[new if element.tag == new.tag else element for element in file.data])
    at = next((index for index, element in enumerate(file.data) if element.tag > new.tag), len(file.data))
    return replace(file, data=[*file.data[:at], new, *file.data[at:]])


def picture(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """What describes the pixels: sizes of bombs, depths, frames, colours, scales that make no sense."""
    file = split(data)
    if file is None:
        return data
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.randrange(10)
        if kind < 4:
            tag, values = SHORTS[rng.choice(sorted(SHORTS))]
            value = rng.choice((*values, rng.randrange(65536)))
            file = with_element(file, Element(tag, b"US", 0, b"").changed(number(value, file)))
        elif kind < 7:
            tag = rng.choice(sorted(TEXTS))
            text = rng.choice(NUMBERS).encode()
            file = with_element(file, Element(tag, TEXTS[tag], 0, b"").changed(text))
        elif kind == 7:
            tag = rng.choice(sorted(WORDS))
            word = rng.choice(WORDS[tag]).encode("latin-1")
            file = with_element(file, Element(tag, b"CS", 0, b"").changed(word))
        else:
            count = rng.choice((3, 3, 3, 0, 1, 4))
            values = [rng.choice((0, 1, 8, 10, 16, 255, 256, 65535)) for _ in range(count)]
            packed = b"".join(number(value, file) for value in values)
            file = with_element(file, Element(rng.choice(DESCRIPTORS), b"US", 0, b"").changed(packed))
    return join(file)


def syntax(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Another transfer syntax named than used, or used than named."""
    file = split(data)
    if file is None:
        return data
    new = "1.2.840.10008.1.2" + rng.choice(("", *(f".{tail}" for tail in SYNTAXES)))
    if rng.random() < 0.2:
        return join(replace(file, syntax=new))
    text = rng.choice((new, new, new, "", "1.2.3", "nonsense", new + "\\" + new)).encode()
    meta = [item.changed(text) if item.tag == SYNTAX else item for item in file.meta]
    return join(replace(file, meta=meta))


def _pick(rng: random.Random, file: File) -> tuple[str, int] | None:
    part = "meta" if rng.random() < 0.1 else "data"
    elements = getattr(file, part)
    if not elements:
        return None
    seen = [index for index, element in enumerate(elements) if element.tag >> 16 in (0x0028, 0x7FE0, 0xFFFE)]
    return part, rng.choice(seen) if seen and rng.random() < 0.6 else rng.randrange(len(elements))


def _changed(rng: random.Random, data: bytes, change: Callable[[Element], Element]) -> bytes:
    file = split(data)
    found = _pick(rng, file) if file else None
    if file is None or found is None:
        return data
    part, index = found
    elements = list(getattr(file, part))
    elements[index] = change(elements[index])
    return join(replace(file, **{part: elements}))


def value(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The value of one element changed blindly, its length right."""
    return _changed(rng, data, lambda item: item.changed(rng.choice(draw.BLIND)(rng, item.value, other)))


def false_length(rng: random.Random, data: bytes, other: bytes) -> bytes:
    def change(item: Element) -> Element:
        old = item.length
        lengths = (old + 1, old - 1, old + 2, old * 2, 0, UNDEFINED, 0xFFFFFFFE, draw.number(rng, 4))
        return replace(item, length=rng.choice(lengths))

    return _changed(rng, data, change)


def kind(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Another value representation, long and short length fields among them."""
    return _changed(rng, data, lambda item: replace(item, vr=rng.choice((*VRS, *sorted(LONG_VRS)))))


def tag(rng: random.Random, data: bytes, other: bytes) -> bytes:
    def change(item: Element) -> Element:
        near = item.tag ^ 1 << rng.randrange(32)
        known = (PIXELS, ITEM, SEQUENCE_END, 0x00020010, 0x00080005, 0x00280008, 0x7FE00008, 0x7FE00009)
        return replace(item, tag=rng.choice((near, rng.choice(known), rng.getrandbits(32))))

    return _changed(rng, data, change)


def shuffle(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Elements left out, doubled, moved, nested, or taken from the other file."""
    file, lender = split(data), split(other)
    found = _pick(rng, file) if file else None
    if file is None or found is None:
        return data
    part, index = found
    elements, what = list(getattr(file, part)), rng.randrange(5)
    if what == 0:
        del elements[index]
    elif what == 1:
        elements[index:index] = [elements[index]] * rng.choice((1, 1, 100))
    elif what == 2:
        elements.insert(rng.randrange(len(elements)), elements.pop(index))
    elif what == 3 and lender and getattr(lender, part):
        elements[index:index] = rng.sample(getattr(lender, part), min(3, len(getattr(lender, part))))
    else:
        opening = [Element(0x00081140, b"SQ", UNDEFINED, b""), Element(ITEM, b"", UNDEFINED, b"")]
        elements[index:index] = opening * rng.choice((1, 10, 2000))
    return join(replace(file, **{part: elements}))


def fragment(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The compressed frames themselves, and the offset table before them."""
    file = split(data)
    if file is None:
        return data
    start = next((index for index, item in enumerate(file.data) if item.tag == PIXELS), len(file.data))
    places = [index for index, item in enumerate(file.data) if index > start and item.tag == ITEM]
    if not places:
        return value(rng, data, other)
    elements, index = list(file.data), rng.choice(places)
    old = elements[index].value
    change = rng.choice(jpeg.AWARE if old[:2] == b"\xff\xd8" and rng.random() < 0.5 else draw.BLIND)
    elements[index] = elements[index].changed(change(rng, old, other))
    return join(replace(file, data=elements))


AWARE: tuple[draw.Mutation, ...] = (picture, picture, picture, fragment, fragment, fragment, value, value)
AWARE += (syntax, false_length, false_length, kind, tag, shuffle)
