"""What a browser is shown of a picture it sent: upright, no larger than a screen, and nothing but pixels."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vnvision.imaging.depth import to_uint8
from vnvision.records import Sample

MOST_PX = 1600


class Reader(Protocol):
    """Reads files from strangers."""

    def read(self, source: str | Path | bytes) -> Sample:
        """As ``vnvision.imaging.read``."""
        ...


def shown(image: np.ndarray) -> np.ndarray:
    """(H, W, C) of any depth -> (h, w, 3) uint8, no side over ``MOST_PX``."""
    image = to_uint8(image)
    factor = MOST_PX / max(image.shape[:2])
    if factor < 1:
        size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image = image.reshape(*image.shape[:2], -1)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def jpeg(image: np.ndarray, quality: int = 85) -> bytes:
    """(h, w, 3) uint8 -> a JPEG that holds pixels and nothing else."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, format="JPEG", quality=quality)
    return stream.getvalue()


def preview(source: Path | bytes, reader: Reader) -> bytes:
    """A JPEG of a picture's pixels: no place, no time, no camera.

    Raises:
        VnvisionError: it cannot be read.
    """
    return jpeg(shown(reader.read(source).image))
