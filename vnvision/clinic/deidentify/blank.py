"""Rectangles blackened in every frame (Clean Pixel Data Option)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
from pydicom.dataset import FileDataset

from vnvision.clinic.deidentify.faults import reading
from vnvision.clinic.deidentify.opening import MAX_BYTES
from vnvision.clinic.deidentify.pixels import Shape
from vnvision.clinic.deidentify.syntaxes import BIG_ENDIAN, EXPLICIT, NATIVE
from vnvision.errors import DataError

_BLACK = {"YBR_FULL": (0, 128, 128)}


def blanked(
    source: FileDataset, syntax: str, boxes: Sequence[tuple[int, int, int, int]]
) -> tuple[FileDataset, str]:
    """A copy of the data set with the rectangles blackened, and its transfer syntax.

    Compressed pixels are unpacked and stay so (Explicit VR Little Endian): packing them again would change
    the rest of the picture.

    Args:
        source: the data set; it is not changed.
        syntax: its transfer syntax UID.
        boxes: (x, y, width, height) in pixels; what reaches beyond the picture is ignored.

    Raises:
        DataError: a rectangle that misses the picture, or pixels that cannot be unpacked.
    """
    work = copy(source)
    work.file_meta = copy(source.file_meta)
    if syntax not in NATIVE:
        packed = Shape.of(work)
        if packed.frame_bytes * packed.frames > MAX_BYTES:
            raise DataError("the pictures are too large to unpack", expected=f"at most {MAX_BYTES >> 30} GB")
        with reading("compressed pixel data"):
            work.decompress(as_rgb=True, generate_instance_uid=False)
        syntax = EXPLICIT
    shape = Shape.of(work)
    keyword = "PixelData" if "PixelData" in work else "FloatPixelData"
    if shape.allocated == 1 or keyword not in work or shape.photometric.endswith("422"):
        raise DataError(
            "rectangles cannot be blanked in this kind of image",
            expected="pixels of 8 bits or more, colours not subsampled",
            got=f"{shape.allocated} bit {shape.photometric}",
        )
    data = bytearray(work[keyword].value)
    pixels = _view(data, shape, ">" if syntax == BIG_ENDIAN else "<")
    for x, y, width, height in boxes:
        if x >= shape.columns or y >= shape.rows:
            raise DataError(
                "a rectangle to blank lies outside the image",
                expected=f"inside {shape.columns} x {shape.rows} pixels",
                got=f"{x},{y},{width},{height}",
            )
        for sample, value in enumerate(_BLACK.get(shape.photometric, (_black(shape),) * shape.samples)):
            pixels[:, y : y + height, x : x + width, sample] = value
    setattr(work, keyword, bytes(data))
    return work, syntax


def _view(data: bytearray, shape: Shape, order: str) -> np.ndarray:
    """The bytes as (frames, rows, columns, samples), writable."""
    size = shape.allocated // 8
    count = shape.frames * shape.rows * shape.columns * shape.samples
    if len(data) < count * size:
        raise DataError(
            "the pixel data are cut short", expected=f"{count * size:,} bytes", got=f"{len(data):,}"
        )
    flat = np.frombuffer(data, f"{order}u{size}", count=count)
    if not shape.planar or shape.samples == 1:
        return flat.reshape(shape.frames, shape.rows, shape.columns, shape.samples)
    return flat.reshape(shape.frames, shape.samples, shape.rows, shape.columns).transpose(0, 2, 3, 1)


def _black(shape: Shape) -> int:
    """The stored bits of what is shown black: 0, the largest value of MONOCHROME1, the least signed one."""
    largest = (1 << shape.stored) - 1
    if shape.photometric == "MONOCHROME1":
        value = largest >> 1 if shape.signed else largest
    elif shape.signed:
        value = -(1 << (shape.stored - 1)) & ((1 << shape.allocated) - 1)
    else:
        value = 0
    return value << (shape.high - shape.stored + 1) & ((1 << shape.allocated) - 1)
