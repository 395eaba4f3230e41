"""One frame out of the pixel data, by the codec chosen for its transfer syntax."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vnvision.errors import DataError, MissingExtraError
from vnvision.imaging.codecs import common
from vnvision.imaging.dicom import toolkit
from vnvision.imaging.dicom.codestream import has_end, stated_size
from vnvision.imaging.dicom.faults import reading
from vnvision.imaging.dicom.gdcm_limits import aborts_gdcm
from vnvision.imaging.dicom.header import Header
from vnvision.imaging.dicom.inflate import reaches
from vnvision.imaging.dicom.parsing import Parsed

_JPEG = "1.2.840.10008.1.2.4."
_BASELINE = (("pillow", "Pillow"), ("gdcm", "python-gdcm"))
_LOSSLESS = (("gdcm", "python-gdcm"),)
_LS = (("pyjpegls", "pyjpegls"), ("gdcm", "python-gdcm"))
_2000 = (("pylibjpeg", "pylibjpeg-openjpeg"), ("gdcm", "python-gdcm"))
_HT = (("pylibjpeg", "pylibjpeg-openjpeg"),)
_RLE = (("pydicom", "pydicom"),)  # pylibjpeg-rle is faster, and ends the program on damaged data
_CODECS: dict[str, tuple[tuple[str, str], ...]] = {
    f"{_JPEG}50": _BASELINE,
    f"{_JPEG}51": _BASELINE,
    f"{_JPEG}57": _LOSSLESS,
    f"{_JPEG}70": _LOSSLESS,
    f"{_JPEG}80": _LS,
    f"{_JPEG}81": _LS,
    f"{_JPEG}90": _2000,
    f"{_JPEG}91": _2000,
    f"{_JPEG}201": _HT,
    f"{_JPEG}202": _HT,
    f"{_JPEG}203": _HT,
    "1.2.840.10008.1.2.5": _RLE,
}
"""Plugin and package for each compressed transfer syntax, the better kept first. They agree bit for bit on
pydicom's test files. One is used, and never a second one on data that the first could not read."""

_VIDEO = tuple(f"{_JPEG}{number}" for number in range(100, 109))
_EXTENDED = f"{_JPEG}51"


def check_decodable(parsed: Parsed, head: Header) -> str:
    """The plugin that decodes a file's frames; empty for native pixels.

    Raises:
        DataError: the transfer syntax is not supported.
        MissingExtraError: the package that decodes it is not installed.
    """
    if head.native:
        return ""
    known = _CODECS.get(parsed.syntax)
    if known is None:
        kind = "a video" if parsed.syntax.startswith(_VIDEO) else "transfer syntax"
        got = f"{kind} {toolkit.uid_name(parsed.syntax)}"
        raise _unsupported(parsed, "one of DICOM's codecs for images", got)
    if parsed.syntax == _EXTENDED and head.stored != 8:
        got = f"{head.stored} bits, which no codec here reads"
        raise _unsupported(parsed, "JPEG Extended with 8 bits a sample", got)
    here = toolkit.plugins(parsed.syntax)
    for plugin, _ in known:
        if plugin in here:
            return plugin
    raise MissingExtraError(known[0][1], "clinic")


def _unsupported(parsed: Parsed, expected: str, got: str) -> DataError:
    fix = "decompress it first, for example with dcmdjpeg of DCMTK"
    return DataError(f"{parsed.name} cannot be read", expected=expected, got=got, fix=fix)


def stored_frame(parsed: Parsed, head: Header, index: int) -> tuple[np.ndarray, str]:
    """One frame as it is stored: (H, W) or (H, W, 3), and its photometric interpretation once decoded.

    Raises:
        DataError: the frame is not there, damaged, or another size than the header says.
        MissingExtraError: the package that decodes it is not installed.
    """
    plugin = check_decodable(parsed, head)
    if head.native:
        return _native(parsed, head, index)
    parsed.stream.seek(parsed.offset)
    frame = toolkit.frame_bytes(parsed.stream, parsed.name, index, head.frames, _offsets(parsed))
    size = stated_size(frame)
    if size is not None and size != (head.columns, head.rows, head.samples):
        got = "{} x {} pixels of {} samples in frame {}".format(*size, index)
        expected = f"{head.columns} x {head.rows} of {head.samples} in the header"
        raise common.damaged(parsed.name, f"{got}, {expected}")
    if not has_end(frame):
        raise common.damaged(parsed.name, f"frame {index} without its end marker")
    if plugin == "gdcm" and (fault := aborts_gdcm(frame, head.allocated, head.stored)):
        raise common.damaged(parsed.name, f"frame {index} with {fault}")
    options = replace(head, frames=1).options()
    source = toolkit.encapsulated(frame, parsed.name)
    return toolkit.decode(source, parsed.name, parsed.syntax, plugin, 0, options)


def _offsets(parsed: Parsed) -> tuple[bytes, bytes] | None:
    offsets = parsed.elements.value("ExtendedOffsetTable")
    lengths = parsed.elements.value("ExtendedOffsetTableLengths")
    sound = isinstance(offsets, bytes) and isinstance(lengths, bytes) and len(offsets) == len(lengths)
    return (offsets, lengths) if sound else None


def check_there(parsed: Parsed, head: Header, index: int) -> None:
    """Refuse a file that ends before or inside a frame of native pixels.

    Raises:
        DataError: saying so.
    """
    end = parsed.offset + -(-head.frame_bits * (index + 1) // 8)
    with reading(parsed.name, f"frame {index}"):
        there = not head.native or reaches(parsed.stream, end)
    if not there:
        raise common.damaged(parsed.name, f"the end of the file inside frame {index}")


def _native(parsed: Parsed, head: Header, index: int) -> tuple[np.ndarray, str]:
    check_there(parsed, head, index)
    parsed.stream.seek(parsed.offset)
    if head.allocated == 1:
        return _bits(parsed, head, index), head.photometric
    options: dict[str, Any] = head.options() | {"pixel_vr": parsed.vr}
    shift = head.high_bit - head.stored + 1
    if shift and not head.is_float:
        options["correct_unused_bits"] = False
    found, photometric = toolkit.decode(parsed.stream, parsed.name, parsed.syntax, "", index, options)
    if shift and not head.is_float:  # allowed until 2014: the value does not begin at the lowest bit
        above = head.allocated - 1 - head.high_bit
        found = np.right_shift(np.left_shift(found, above), above + shift)
    return found, photometric


def _bits(parsed: Parsed, head: Header, index: int) -> np.ndarray:
    """A frame of single bits, packed from the lowest bit on; a frame may begin inside a byte (PS3.5 8.2).

    pydicom 3.0 reads a byte too few for such frames.
    """
    count = head.rows * head.columns
    first, last = index * count, (index + 1) * count
    with reading(parsed.name, f"frame {index}"):
        parsed.stream.seek(parsed.offset + first // 8)
        packed = np.frombuffer(parsed.stream.read(-(-last // 8) - first // 8), np.uint8)
        bits = np.unpackbits(packed, bitorder="little")[first % 8 : first % 8 + count]
        return bits.reshape(head.rows, head.columns)
