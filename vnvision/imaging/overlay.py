"""A heatmap or a mask laid over the picture it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.errors import DataError
from vnvision.imaging.depth import to_uint8

# Okabe & Ito 2008, "Color Universal Design": told apart with any colour vision.
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
Colour = tuple[int, int, int]


def overlay(image: np.ndarray, heatmap: np.ndarray, alpha: float = 0.6) -> np.ndarray:
    """Heat in colour over a picture; where there is none, the picture shows as it is.

    Args:
        image: (H, W, 3) RGB or (H, W, 1) grey.
        heatmap: (H, W), 0 to 1.
        alpha: opacity of the hottest place, 0 to 1.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: sizes differ, or a value is not in 0..1.
    """
    picture = _rgb(image)
    _same_size(picture, heatmap, "heatmap")
    inside = not heatmap.size or (float(heatmap.min()) >= 0 and float(heatmap.max()) <= 1)
    if not inside or not 0 <= alpha <= 1:
        raise DataError(
            "a heatmap cannot be drawn", expected="heat and alpha from 0 to 1", got=f"alpha {alpha}"
        )
    levels = np.rint(heatmap * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return _blended(picture, colours, alpha * heatmap)


def overlay_mask(
    image: np.ndarray, mask: np.ndarray, alpha: float = 0.45, colours: Sequence[Colour] = COLOURS
) -> np.ndarray:
    """Labels in colour over a picture, each area with its outline; label 0 is left as it is.

    Args:
        image: (H, W, 3) RGB or (H, W, 1) grey.
        mask: (H, W) uint8 label indices.
        alpha: opacity of the areas, 0 to 1.
        colours: of the labels from 1 on, in turn.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: sizes differ, or the mask holds no label indices.
    """
    picture = _rgb(image)
    _same_size(picture, mask, "mask")
    if mask.dtype != np.uint8 or not 0 <= alpha <= 1:
        got = f"{mask.dtype}, alpha {alpha}"
        raise DataError("a mask cannot be drawn", expected="uint8 label indices, alpha from 0 to 1", got=got)
    table = np.array([(0, 0, 0), *(colours[i % len(colours)] for i in range(255))], np.uint8)
    drawn = _blended(picture, table[mask], alpha * (mask > 0))
    thick = max(1, round(min(mask.shape) / 250))
    for label in np.unique(mask[mask > 0]).tolist():
        outlines, _ = cv2.findContours((mask == label).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, table[label].tolist(), thick)
    return drawn


def _blended(picture: np.ndarray, colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    weight = np.asarray(share, dtype=np.float32)[..., None]
    mixed: np.ndarray = np.rint(picture * (1 - weight) + colours * weight).astype(np.uint8)
    return mixed


def _rgb(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise DataError(
            "an image has the wrong shape", expected="(H, W, 3) or (H, W, 1)", got=str(image.shape)
        )
    picture = to_uint8(image)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def _same_size(picture: np.ndarray, layer: np.ndarray, what: str) -> None:
    if layer.shape != picture.shape[:2]:
        expected, got = ("x".join(map(str, item)) for item in (picture.shape[:2], layer.shape))
        raise DataError(f"the {what} does not fit the picture", expected=expected, got=got)
