"""Make-up: foundation and smoother skin, lipstick, eye shadow, liner, blush."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.occlusion.head import blurred, face_mask, head_height
from vnvision.data.occlusion.light import LUMA, albedo, estimate_light, to_encoded, to_linear
from vnvision.data.occlusion.pose import Pose
from vnvision.data.occlusion.regions import lips, oval, soft_region

_LIPS = ((165, 20, 40), (200, 50, 80), (140, 30, 45), (215, 90, 80), (110, 20, 50))
_LIDS = ((120, 70, 60), (95, 65, 85), (75, 80, 100), (150, 95, 100), (80, 50, 40))


def make_up(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Paint make-up. ``strength``: how thick."""
    shape = (image.shape[0], image.shape[1])
    light = estimate_light(image, pose)
    picture = to_linear(_smoothed(image, pose, strength * rng.uniform(0.4, 0.9)))
    brow = np.clip((head_height(pose, shape) + 55) / 25, 0, 1)
    face = face_mask(pose, shape) * brow * _skin(picture)
    lift = strength * rng.uniform(0.05, 0.3) * face
    pale = picture + (light.colour * albedo(245, 220, 205) - picture) * 0.5
    picture = picture + (pale - picture) * lift[..., None]
    mouth = soft_region(lips(), pose, shape, 1.3) * _reddish(picture, face)
    _tint(picture, mouth * strength * rng.uniform(0.6, 0.85), albedo(*_LIPS[rng.integers(len(_LIPS))]))
    lid = albedo(*_LIDS[rng.integers(len(_LIDS))])
    cheek, thick = rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.45)
    for side in (-1, 1):
        shadow = soft_region(oval((side * 33, -6.5, -1), (17, 4.5), lean=side * -0.12), pose, shape, 2.0)
        _tint(picture, shadow * strength * thick, lid)
        liner = soft_region(oval((side * 33, -3.2, 0), (16, 0.9), lean=side * -0.08), pose, shape, 0.6)
        _tint(picture, liner * strength * 0.8, albedo(30, 22, 22))
        blush = soft_region(oval((side * 42, 33, -10), (17, 11), lean=side * -0.5), pose, shape, 7.0)
        _tint(picture, blush * strength * cheek * face, albedo(225, 110, 110))
    return np.rint(to_encoded(picture)).astype(np.uint8)


def _smoothed(image: np.ndarray, pose: Pose, amount: float) -> np.ndarray:
    """Skin without its fine texture; edges stay."""
    shape = (image.shape[0], image.shape[1])
    keep = np.zeros(shape, np.float32)
    for outline in (lips(), oval((-32, -2, 0), (20, 13)), oval((32, -2, 0), (20, 13))):
        keep = np.maximum(keep, soft_region(outline, pose, shape, 2.0))
    sigma = max(1.0, 4 * pose.scale)
    smooth = cv2.bilateralFilter(image, 0, 28, min(sigma, 6.0))
    weight = (amount * face_mask(pose, shape) * (1 - keep))[..., None]
    return np.rint(image + (smooth.astype(np.float32) - image) * weight).astype(np.uint8)


def _tint(picture: np.ndarray, amount: np.ndarray, rgb: np.ndarray) -> None:
    """Colour in place and keep the light and shade under it."""
    luma = blurred(picture @ LUMA, 0.5)[..., None]
    wanted = rgb / float(rgb @ LUMA) * luma * min(1.0, 0.45 + 1.6 * float(rgb @ LUMA))
    picture += (np.minimum(wanted, 1) - picture) * np.clip(amount, 0, 1)[..., None]


def _skin(picture: np.ndarray) -> np.ndarray:
    """Where the colour could be skin: redder than green, not black."""
    red = picture[..., 0] - picture[..., 1]
    return np.asarray(np.clip((picture @ LUMA - 0.02) / 0.04, 0, 1) * np.clip((red + 0.02) / 0.03, 0, 1))


def _reddish(picture: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Lips are redder than skin; teeth and the dark of an open mouth stay as they are: 0 to 1."""
    luma = picture @ LUMA + 1e-3
    red = (picture[..., 0] - picture[..., 1]) / luma
    inside = face > 0.5
    usual = float(np.median(red[inside])) if inside.any() else 0.3
    return np.asarray(
        np.clip((red - 0.45 * usual) / (0.35 * usual + 0.05), 0, 1) * np.clip((luma - 0.01) / 0.03, 0, 1)
    )
