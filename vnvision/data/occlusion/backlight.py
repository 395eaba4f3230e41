"""Backlight: a bright sky or door behind, the face in its own shade, light bleeding over the edges."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.head import blurred
from vnvision.data.occlusion.light import LUMA, to_encoded, to_linear
from vnvision.data.occlusion.person import person_mask
from vnvision.data.occlusion.pose import Pose


def backlight(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Light from behind. ``strength``: how many stops lie between face and background."""
    shape = (image.shape[0], image.shape[1])
    picture = to_linear(image)
    behind = (1 - person_mask(image, pose))[..., None]
    glow = _source(pose, shape, rng)[..., None] * np.array([0.95, 1.0, 1.05], np.float32)
    # Behind: lifted by stops, towards a white sky. In front: darker, flatter, a little blue from the shade.
    bright = picture * 2 ** (2.2 * strength) + 0.7 * strength * glow
    dark = picture * 2 ** (-rng.uniform(1.8, 2.8) * strength)
    dark = dark + (dark @ LUMA)[..., None] * 0.25 * strength * np.array([-0.1, 0.0, 0.15], np.float32)
    scene = dark + (bright - dark) * behind
    spill = np.minimum(scene, 1.5)
    wide = blurred(spill, 90 * pose.scale) * 0.5 + blurred(spill, 18 * pose.scale) * 0.5
    veil = float(rng.uniform(0.08, 0.16)) * strength
    scene = scene * (1 - veil) + wide * veil * 1.2
    encoded = to_encoded(scene)
    encoded += rng.normal(0, 1.5 * strength, shape).astype(np.float32)[..., None] * (encoded < 90)
    return np.clip(np.rint(encoded), 0, 255).astype(np.uint8)


def _source(pose: Pose, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Where the light behind comes from: brightest to one side, above."""
    centre = pose.shift_px + rng.uniform([-160, -160], [160, -20]) * pose.scale
    reach = rng.uniform(200, 380) * pose.scale
    x, y = np.arange(shape[1]) - centre[0], np.arange(shape[0]) - centre[1]
    return np.asarray(0.25 + 0.75 * np.exp(-(x[None] ** 2 + y[:, None] ** 2) / reach**2), np.float32)
