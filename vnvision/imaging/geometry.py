"""Bringing an image to the model's size: squash, crop, letterbox."""

from __future__ import annotations

import math

import cv2
import numpy as np

INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST_EXACT,  # samples pixel centres, as other libraries do
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


def resize(image: np.ndarray, size_px: tuple[int, int], interpolation: int) -> np.ndarray:
    """Resize (H, W, C) to (height, width), ignoring aspect. The image itself where the size is right.

    Bilinear and bicubic read only the nearest 2 x 2 or 4 x 4 pixels, so fine texture aliases where an image
    shrinks a lot; ``area`` averages all of them and takes longer.
    """
    if image.shape[:2] == size_px:
        return image
    resized: np.ndarray = cv2.resize(image, (size_px[1], size_px[0]), interpolation=interpolation)
    return resized if resized.ndim == 3 else resized[:, :, None]


def crop(image: np.ndarray, size_px: tuple[int, int], interpolation: int, crop_pct: float) -> np.ndarray:
    """Resize so that the crop covers ``crop_pct`` of the tighter side, then cut out the centre: (h, w, C).

    For a square size this is the usual "shorter side to ``floor(size / crop_pct)``, centre crop".
    """
    height, width = image.shape[:2]
    wanted = math.floor(size_px[0] / crop_pct), math.floor(size_px[1] / crop_pct)
    # Integers decide which side is tight, so that this side comes out at exactly the wanted length.
    if wanted[0] * width >= wanted[1] * height:
        inner = wanted[0], max(wanted[1], width * wanted[0] // height)
    else:
        inner = max(wanted[0], height * wanted[1] // width), wanted[1]
    resized = resize(image, inner, interpolation)
    top, left = round((inner[0] - size_px[0]) / 2), round((inner[1] - size_px[1]) / 2)
    return resized[top : top + size_px[0], left : left + size_px[1]]


def letterbox(
    image: np.ndarray, size_px: tuple[int, int], interpolation: int, pad_value: float
) -> np.ndarray:
    """Fit the whole image inside (height, width), centred, the rest filled with ``pad_value``: (h, w, C)."""
    height, width = image.shape[:2]
    scale = min(size_px[0] / height, size_px[1] / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    resized = resize(image, inner, interpolation)
    if inner == size_px:
        return resized
    top, left = (size_px[0] - inner[0]) // 2, (size_px[1] - inner[1]) // 2
    canvas = np.full((*size_px, image.shape[2]), pad_value, dtype=image.dtype)
    canvas[top : top + inner[0], left : left + inner[1]] = resized
    return canvas
