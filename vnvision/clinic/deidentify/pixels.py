"""Pixel data carried over: the same values, and no byte beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag

from vnvision.clinic.deidentify import jpeg, jpeg2000, rle
from vnvision.clinic.deidentify.faults import reading
from vnvision.clinic.deidentify.syntaxes import BIG_ENDIAN, JPEG, NATIVE, RLE
from vnvision.errors import DataError

BITS_CLEARED = "bits-outside-stored-cleared"
BYTES_CUT = "bytes-behind-pixels-cut"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header says of native pixels."""

    rows: int
    columns: int
    samples: int
    frames: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: bool
    photometric: str

    @classmethod
    def of(cls, source: Dataset) -> Shape:
        """Read it.

        Raises:
            DataError: a number is missing or makes no sense.
        """
        with reading("image header"):
            allocated = int(source.BitsAllocated)
            stored = int(source.get("BitsStored") or allocated)
            found = cls(
                rows=int(source.Rows),
                columns=int(source.Columns),
                samples=int(source.get("SamplesPerPixel") or 1),
                frames=int(source.get("NumberOfFrames") or 1),
                allocated=allocated,
                stored=stored,
                high=int(source.get("HighBit", stored - 1)),
                signed=source.get("PixelRepresentation") == 1,
                planar=source.get("PlanarConfiguration") == 1,
                photometric=str(source.get("PhotometricInterpretation", "")),
            )
        fits = 0 < found.stored <= allocated and found.stored - 1 <= found.high < allocated
        if (
            allocated not in (1, 8, 16, 32, 64)
            or not fits
            or min(found.rows, found.columns, found.frames) < 1
        ):
            raise DataError(
                "the image header makes no sense",
                expected="sizes and bits that fit together",
                vietnamese="kích thước và số bit ghi trong đầu tệp không khớp nhau",
            )
        return found

    @property
    def frame_bytes(self) -> int:
        """Size of one frame, unpacked."""
        return -(-self.rows * self.columns * self.samples * self.allocated // 8)

    def bits(self, available: int) -> int:
        """Size of all frames; the shorter form of YBR_FULL_422 only where the longer is not there."""
        full = self.rows * self.columns * self.samples * self.frames * self.allocated
        return full // 3 * 2 if self.photometric == "YBR_FULL_422" and available * 8 < full else full


def carried(source: Dataset, syntax: str) -> tuple[DataElement | None, list[str]]:
    """The pixel element to write, and notes of what was cut.

    Raises:
        DataError: the pixel data are cut short or damaged, or their header is.
    """
    present = [k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in source]
    if not present:
        return None, []
    if len(present) > 1:
        raise DataError(
            "the file holds several kinds of pixel data",
            expected="one",
            got=", ".join(present),
            vietnamese="tệp chứa nhiều loại dữ liệu ảnh",
        )
    shape = Shape.of(source)
    with reading("pixel data"):
        element = source[present[0]]
        data = bytes(element.value or b"")
    if syntax in NATIVE:
        swapped = syntax == BIG_ENDIAN and shape.allocated <= 8 and element.VR == "OW"
        data = _swapped(data) if swapped else data  # bytes in words of two (PS3.5 Section 7.3)
        cleaned, notes = native(data, shape, syntax == BIG_ENDIAN, floats=present[0] != "PixelData")
        cleaned = _swapped(cleaned) if swapped else cleaned
        return DataElement(Tag(element.tag), element.VR, cleaned), notes
    frames = _frames(data, shape, source, syntax)
    kept = DataElement(Tag(element.tag), "OB", encapsulate(frames))
    kept.is_undefined_length = True
    return kept, []


def native(data: bytes, shape: Shape, big_endian: bool, *, floats: bool = False) -> tuple[bytes, list[str]]:
    """Pixels cut to their length, with nothing in the bits that they do not use.

    Raises:
        DataError: there are fewer bytes than the header promises.
    """
    bits = shape.bits(len(data))
    expected = -(-bits // 8)
    if len(data) < expected:
        raise DataError(
            "the pixel data are cut short",
            expected=f"{expected:,} bytes",
            got=f"{len(data):,}",
            fix="export it again",
            vietnamese="dữ liệu ảnh bị cắt ngắn; hãy xuất lại",
        )
    notes = [BYTES_CUT] if data[expected:].strip(b"\0") else []
    kept = bytearray(data[:expected])
    if bits % 8:
        kept[-1] &= (1 << bits % 8) - 1
    if not floats and shape.stored < shape.allocated:
        notes += _clear_unused(kept, shape, ">" if big_endian else "<")
    return bytes(kept) + b"\0" * (expected % 2), notes


def _swapped(data: bytes) -> bytes:
    return np.frombuffer(data + b"\0" * (len(data) % 2), "u2").byteswap().tobytes()


def _clear_unused(data: bytearray, shape: Shape, order: str) -> list[str]:
    """Zero the bits above and below the stored ones, or make them the sign; overlays were once kept there."""
    words = np.frombuffer(data, f"{order}u{shape.allocated // 8}")
    kind = words.dtype.type
    used = ((1 << shape.stored) - 1) << (shape.high - shape.stored + 1)
    sign_bits = ((1 << shape.allocated) - 1) & ~((1 << (shape.high + 1)) - 1)
    inside, outside = words & kind(used), words & kind(used ^ ((1 << shape.allocated) - 1))
    extended = np.zeros_like(words)
    if shape.signed:
        extended = np.where(words >> kind(shape.high) & kind(1), kind(sign_bits), kind(0)).astype(words.dtype)
    if np.all((outside == 0) | (outside == extended)):
        return []
    words[:] = inside | extended
    return [BITS_CLEARED]


def _frames(data: bytes, shape: Shape, source: Dataset, syntax: str) -> list[bytes]:
    offsets: Any = None
    if "ExtendedOffsetTable" in source and "ExtendedOffsetTableLengths" in source:
        offsets = (source.ExtendedOffsetTable, source.ExtendedOffsetTableLengths)
    with reading("compressed pixel data"):
        frames = list(generate_frames(data, number_of_frames=shape.frames, extended_offsets=offsets))
    if len(frames) != shape.frames:
        raise DataError(
            "frames are missing",
            expected=str(shape.frames),
            got=str(len(frames)),
            vietnamese="thiếu khung hình",
        )
    if syntax == RLE:
        return [rle.stripped(frame, shape.rows * shape.columns) for frame in frames]
    strip = jpeg.stripped if syntax in JPEG else jpeg2000.stripped
    return [strip(frame) for frame in frames]
