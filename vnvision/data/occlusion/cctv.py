"""A cheap camera's picture: few pixels, motion, low bit rate, sometimes interlaced."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.occlusion.head import blurred
from vnvision.data.occlusion.pose import Pose

_EYES_MM = 63.0


def cctv(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Look through a cheap camera. ``strength``: at 1 the eyes lie 12 to 18 pixels apart; less, more."""
    height, width = image.shape[:2]
    eyes_px = _EYES_MM * pose.scale
    wanted = rng.uniform(12, 18) / strength
    shrink = min(1.0, wanted / eyes_px)
    small_px = max(8, round(width * shrink)), max(8, round(height * shrink))
    picture = blurred(image, rng.uniform(0.2, 0.6) / shrink)
    small = cv2.resize(picture, small_px, interpolation=cv2.INTER_AREA)
    moved = _motion(small, rng, strength)
    if rng.random() < 0.3:
        moved = _interlaced(moved, rng)
    noisy = moved.astype(np.float32) + rng.normal(0, rng.uniform(1, 4) * strength, (*moved.shape[:2], 1))
    quality = round(rng.uniform(22, 45) + 45 * (1 - strength))
    coded = _jpeg(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), quality)
    large: np.ndarray = cv2.resize(coded, (width, height), interpolation=cv2.INTER_CUBIC)
    return large


def _motion(picture: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Blur along a straight line of at most three pixels."""
    length, turn = rng.uniform(0, 3) * strength, rng.uniform(0, np.pi)
    kernel = np.zeros((7, 7), np.float32)
    for t in np.linspace(-0.5, 0.5, 33):
        x, y = 3 + t * length * np.cos(turn), 3 + t * length * np.sin(turn)
        x0, y0 = int(x), int(y)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            kernel[y0 + dy, x0 + dx] += (1 - abs(x - x0 - dx)) * (1 - abs(y - y0 - dy))
    blurry: np.ndarray = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return blurry


def _interlaced(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every second row a little later, so a little aside."""
    woven = picture.copy()
    woven[1::2] = np.roll(picture, int(rng.choice([-1, 1])), axis=1)[1::2]
    return woven


def _jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
