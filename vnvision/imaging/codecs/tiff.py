"""TIFF: 8 bits and fewer through Pillow, 16 bits through OpenCV."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from vnvision.imaging.alpha import over_white
from vnvision.imaging.codecs import common
from vnvision.imaging.filters import ONE_AT_A_TIME

_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _PLANAR, _EXTRA, _FORMAT = 258, 262, 274, 277, 284, 338, 339
_OFFSETS_AND_SIZES = ((273, 279), (324, 325))  # strips, tiles
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_UNSPECIFIED, _PREMULTIPLIED = 0, 1


def decode(data: bytes, name: str, max_pixels: int) -> common.Decoded:
    """Decode a TIFF's first page. Both decoders turn it upright themselves (tag 274)."""
    with common.decoding(name), _quiet():
        header = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    common.check_size(name, header.size, max_pixels)
    tags = header.tag_v2
    with common.decoding(name):
        bits = set(_many(tags.get(_BITS, 1)))
        kinds = set(_many(tags.get(_FORMAT, 1)))
    if not bits <= {1, 2, 4, 8, 16} or kinds != {1}:
        got = f"{sorted(bits)} bits, sample format {sorted(kinds)}"
        raise common.unsupported(name, "whole numbers of 1, 2, 4, 8 or 16 bits a channel", got)
    _check_extent(tags, len(data), name)
    if bits == {16}:
        return common.Decoded(_deep(data, tags, name))
    if header.size[0] * header.size[1] > (Image.MAX_IMAGE_PIXELS or max_pixels):
        stored = header.size[::-1] if tags.get(_ORIENTATION) in (5, 6, 7, 8) else header.size
        with common.decoding(name):  # a canvas that is there keeps Pillow's process-wide limit out of this
            header.im = Image.new(header.mode, stored).im
    with _quiet():
        return common.Decoded(common.pillow_pixels(header, name))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow, which warns of odd TIFF tags that do not touch the pixels.

    Warning filters belong to the whole process, so one thread at a time.
    """
    with ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _many(value: Any) -> tuple[int, ...]:
    return tuple(int(item) for item in value) if isinstance(value, tuple) else (int(value),)


def _check_extent(tags: Any, length: int, name: str) -> None:
    """Refuse a page whose pixel data lie outside the file: the sign of a cut file."""
    with common.decoding(name):
        ends = [
            offset + size
            for at, sizes in _OFFSETS_AND_SIZES
            for offset, size in zip(_many(tags.get(at, ())), _many(tags.get(sizes, ())), strict=False)
        ]
    if ends and max(ends) > length:
        raise common.damaged(name, f"pixels up to byte {max(ends):,} in a file of {length:,} bytes")


def _deep(data: bytes, tags: Any, name: str) -> np.ndarray:
    """16-bit grey, RGB or RGBA. Pillow would cut colour to 8 bits."""
    with common.decoding(name):
        photometric, samples = int(tags.get(_PHOTOMETRIC, 0)), int(tags.get(_SAMPLES, 1))
        extra = _many(tags.get(_EXTRA, ()))
        planar = int(tags.get(_PLANAR, 1))
    grey = photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK) and samples == 1
    colour = photometric == _RGB and samples in (3, 4) and planar == 1  # OpenCV misreads separate planes
    if not grey and not colour:
        got = f"colour kind {photometric}, {samples} channels, plane layout {planar}"
        raise common.unsupported(name, "16-bit grey, or RGB stored pixel by pixel", got)
    image = common.decode_cv2(data, cv2.IMREAD_UNCHANGED, name)
    if image.dtype != np.uint16 or image.shape[2] != samples:
        raise common.damaged(
            name, f"{image.shape[2]} channels of {image.dtype} instead of {samples} of uint16"
        )
    if grey:
        return 65535 - image if photometric == _MIN_IS_WHITE else image
    image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if samples == 4 else cv2.COLOR_BGR2RGB)
    if samples == 3 or extra == (_UNSPECIFIED,):
        return np.ascontiguousarray(image[:, :, :3])
    return over_white(image, premultiplied=extra == (_PREMULTIPLIED,))
