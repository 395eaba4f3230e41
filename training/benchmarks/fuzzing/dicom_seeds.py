"""DICOM files to mutate: some written here, the small ones of pydicom's own tests beside them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from fuzzing import seeds
from fuzzing.elements import (
    DEFLATED,
    IMPLICIT,
    ITEM,
    LONG_VRS,
    PIXELS,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    File,
    join,
)

EXPLICIT, JPEG, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"
LARGEST = 200_000


def text(tag: int, vr: str, value: str) -> Element:
    return Element(tag, vr.encode(), 0, b"").changed(value.encode())


def shorts(tag: int, *values: int, vr: str = "US") -> Element:
    return Element(tag, vr.encode(), 0, b"").changed(struct.pack(f"<{len(values)}H", *values))


def write(pixels: list[Element], size: tuple[int, int], bits: int, syntax: str, *more: Element) -> bytes:
    """A secondary capture of one grey or, by ``more``, another kind of picture."""
    meta = [text(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.7"), text(0x00020003, "UI", "2.25.1")]
    meta.append(text(0x00020010, "UI", syntax))
    length = sum(12 if element.vr in LONG_VRS else 8 for element in meta)
    length += sum(len(element.value) for element in meta)
    head = Element(0x00020000, b"UL", 4, struct.pack("<I", length))
    plain = [
        text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"),
        text(0x00080018, "UI", "2.25.1"),
        text(0x00080060, "CS", "OT"),
        text(0x00100010, "PN", "Nguyễn^An"),
        text(0x00100020, "LO", "17"),
        shorts(0x00280002, 1),
        text(0x00280004, "CS", "MONOCHROME2"),
        shorts(0x00280010, size[1]),
        shorts(0x00280011, size[0]),
        text(0x00280030, "DS", "0.5\\0.25"),
        shorts(0x00280100, bits),
        shorts(0x00280101, bits),
        shorts(0x00280102, bits - 1),
        shorts(0x00280103, 0),
    ]
    merged = {element.tag: element for element in (*plain, *more)}
    elements = [merged[tag] for tag in sorted(merged)]
    if syntax == IMPLICIT:
        elements = [Element(item.tag, b"", item.length, item.value) for item in elements]
        pixels = [Element(item.tag, b"", item.length, item.value) for item in pixels]
    return join(File([head, *meta], elements + pixels, syntax))


def plain_pixels(array: np.ndarray) -> list[Element]:
    vr = b"OW" if array.dtype.itemsize > 1 else b"OB"
    return [Element(PIXELS, vr, 0, b"").changed(array.astype(array.dtype.newbyteorder("<")).tobytes())]


def fragments(*parts: bytes) -> list[Element]:
    """Encapsulated pixel data (PS3.5, A.4) with an empty offset table."""
    items = [Element(ITEM, b"", 0, b"").changed(part) for part in (b"", *parts)]
    return [Element(PIXELS, b"OB", UNDEFINED, b""), *items, Element(SEQUENCE_END, b"", 0, b"")]


def rle(plane: np.ndarray) -> bytes:
    """One 8-bit plane as literal runs (PS3.5, annex G)."""
    raw = plane.tobytes()
    runs = [raw[at : at + 128] for at in range(0, len(raw), 128)]
    return struct.pack("<16I", 1, 64, *[0] * 14) + b"".join(bytes([len(run) - 1]) + run for run in runs)


def written() -> dict[str, bytes]:
    rng = np.random.default_rng(7)
    size = (24, 16)
    grey8 = rng.integers(0, 256, (16, 24), dtype=np.uint8)
    grey16 = rng.integers(0, 4096, (16, 24), dtype=np.uint16)
    colour = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    rgb = (shorts(0x00280002, 3), text(0x00280004, "CS", "RGB"), shorts(0x00280006, 0))
    planes = (*rgb[:2], shorts(0x00280006, 1))
    inverted = text(0x00280004, "CS", "MONOCHROME1")
    ybr = (shorts(0x00280002, 3), text(0x00280004, "CS", "YBR_FULL_422"), shorts(0x00280006, 0))
    window = (text(0x00281050, "DS", "2048\\500"), text(0x00281051, "DS", "4096\\100"))
    scaled = (text(0x00281052, "DS", "-1024"), text(0x00281053, "DS", "1.5"))
    twelve = (shorts(0x00280101, 12), shorts(0x00280102, 11))
    palette = [text(0x00280004, "CS", "PALETTE COLOR")]
    for channel in range(3):
        levels = rng.integers(0, 65536, 256, dtype=np.uint16)
        palette.append(shorts(0x00281101 + channel, 256, 0, 16))
        palette.append(shorts(0x00281201 + channel, *levels.tolist(), vr="OW"))
    frames = text(0x00280008, "IS", "3")
    shot = (*ybr, shorts(0x00280010, 47), shorts(0x00280011, 61))
    return {
        "grey8": write(plain_pixels(grey8), size, 8, EXPLICIT),
        "grey8_inverted": write(plain_pixels(grey8), size, 8, EXPLICIT, inverted),
        "grey16": write(plain_pixels(grey16), size, 16, EXPLICIT, *window, *scaled, *twelve),
        "grey16_signed": write(plain_pixels(grey16), size, 16, EXPLICIT, shorts(0x00280103, 1), *window),
        "grey16_implicit": write(plain_pixels(grey16), size, 16, IMPLICIT, *scaled),
        "grey16_deflated": write(plain_pixels(grey16), size, 16, DEFLATED, *window),
        "frames": write(plain_pixels(np.stack([grey8] * 3)), size, 8, EXPLICIT, frames),
        "rgb": write(plain_pixels(colour), size, 8, EXPLICIT, *rgb),
        "rgb_planes": write(plain_pixels(colour.transpose(2, 0, 1)), size, 8, EXPLICIT, *planes),
        "palette": write(plain_pixels(grey8), size, 8, EXPLICIT, *palette),
        "rle": write(fragments(rle(grey8)), size, 8, RLE),
        "rle_frames": write(fragments(*[rle(grey8)] * 3), size, 8, RLE, frames),
        "jpeg_grey": write(
            fragments(seeds.jpeg("L")), size, 8, JPEG, shorts(0x00280010, 47), shorts(0x00280011, 61)
        ),
        "jpeg_colour": write(fragments(seeds.jpeg(subsampling=1)), size, 8, JPEG, *shot),
        "jpeg_frames": write(fragments(*[seeds.jpeg(subsampling=1)] * 3), size, 8, JPEG, *shot, frames),
    }


def dicom_seeds() -> dict[str, bytes]:
    """All of them; of pydicom's files those with pixels and at most 200 kB."""
    import pydicom

    files = {f"dicom_{name}": data for name, data in written().items()}
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST:
            data = path.read_bytes()
            if b"\xe0\x7f\x10\x00" in data or b"\x7f\xe0\x00\x10" in data or "deflate" in path.name.lower():
                files[f"pydicom_{path.relative_to(folder).as_posix()}"] = data
    return files
