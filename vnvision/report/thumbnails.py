"""Small pictures that travel inside the page."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np

from vnvision.data.manifest import leaves_root
from vnvision.errors import DataError
from vnvision.imaging import read

SIZE_PX = 160


def thumbnail(image_root: Path | None, path: str, size_px: int = SIZE_PX) -> str | None:
    """A JPEG of at most ``size_px`` a side as a data URI; None where there is no readable picture.

    A report must come out even where its pictures are gone, and never shows a file outside the root.
    """
    if image_root is None or leaves_root(path):
        return None
    try:
        image = read(image_root / path).image
    except (DataError, OSError):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(image, size_px)).decode("ascii")


def _jpeg(image: np.ndarray, size_px: int) -> bytes:
    from PIL import Image

    if image.dtype != np.uint8:
        image = np.round(image.astype(np.float64) * (255 / np.iinfo(image.dtype).max)).astype(np.uint8)
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    stream = BytesIO()
    picture.save(stream, format="JPEG", quality=80, optimize=True)
    return stream.getvalue()
