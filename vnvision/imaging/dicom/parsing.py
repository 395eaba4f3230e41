"""A data set up to its pixels: what was asked for, and where the pixels lie."""

from __future__ import annotations

import functools
import io
import struct
from dataclasses import dataclass
from typing import IO, Any, cast

from vnvision.imaging.dicom.elements import Elements
from vnvision.imaging.dicom.faults import reading
from vnvision.imaging.dicom.inflate import Inflated, cut_short
from vnvision.imaging.dicom.toolkit import pydicom

DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
UNDEFINED = 0xFFFFFFFF
_PIXELS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
_META = ("TransferSyntaxUID", "MediaStorageSOPClassUID")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A data set up to its pixels.

    Attributes:
        name: of the file, for messages.
        stream: at the start of the pixel data's value, where there is one.
        elements: what was asked for, of the data set and of its file meta information.
        meta: the file meta information.
        syntax: transfer syntax UID; where the file names none, the one its elements are written in.
        declared: whether the file names it.
        pixels: keyword of the pixel element, None where the file has none.
        vr: its value representation.
        length: of its value in bytes; ``UNDEFINED`` where it is encapsulated.
        offset: of its value in the stream.
        ended: the file stops inside the header.
    """

    name: str
    stream: IO[bytes]
    elements: Elements
    meta: Elements
    syntax: str
    declared: bool
    pixels: str | None = None
    vr: str = "OW"
    length: int = 0
    offset: int = 0
    ended: bool = False


def parse(stream: IO[bytes], name: str, keywords: tuple[str, ...], max_inflated: int) -> Parsed:
    """Read a data set up to its pixels.

    Elements that are not asked for are passed over, so that neither a patient's name nor a private gigabyte
    is ever in memory.

    Args:
        stream: the file, at its start.
        name: of the file, for messages.
        keywords: the elements to keep.
        max_inflated: the most bytes that a deflated data set may unpack to.

    Raises:
        DataError: the file is damaged.
        MissingExtraError: pydicom is not installed.
    """
    reader = pydicom().filereader
    with reading(name, "file meta information"):
        if stream.read(132)[128:] != b"DICM":
            stream.seek(0)
        meta = reader.read_dataset(
            stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2, specific_tags=_tags(_META)
        )
    syntax = Elements(meta, name).uid("TransferSyntaxUID")
    declared = syntax is not None
    with reading(name, "header"):
        if syntax == DEFLATED:
            stream = cast("IO[bytes]", Inflated(stream.read(), max_inflated))
        syntax = syntax or _as_written(stream)
        found = reader.read_dataset(
            stream,
            syntax == IMPLICIT,
            syntax != BIG_ENDIAN,
            stop_when=lambda tag, vr, length: tag in _PIXELS,
            specific_tags=_tags(keywords),
        )
        implicit = bool(found.original_encoding[0])
        found.file_meta = meta
        little = syntax != BIG_ENDIAN
        pixels = _pixel_element(stream, implicit, little)
    return Parsed(
        name, stream, Elements(found, name, little), Elements(meta, name), syntax, declared, **pixels
    )


@functools.cache
def _tags(keywords: tuple[str, ...]) -> list[Any]:
    return [pydicom().tag.Tag(keyword) for keyword in keywords]


def _as_written(stream: IO[bytes]) -> str:
    """The plain transfer syntax of a data set without file meta information, from its first element.

    A legible value representation makes it explicit; a group that is only sensible with its bytes swapped
    makes it big endian. PS3.10 demands the meta information, so this is for files of before it, and bare
    data sets from a network.
    """
    head = stream.read(6)
    stream.seek(-len(head), io.SEEK_CUR)
    if len(head) < 6 or not (head[4:6].isalpha() and head[4:6].isupper()):
        return IMPLICIT
    return BIG_ENDIAN if int.from_bytes(head[:2], "little") >= 0x0400 else EXPLICIT


def _pixel_element(stream: IO[bytes], implicit: bool, little: bool) -> dict[str, Any]:
    """Tag, value representation and length of the pixel element that the stream stands at."""
    head = stream.read(8)
    if len(head) < 8:
        return {"ended": len(head) > 0 or cut_short(stream)}
    order = "<" if little else ">"
    group, element, length = struct.unpack(order + "HHL", head)
    vr = "OW"
    if not implicit:
        vr, length = head[4:6].decode("ascii", "replace"), struct.unpack(order + "L", stream.read(4))[0]
    keyword = _PIXELS.get(group << 16 | element)
    return {"pixels": keyword, "vr": vr, "length": length, "offset": stream.tell()}
