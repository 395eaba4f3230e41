"""What the decoders share: the size limit, the errors libraries raise, Pillow's modes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from vnvision.errors import DataError
from vnvision.imaging.alpha import over_white

# What Pillow and OpenCV were seen to raise on damaged files. Pillow's TIFF reader trusts its tags, hence the
# lookup, type and arithmetic errors; UserWarning comes where warnings are turned into errors.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    UserWarning,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)
_TO_PLAIN = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA", "PA": "RGBA"}


class Decoded(NamedTuple):
    """Pixels (H, W, 1) or (H, W, 3), and the EXIF orientation still to be applied to them."""

    image: np.ndarray
    orientation: int = 1


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn what a decoder raises into one DataError naming the file."""
    try:
        yield
    except DECODER_ERRORS as exc:
        if isinstance(exc, MemoryError) or getattr(exc, "code", None) == cv2.Error.StsNoMem:
            raise _too_big_for_memory(name) from exc
        raise damaged(name, f"a decoder error ({type(exc).__name__}: {exc})") from exc


def _too_big_for_memory(name: str) -> DataError:
    return DataError(
        f"{name} does not fit into memory",
        expected="an image that fits the free memory",
        fix="shrink it, or close other programs",
    )


def damaged(name: str, got: str) -> DataError:
    """The error for a file that begins as an image and does not go on as one."""
    return DataError(
        f"{name} is damaged or cut short",
        expected="a complete image",
        got=got,
        fix="copy, download or save the image again",
    )


def unsupported(name: str, expected: str, got: str) -> DataError:
    """The error for a sound file of a kind that is not read."""
    return DataError(
        f"{name} cannot be read", expected=expected, got=got, fix="save it as an 8-bit or 16-bit PNG"
    )


def check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    """Refuse a picture that would unpack to more than ``max_pixels``, before unpacking it."""
    width, height = size
    if width * height > max_pixels:
        raise DataError(
            f"{name} is too large",
            expected=f"at most {max_pixels:,} pixels",
            got=f"{width:,} x {height:,} = {width * height:,}",
            fix="shrink it, or raise max_pixels if you trust where it comes from",
        )


def decode_cv2(data: bytes, flags: int, name: str) -> np.ndarray:
    """Pixels (H, W, C) as OpenCV gives them for ``flags``, never turned by EXIF."""
    with decoding(name):
        image: np.ndarray | None = cv2.imdecode(
            np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION
        )
    if image is None:
        raise damaged(name, "data that ends early or makes no sense")
    return image if image.ndim == 3 else image[:, :, None]


def pillow_pixels(image: Image.Image, name: str) -> np.ndarray:
    """Pixels (H, W, 1) or (H, W, 3) uint8 of an 8-bit (or smaller) Pillow image, alpha laid on white.

    Palettes count as colour. CMYK is turned into RGB by ``(1 - ink) * (1 - black)``, without profiles.
    """
    with decoding(name):
        image.load()
        mode = _TO_PLAIN.get(image.mode, image.mode)
        if image.mode == "P":
            mode = "RGBA" if image.has_transparency_data else "RGB"
        elif "transparency" in image.info and mode in ("L", "RGB"):
            mode = {"L": "LA", "RGB": "RGBA"}[mode]
        if mode not in ("L", "LA", "RGB", "RGBA"):
            raise unsupported(name, "8-bit or 16-bit grey or colour", f"pixels of kind {image.mode}")
        pixels = np.array(image if image.mode == mode else image.convert(mode))
    if pixels.ndim == 2:
        return pixels[:, :, None]
    return over_white(pixels) if mode in ("LA", "RGBA") else pixels
