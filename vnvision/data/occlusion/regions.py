"""Soft regions of a face, drawn from outlines in head axes."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.occlusion.head import blurred
from vnvision.data.occlusion.pose import Pose


def soft_region(outline_mm: np.ndarray, pose: Pose, shape: tuple[int, int], soft_mm: float) -> np.ndarray:
    """A filled outline (N, 3) as (H, W) float32, 0 to 1, blurred by ``soft_mm``."""
    mask = np.zeros(shape, np.uint8)
    points = np.rint(pose.project(outline_mm) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return blurred(mask.astype(np.float32) / 255, soft_mm * pose.scale)


def oval(
    centre_mm: tuple[float, float, float], half_mm: tuple[float, float], *, lean: float = 0.0
) -> np.ndarray:
    """An oval outline (48, 3) that follows the face's curve; ``lean`` turns it, radians."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = half_mm[0] * np.cos(turn), half_mm[1] * np.sin(turn)
    x, y = x * np.cos(lean) - y * np.sin(lean), x * np.sin(lean) + y * np.cos(lean)
    x0, y0, z0 = centre_mm
    fall = ((x0 + x) ** 2 - x0**2) / 140
    return np.stack([x0 + x, y0 + y, z0 - fall], axis=-1)


def lips() -> np.ndarray:
    """The outline of both lips (N, 3), corners on the landmarks."""
    upper = [(-27.5, 63, -3.5), (-14, 57.5, 7), (-5, 54.5, 12), (0, 56, 13), (5, 54.5, 12), (14, 57.5, 7)]
    lower = [(27.5, 63, -3.5), (15, 72, 6), (0, 76, 11), (-15, 72, 6)]
    return np.array(upper + lower, np.float64)
