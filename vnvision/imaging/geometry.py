"""Bringing an image to the model's size: squash, crop, letterbox."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture's pixels lie in the model's input: ``model = picture * scale + offset``, x before y.

    Coordinates are continuous: the first pixel covers 0 to 1.
    """

    scale: tuple[float, float]
    offset_px: tuple[float, float]

    def to_model(self, boxes_xyxy_px: np.ndarray) -> np.ndarray:
        """(N, 4) boxes of the picture -> boxes in the model's input, not clipped."""
        placed: np.ndarray = boxes_xyxy_px * np.array(self.scale * 2) + np.array(self.offset_px * 2)
        return placed

    def to_picture(self, boxes_xyxy_px: np.ndarray) -> np.ndarray:
        """(N, 4) boxes in the model's input -> boxes of the picture, not clipped."""
        placed: np.ndarray = (boxes_xyxy_px - np.array(self.offset_px * 2)) / np.array(self.scale * 2)
        return placed


def placement(
    picture_px: tuple[int, int], size_px: tuple[int, int], how: str, crop_pct: float = 1.0
) -> Placement:
    """What ``squash``, ``crop``, ``letterbox`` or ``none`` does to a picture of a height and width.

    Of ``strips`` it is ``squash`` of the stack, see ``imaging.strips``; ``align`` has none.
    """
    height, width = picture_px
    if how == "none":
        return Placement((1.0, 1.0), (0.0, 0.0))
    if how == "squash":
        inner, top, left = size_px, 0, 0
    elif how == "letterbox":
        inner = _fitted(picture_px, size_px)
        top, left = (size_px[0] - inner[0]) // 2, (size_px[1] - inner[1]) // 2
    elif how == "crop":
        inner = _covering(picture_px, size_px, crop_pct)
        top, left = -round((inner[0] - size_px[0]) / 2), -round((inner[1] - size_px[1]) / 2)
    else:
        raise ConfigError(
            "no placement for this geometry", expected="squash, crop, letterbox or none", got=how
        )
    return Placement((inner[1] / width, inner[0] / height), (float(left), float(top)))


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
    inner = _covering((image.shape[0], image.shape[1]), size_px, crop_pct)
    resized = resize(image, inner, interpolation)
    top, left = round((inner[0] - size_px[0]) / 2), round((inner[1] - size_px[1]) / 2)
    return resized[top : top + size_px[0], left : left + size_px[1]]


def letterbox(
    image: np.ndarray, size_px: tuple[int, int], interpolation: int, pad_value: float
) -> np.ndarray:
    """Fit the whole image inside (height, width), centred, the rest filled with ``pad_value``: (h, w, C)."""
    inner = _fitted((image.shape[0], image.shape[1]), size_px)
    resized = resize(image, inner, interpolation)
    if inner == size_px:
        return resized
    top, left = (size_px[0] - inner[0]) // 2, (size_px[1] - inner[1]) // 2
    canvas = np.full((*size_px, image.shape[2]), pad_value, dtype=image.dtype)
    canvas[top : top + inner[0], left : left + inner[1]] = resized
    return canvas


def _covering(picture_px: tuple[int, int], size_px: tuple[int, int], crop_pct: float) -> tuple[int, int]:
    """Height and width a picture is resized to before its centre is cut out."""
    height, width = picture_px
    wanted = math.floor(size_px[0] / crop_pct), math.floor(size_px[1] / crop_pct)
    # Integers decide which side is tight, so that this side comes out at exactly the wanted length.
    if wanted[0] * width >= wanted[1] * height:
        return wanted[0], max(wanted[1], width * wanted[0] // height)
    return max(wanted[0], height * wanted[1] // width), wanted[1]


def _fitted(picture_px: tuple[int, int], size_px: tuple[int, int]) -> tuple[int, int]:
    """Height and width a whole picture takes inside ``size_px``."""
    height, width = picture_px
    scale = min(size_px[0] / height, size_px[1] / width)
    return max(1, round(height * scale)), max(1, round(width * scale))
