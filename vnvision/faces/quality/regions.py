"""Where parts of a face lie on the 112 x 112 template. Boxes are x0, y0, x1, y1, the last two excluded."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.imaging.align import TEMPLATE_PX

Box = tuple[int, int, int, int]

EYES: tuple[Box, Box] = ((27, 44, 50, 59), (62, 44, 85, 59))
LOWER_FACE: Box = (36, 80, 77, 106)  # mouth, chin and what is beside them: what a face mask covers
MOUTH: Box = (44, 86, 69, 99)
INNER: Box = (24, 40, 90, 110)  # holds all the boxes
# Skin that face masks and most hair leave free: under the eyes and between them.
UPPER_SKIN: tuple[Box, ...] = ((30, 59, 44, 66), (68, 59, 82, 66), (51, 46, 61, 62))
# A head with its hair and chin, as an ellipse: centre and half-axes.
HEAD_CENTRE, HEAD_HALF = (56.0, 60.0), (46.0, 62.0)
_HEAD_STEPS = 24


def _ellipse(centre: tuple[int, int], half: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((TEMPLATE_PX, TEMPLATE_PX), np.uint8)
    cv2.ellipse(mask, centre, half, 0, 0, 360, 1, -1)
    return mask.astype(bool)


def _head_places() -> np.ndarray:
    """(N, 2) places spread evenly over the head's ellipse."""
    along = (np.arange(_HEAD_STEPS) + 0.5) / _HEAD_STEPS * 2 - 1
    x, y = (part.ravel() for part in np.meshgrid(along, along))
    disc = x**2 + y**2 <= 1
    return np.column_stack([x[disc], y[disc]]) * HEAD_HALF + HEAD_CENTRE


FACE = _ellipse((56, 66), (33, 44))  # forehead to chin, without the ears
FACE_AT = np.flatnonzero(FACE)
HEAD_PLACES = _head_places()


def pixels(values: np.ndarray, box: Box) -> np.ndarray:
    """The part of (112, 112) or (112, 112, C) in a box."""
    x0, y0, x1, y1 = box
    return values[y0:y1, x0:x1]
