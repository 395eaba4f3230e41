"""What the header says of the pixels, checked before one of them is unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vnvision.errors import DataError
from vnvision.imaging.codecs import common
from vnvision.imaging.dicom import parsing, toolkit
from vnvision.imaging.dicom.parsing import Parsed

KEYWORDS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "SOPClassUID", "PixelDataProviderURL",
)  # fmt: skip
GREY, PALETTE = ("MONOCHROME1", "MONOCHROME2"), "PALETTE COLOR"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_DIRECTORY = "1.2.840.10008.1.3.10"
_NATIVE = (parsing.IMPLICIT, parsing.EXPLICIT, parsing.DEFLATED, parsing.BIG_ENDIAN)


@dataclass(frozen=True, slots=True)
class Header:
    """The Image Pixel module (PS3.3 C.7.6.3), in numbers."""

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    frames: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    keyword: str
    native: bool

    @property
    def is_float(self) -> bool:
        """Pixels are floating point numbers."""
        return self.keyword != "PixelData"

    @property
    def frame_bits(self) -> int:
        """Size of a native frame."""
        bits = self.rows * self.columns * self.samples * self.allocated
        return bits // 3 * 2 if self.photometric == "YBR_FULL_422" and self.native else bits

    def options(self) -> dict[str, Any]:
        """The same as pydicom's decoders want it."""
        found: dict[str, Any] = {
            "rows": self.rows, "columns": self.columns, "samples_per_pixel": self.samples,
            "photometric_interpretation": self.photometric, "number_of_frames": self.frames,
            "bits_allocated": self.allocated, "pixel_keyword": self.keyword,
        }  # fmt: skip
        if self.samples > 1:
            found["planar_configuration"] = self.planar
        if not self.is_float:
            found |= {"bits_stored": self.stored, "pixel_representation": int(self.signed)}
        return found


def header(parsed: Parsed, max_pixels: int) -> Header:
    """Read and check the header.

    Raises:
        DataError: no image, a size over ``max_pixels``, or numbers that make no sense or do not fit the
            length of the pixel data.
    """
    _check_is_image(parsed)
    elements, floats = parsed.elements, parsed.pixels != "PixelData"
    rows, columns = elements.required("Rows"), elements.required("Columns")
    allocated = elements.required("BitsAllocated")
    stored = allocated if floats else elements.required("BitsStored")
    samples = elements.required("SamplesPerPixel")
    high = elements.integer("HighBit")
    found = Header(
        rows, columns, samples, elements.code("PhotometricInterpretation") or "none",
        _planar(parsed, samples), frame_count(parsed), allocated, stored,
        stored - 1 if high is None or floats else high,
        not floats and elements.required("PixelRepresentation") == 1,
        str(parsed.pixels), parsed.syntax in _NATIVE,
    )  # fmt: skip
    if not 0 < rows < 65536 or not 0 < columns < 65536:
        raise elements.wrong("Rows, Columns", "1 to 65,535", f"{rows} x {columns}")
    common.check_size(parsed.name, (columns, rows), max_pixels)
    _check_kind(parsed, found)
    _check_length(parsed, found)
    return found


def _planar(parsed: Parsed, samples: int) -> int:
    """Planar Configuration; codecs have a layout of their own, native colour must say it."""
    if samples == 1 or parsed.syntax not in _NATIVE:
        return parsed.elements.integer("PlanarConfiguration") or 0
    return parsed.elements.required("PlanarConfiguration")


def frame_count(parsed: Parsed) -> int:
    """Number of Frames; 1 where it is absent or 0.

    Raises:
        DataError: no whole number, or a negative one.
    """
    frames = parsed.elements.integer("NumberOfFrames")
    if frames is not None and not 0 <= frames < 2**31:
        raise parsed.elements.wrong("NumberOfFrames", "1 or more", str(frames))
    return frames or 1


def _check_is_image(parsed: Parsed) -> None:
    if parsed.ended:
        raise common.damaged(parsed.name, "the end of the file inside the header")
    kind = parsed.elements.uid("SOPClassUID") or parsed.meta.uid("MediaStorageSOPClassUID")
    if parsed.pixels is None:
        if parsed.elements.text("PixelDataProviderURL"):
            got = "a link to pixels elsewhere, which is not followed"
        elif kind == _DIRECTORY:
            got = "a DICOMDIR, which lists other files"
        else:
            got = toolkit.uid_name(kind) if kind else "a data set of no stated kind"
        raise DataError(f"{parsed.name} holds no image", expected="DICOM pixel data", got=got)
    if not parsed.declared and parsed.length == parsing.UNDEFINED:
        raise DataError(
            f"{parsed.name} does not say how its pixels are compressed",
            expected="a transfer syntax in the file meta information",
            got="none",
            fix="export it as a DICOM file again",
        )


def _check_kind(parsed: Parsed, found: Header) -> None:
    """Refuse numbers that pydicom would refuse, or that this package cannot show."""
    wrong = parsed.elements.wrong
    if found.photometric not in (*GREY, *COLOUR, PALETTE):
        expected = ", ".join((*GREY, PALETTE, *COLOUR))
        raise common.unsupported(parsed.name, f"photometric interpretation {expected}", found.photometric)
    if found.samples != (3 if found.photometric in COLOUR else 1):
        raise wrong("SamplesPerPixel", f"what {found.photometric} needs", str(found.samples))
    if found.is_float:
        sizes, kind = ((64,), "double") if found.keyword == "DoubleFloatPixelData" else ((32,), "float")
        if found.allocated not in sizes or found.samples != 1 or found.photometric == PALETTE:
            raise wrong("BitsAllocated", f"{sizes[0]} for grey {kind} pixels", str(found.allocated))
        return
    bits = (8, 16, 32, 64) if found.samples == 3 else (1, 8, 16, 32, 64)
    if found.allocated not in bits or not 1 <= found.stored <= found.allocated:
        raise wrong(
            "BitsStored", "1, or up to 8, 16, 32 or 64 allocated", f"{found.stored} of {found.allocated}"
        )
    if not found.stored - 1 <= found.high_bit < found.allocated:
        raise wrong("HighBit", "BitsStored - 1", str(found.high_bit))
    if found.signed and found.photometric in COLOUR:
        raise wrong("PixelRepresentation", "unsigned colour", "signed")
    if found.planar not in (0, 1):
        raise wrong("PlanarConfiguration", "0 or 1", str(found.planar))


def _check_length(parsed: Parsed, found: Header) -> None:
    """Compare what the header promises with the length of native pixel data."""
    if not found.native:
        if parsed.length != parsing.UNDEFINED:
            raise parsed.elements.wrong(found.keyword, "encapsulated frames", "native pixels")
        return
    expected = -(-found.frame_bits * found.frames // 8)
    if parsed.length == parsing.UNDEFINED:
        raise parsed.elements.wrong(found.keyword, "native pixels", "encapsulated frames")
    if parsed.length < expected:
        got = f"{parsed.length:,} bytes for {found.frames} frames of {found.columns} x {found.rows}"
        raise common.damaged(parsed.name, f"{got}, {expected:,} expected")
    if found.photometric == "YBR_FULL_422" and parsed.length >= expected // 2 * 3:
        raise parsed.elements.wrong("PhotometricInterpretation", "YBR_FULL or RGB", "YBR_FULL_422")
