"""Drawn faces that a detector takes for faces: a kit is proven on no one's picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

_BACKGROUND = (176, 196, 214)
_TONES = ((224, 182, 150), (198, 150, 118), (238, 204, 178), (164, 118, 90))


class Look(NamedTuple):
    """How a drawn face differs from another; lengths in parts of the picture's side."""

    tone: tuple[int, int, int]
    eyes: float
    mouth: float
    width: float
    hair: tuple[int, int, int]


def look(person: int) -> Look:
    """The look of drawn person ``person``, 0 and up."""
    rng = np.random.default_rng(person)
    eyes, mouth, width = rng.uniform((0.088, 0.66, 0.215), (0.102, 0.7, 0.235))
    grey = int(rng.integers(20, 90))
    return Look(_TONES[person % len(_TONES)], eyes, mouth, width, (grey, int(0.75 * grey), int(0.6 * grey)))


def drawn_face(person: int, size_px: int = 192, *, tilt_deg: float = 0.0, grain: float = 3.0) -> np.ndarray:
    """One face looking ahead on a plain ground: (size, size, 3) uint8 RGB.

    Args:
        person: which look.
        size_px: of the picture; the face is about 0.6 as high.
        tilt_deg: turned in the plane, counter-clockwise.
        grain: standard deviation of noise, in levels.
    """
    about, side = look(person), 2 * size_px
    image = np.full((side, side, 3), _BACKGROUND, np.uint8)

    def oval(x: float, y: float, w: float, h: float, colour: tuple[int, ...], angle_deg: float = 0.0) -> None:
        centre, axes = (int(x * side), int(y * side)), (int(w * side), int(h * side))
        cv2.ellipse(image, centre, axes, angle_deg, 0, 360, colour, -1, cv2.LINE_AA)

    _head(oval, about)
    for hand in (-1, 1):
        _eye(oval, about, hand)
    dark = tuple(int(0.42 * level) for level in about.tone)
    oval(0.5, 0.56, 0.024, 0.05, tuple(min(255, int(1.05 * level)) for level in about.tone))
    for hand in (-1, 1):
        oval(0.5 + 0.022 * hand, 0.585, 0.014, 0.009, dark)
    oval(0.5, about.mouth, 0.078, 0.026, (178, 82, 84))
    oval(0.5, about.mouth, 0.075, 0.003, (110, 44, 48))
    image = cv2.GaussianBlur(image, (0, 0), side / 110)
    shade = np.linspace(1.08, 0.86, side)[None, :, None]
    image = np.clip(image * shade, 0, 255).astype(np.uint8)
    image = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)
    if tilt_deg:
        turn = cv2.getRotationMatrix2D((size_px / 2, size_px / 2), tilt_deg, 1.0)
        image = cv2.warpAffine(image, turn, (size_px, size_px), borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(person).normal(0, grain, image.shape)
    drawn: np.ndarray = np.clip(image + noise, 0, 255).astype(np.uint8)
    return drawn


def _head(oval: Callable[..., None], about: Look) -> None:
    """Hair, neck and face."""
    oval(0.5, 0.42, 0.27, 0.31, about.hair)
    oval(0.5, 0.86, 0.13, 0.2, tuple(int(0.78 * level) for level in about.tone))
    oval(0.5, 0.5, about.width, 0.3, about.tone)


def _eye(oval: Callable[..., None], about: Look, hand: int) -> None:
    """The eye and brow on the left (-1) or right (1) side of the picture."""
    x = 0.5 + about.eyes * hand
    oval(x, 0.455, 0.052, 0.03, tuple(int(0.78 * level) for level in about.tone))
    oval(x, 0.458, 0.043, 0.02, (248, 246, 244))
    oval(x, 0.458, 0.02, 0.02, (52, 34, 24))
    oval(x, 0.458, 0.009, 0.009, (10, 8, 8))
    oval(x, 0.405, 0.06, 0.012, about.hair, -6.0 * hand)
