"""The aligned crop that faces are measured on: one size for all, never aliased, its outside known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from vnvision.errors import DataError
from vnvision.faces.quality.regions import FACE_AT
from vnvision.imaging.align import TEMPLATE_PX, similarity, template
from vnvision.records import Face

_MARGIN_PX = 2
_LAST = TEMPLATE_PX - 1
_CORNERS = np.array([[0, 0], [_LAST, 0], [0, _LAST], [_LAST, _LAST]], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """One face on the template.

    Attributes:
        rgb: (112, 112, 3) uint8; places outside the picture repeat its edge.
        luma: (112, 112) uint8, the grey value of ``rgb`` (BT.601 weights).
        inside: (112, 112) bool, places that lie in the picture.
        whole: all do.
        shown: (N,) flat indices of the face's places in the picture; of all the face's where none is.
        to_crop: (2, 3) similarity from picture to crop.
        landmarks_px: (5, 2) in the picture.
        image_size_px: height and width of the picture.
    """

    rgb: np.ndarray
    luma: np.ndarray
    inside: np.ndarray
    whole: bool
    shown: np.ndarray
    to_crop: np.ndarray
    landmarks_px: np.ndarray
    image_size_px: tuple[int, int]


@lru_cache(maxsize=1)
def _places() -> np.ndarray:
    """(112 * 112, 2) every place of the crop."""
    y, x = np.mgrid[:TEMPLATE_PX, :TEMPLATE_PX]
    return np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)


def cut(image: np.ndarray, face: Face) -> FaceCrop:
    """Cut one face out for measuring.

    A face larger than the template is averaged down by whole factors first, so that fine detail is not
    mistaken for coarse (``imaging.align`` samples four pixels only, as recognition networks expect).

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8, grey or RGB.
        face: found in this image.

    Raises:
        DataError: the image is not such an array, or the landmarks do not span a face or lie outside it.
    """
    rgb = _rgb(image)
    points = np.asarray(face.landmarks_px, np.float64)
    matrix = similarity(points, template())
    height, width = rgb.shape[:2]
    part, x0, y0 = _part(rgb, matrix)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    by = max(1, int(1 / scale))
    if by > 1:
        size = (max(1, part.shape[1] // by), max(1, part.shape[0] // by))
        part = cv2.resize(part[: size[1] * by, : size[0] * by], size, interpolation=cv2.INTER_AREA)
    # Pixel i of the part covers pixels by * i .. by * i + by - 1 of the picture.
    shift = np.array([x0, y0]) + (by - 1) / 2
    warp = np.column_stack([matrix[:, :2] * by, matrix[:, :2] @ shift + matrix[:, 2]])
    crop = cv2.warpAffine(
        part, warp, (TEMPLATE_PX, TEMPLATE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = _inside(matrix, (height, width))
    whole, shown = bool(inside.all()), FACE_AT[inside.ravel()[FACE_AT]]
    return FaceCrop(
        crop,
        cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY),
        inside,
        whole,
        FACE_AT if whole or not len(shown) else shown,
        matrix,
        points,
        (height, width),
    )


def _inside(to_crop: np.ndarray, image_size_px: tuple[int, int]) -> np.ndarray:
    """(112, 112) bool, places of the crop that lie in the picture."""
    if in_picture(_CORNERS, to_crop, image_size_px).all():
        return np.ones((TEMPLATE_PX, TEMPLATE_PX), bool)
    return in_picture(_places(), to_crop, image_size_px).reshape(TEMPLATE_PX, TEMPLATE_PX)


def in_picture(places: np.ndarray, to_crop: np.ndarray, image_size_px: tuple[int, int]) -> np.ndarray:
    """(N,) bool: which places of the crop (N, 2), x and y, also beyond its edge, lie in the picture.

    Args:
        places: in the crop.
        to_crop: (2, 3) similarity from picture to crop.
        image_size_px: height and width of the picture.
    """
    x, y = np.linalg.inv(to_crop[:, :2]) @ (places.T - to_crop[:, 2:])
    height, width = image_size_px
    inside: np.ndarray = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    return inside


def _rgb(image: np.ndarray) -> np.ndarray:
    grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.dtype != np.uint8 or not image.size or not (grey or (image.ndim == 3 and image.shape[2] == 3)):
        raise DataError(
            "face quality cannot be measured on this array",
            expected="(H, W), (H, W, 1) or (H, W, 3) uint8",
            got=f"{image.shape} {image.dtype}",
            fix="vnvision.faces.pictures.decoded makes one of any picture",
        )
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if grey else image


def _part(rgb: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The part of the picture under the crop, and where it begins (x, y)."""
    x, y = np.linalg.solve(matrix[:, :2], _CORNERS.T - matrix[:, 2:])
    height, width = rgb.shape[:2]
    x0, x1 = max(0, int(x.min()) - _MARGIN_PX), min(width, int(x.max()) + 1 + _MARGIN_PX)
    y0, y1 = max(0, int(y.min()) - _MARGIN_PX), min(height, int(y.max()) + 1 + _MARGIN_PX)
    if x0 >= x1 or y0 >= y1:
        raise DataError(
            "the face lies outside its picture",
            expected=f"landmarks within {width} x {height} pixels",
            got=f"x {x.min():.0f} to {x.max():.0f}, y {y.min():.0f} to {y.max():.0f}",
            fix="measure a face on the picture it was found in",
        )
    return rgb[y0:y1, x0:x1], x0, y0
