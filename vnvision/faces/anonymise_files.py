"""Pictures written back without what their files say beside the pixels."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin

from vnvision.errors import DataError
from vnvision.imaging.codecs.common import DECODER_ERRORS

_JPEG_QUALITY = 95


def encoded(image: np.ndarray, kind: str, original: bytes) -> bytes:
    """An image as a file of a kind, without EXIF, XMP, comments, previews or further pages.

    Of the original only the colour profile is kept (not with 16 bits a channel) and, in a JPEG, its own
    quantisation tables and colour sampling: pixels that did not change come out nearly as they were. Other
    kinds are written without loss.

    Args:
        image: (H, W, 1) or (H, W, 3) RGB, uint8, or uint16 for PNG and TIFF; upright.
        kind: ``JPEG``, ``PNG``, ``WEBP``, ``TIFF`` or ``BMP``.
        original: the file that the image was read from.

    Raises:
        DataError: another kind.
    """
    if image.dtype == np.uint16 and kind in ("PNG", "TIFF"):
        pixels = image[:, :, ::-1] if image.shape[2] == 3 else image
        done, data = cv2.imencode(f".{kind.lower()}", np.ascontiguousarray(pixels))
        if done:
            return bytes(data.tobytes())
    if kind not in ("JPEG", "PNG", "WEBP", "TIFF", "BMP") or image.dtype != np.uint8:
        raise DataError("cannot write a picture", expected="JPEG, PNG, WebP, TIFF or BMP", got=kind)
    options, profile = _as_before(kind, original)
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if kind == "JPEG" and picture.mode == "L":
        options.pop("subsampling", None)
        options |= {"qtables": options["qtables"][:1]} if "qtables" in options else {}
    if profile and kind != "BMP":
        options["icc_profile"] = profile
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _as_before(kind: str, original: bytes) -> tuple[dict[str, Any], bytes | None]:
    """How the original was compressed, and its colour profile; nothing where its header cannot be read."""
    fixed: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": _JPEG_QUALITY, "subsampling": 0},
        "PNG": {"optimize": False},
        "WEBP": {"lossless": True, "method": 2},
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "BMP": {},
    }
    options = dict(fixed[kind])
    try:
        with Image.open(io.BytesIO(original), formats=(kind,)) as before:
            profile = before.info.get("icc_profile")
            same = before.mode == "RGB" or before.mode == "L"
            if isinstance(before, JpegImagePlugin.JpegImageFile) and same and before.quantization:
                tables = [list(before.quantization[key]) for key in sorted(before.quantization)]
                options = {"qtables": tables}
                sampling = JpegImagePlugin.get_sampling(before)
                if sampling in (0, 1, 2):
                    options["subsampling"] = sampling
    except DECODER_ERRORS:
        return dict(fixed[kind]), None
    fits = same and isinstance(profile, bytes)  # a CMYK or palette profile would not fit the pixels
    return options, profile if fits else None
