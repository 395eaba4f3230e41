"""Deliberately poor views of a picture: what is left when its subject is taken away.

A view is a short vector of numbers. None of them can show a disease; where one tells the label all the same,
the label leaks through the way the pictures were taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.field import find_leaf
from vnvision.errors import DataError
from vnvision.imaging.depth import to_uint8

WORK_PX = 256
THUMB = 8
RING = 10
CORNER = 0.10
CENTRE = 0.70  # width and height of the ellipse that covers the subject, share of the picture's
FOUND = 0.6
_LEAST_OUTSIDE = 0.02

PICTURE_VIEWS = ("thumbnail", "exposure", "border", "corners", "background")
VIEWS = (*PICTURE_VIEWS, "metadata")


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What is kept of one picture: a vector a view. ``outside`` has one for each way to cover the subject."""

    plain: dict[str, np.ndarray]
    outside: dict[str, np.ndarray]


def look(image: np.ndarray, mask: np.ndarray | None, *, covers: bool = True) -> Views:
    """The views of one picture.

    Args:
        image: (H, W, 1 or 3) uint8 or uint16.
        mask: (H, W), not 0 on the subject; None where that is not known.
        covers: whether to cover the subject at all.

    Raises:
        DataError: another dtype.
    """
    small = _small(image)
    plain = {
        "thumbnail": thumbnail(small),
        "exposure": exposure(small),
        "border": border(small),
        "corners": corners(small),
    }
    outside = {}
    if covers:
        outside["centre"] = background(small, centre(small.shape[:2]))
        if mask is not None:
            size = small.shape[1::-1]
            fitted = cv2.resize((mask > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            outside["mask"] = background(small, grown(fitted))
        else:
            found = find_leaf(small if small.shape[2] == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB))
            if found.confidence >= FOUND:
                outside["object"] = background(small, grown(found.mask))
    return Views(plain, {name: vector for name, vector in outside.items() if vector.size})


def thumbnail(image: np.ndarray) -> np.ndarray:
    """(64,) the picture as 8 x 8 grey values in 0..1."""
    return cv2.resize(_grey(image), (THUMB, THUMB), interpolation=cv2.INTER_AREA).ravel() / np.float32(255)


def exposure(image: np.ndarray) -> np.ndarray:
    """(16 + 2 C,) light and colour without place: the grey histogram, mean and spread of each channel."""
    counts = np.bincount(_grey(image).astype(np.uint8).ravel() >> 4, minlength=16)
    return np.concatenate([counts / counts.sum(), _moments(image.reshape(-1, image.shape[2]))])


def border(image: np.ndarray) -> np.ndarray:
    """(36 C,) mean colours along the outermost tenth of the picture."""
    cells = cv2.resize(image, (RING, RING), interpolation=cv2.INTER_AREA).reshape(RING, RING, -1)
    ring = np.ones((RING, RING), bool)
    ring[1:-1, 1:-1] = False
    return cells[ring].ravel() / np.float32(255)


def corners(image: np.ndarray) -> np.ndarray:
    """(24 C,) the four corners, a tenth of the width and height each: 2 x 2 mean colours, and the spread."""
    height, width = image.shape[:2]
    rows, columns = max(round(CORNER * height), 2), max(round(CORNER * width), 2)
    out = []
    for y in (slice(None, rows), slice(-rows, None)):
        for x in (slice(None, columns), slice(-columns, None)):
            part = image[y, x]
            out.append(cv2.resize(part, (2, 2), interpolation=cv2.INTER_AREA).ravel() / np.float32(255))
            out.append(_moments(part.reshape(-1, image.shape[2])))
    return np.concatenate(out)


def background(image: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """(8 + 6 C,) what lies outside the subject: histogram, mean and spread, mean of each quarter.

    Every number is a share or a mean, so that the subject's size and outline do not show. Empty where the
    subject covers nearly everything.
    """
    height, width = image.shape[:2]
    outside = subject == 0
    if outside.mean() < _LEAST_OUTSIDE:
        return np.zeros(0)
    pixels = image[outside]
    grey = _grey(image)[outside].astype(np.uint8)
    moments = _moments(pixels)
    means = []
    for y in (slice(None, height // 2), slice(height // 2, None)):
        for x in (slice(None, width // 2), slice(width // 2, None)):
            part = image[y, x][outside[y, x]]
            means.append(part.mean(axis=0) / 255 if len(part) else moments[: image.shape[2]])
    counts = np.bincount(grey >> 5, minlength=8)
    return np.concatenate([counts / counts.sum(), moments, *means])


def centre(size_px: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8, an ellipse over the middle."""
    height, width = size_px
    box = ((width / 2, height / 2), (CENTRE * width, CENTRE * height), 0.0)
    return np.asarray(cv2.ellipse(np.zeros(size_px, np.uint8), box, 1, cv2.FILLED))


def grown(mask: np.ndarray) -> np.ndarray:
    """A mask with a margin of 3 % of the picture: shadows and soft edges belong to the subject."""
    reach = max(1, round(0.03 * max(mask.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(mask, kernel))


def _small(image: np.ndarray) -> np.ndarray:
    """At most 256 pixels a side, 8 bits."""
    if image.dtype not in (np.uint8, np.uint16):
        raise DataError("cannot probe a picture", expected="8 or 16 bits a channel", got=str(image.dtype))
    image = to_uint8(image)
    scale = WORK_PX / max(image.shape[:2])
    if scale < 1:
        size = max(round(image.shape[1] * scale), THUMB), max(round(image.shape[0] * scale), THUMB)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image if image.ndim == 3 else image[:, :, None]


def _grey(image: np.ndarray) -> np.ndarray:
    grey = image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    values: np.ndarray = grey.astype(np.float32)
    return values


def _moments(pixels: np.ndarray) -> np.ndarray:
    """Mean and spread of each channel of (N, C) pixels, in 0..1."""
    values = pixels.astype(np.float32) / 255
    return np.concatenate([values.mean(axis=0), values.std(axis=0)])
