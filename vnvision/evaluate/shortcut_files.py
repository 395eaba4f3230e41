"""What a file tells before its picture is looked at: size, shape, bytes, format, JPEG quality."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from vnvision.errors import DataError

FACTS = (
    "log width", "log height", "log aspect", "log bytes", "log bits per pixel", "channels", "JPEG", "PNG",
    "JPEG quality", "chroma subsampling", "EXIF",
)  # fmt: skip
# Sum of the luminance table of ITU-T T.81, table K.1, which the IJG library scales by its quality setting.
_TABLE_SUM = 3688
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def file_facts(path: Path, size_px: tuple[int, int], channels: int) -> np.ndarray:
    """(11,) numbers in the order of ``FACTS``; nothing is decoded.

    Args:
        path: the image file.
        size_px: height and width of its picture.
        channels: of its picture.

    Raises:
        DataError: the file is gone.
    """
    try:
        n_bytes = path.stat().st_size
    except OSError as exc:
        raise DataError(f"cannot read {path}", got=exc.strerror or str(exc)) from exc
    height, width = size_px
    kind, quality, sampling, exif = _header(path)
    return np.array([
        math.log(width), math.log(height), math.log(width / height), math.log(max(n_bytes, 1)),
        math.log(8 * max(n_bytes, 1) / (width * height)), channels, kind == "JPEG", kind == "PNG", quality,
        sampling, exif,
    ], dtype=np.float64)  # fmt: skip


def jpeg_quality(table: list[int]) -> float:
    """The IJG quality setting, 1 to 100, that gives a luminance table of this size; 0 for no table.

    Below 25 it is read a little too high: entries stop at 255.
    """
    if not table:
        return 0.0
    scale = 100 * sum(table) / _TABLE_SUM
    return float(np.clip((200 - scale) / 2 if scale <= 100 else 5000 / scale, 1, 100))


def _header(path: Path) -> tuple[str, float, float, bool]:
    """Format, JPEG quality, horizontal times vertical chroma sampling, and whether there is EXIF."""
    try:
        with Image.open(path) as image:
            tables = getattr(image, "quantization", None) or {}
            layer = getattr(image, "layer", None) or []
            sampling = float(layer[0][1] * layer[0][2]) if len(layer) > 1 else 0.0
            quality = jpeg_quality(list(tables.get(0, [])))
            return image.format or "", quality, sampling, "exif" in image.info
    except _UNREADABLE:  # DICOM and whatever else Pillow does not know: its size is known all the same
        return "", 0.0, 0.0, False
