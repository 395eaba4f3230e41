"""Sunglasses: dark lenses, larger frames."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.compose import Coat, compose
from vnvision.data.occlusion.eyewear import draw_frame, frame_patches, glint_patch, lens_patch
from vnvision.data.occlusion.light import albedo, estimate_light
from vnvision.data.occlusion.mesh import paint
from vnvision.data.occlusion.pose import Pose

_FRAMES = [albedo(18, 17, 17), albedo(60, 36, 24), albedo(170, 140, 80), albedo(120, 120, 125)]
_LENSES = [albedo(20, 20, 22), albedo(46, 30, 20), albedo(24, 34, 30), albedo(30, 36, 52)]


def sunglasses(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw sunglasses. ``strength``: how dark; at 1 the eyes are all but gone."""
    light = estimate_light(image, pose)
    frame = draw_frame(rng, _FRAMES, larger=1.12)
    tint = _LENSES[rng.integers(len(_LENSES))]
    low = tint * rng.choice([1.0, 2.5])
    shape = image.shape[:2]
    lenses = paint([lens_patch(frame, side, tint, low, gloss=0.1) for side in (-1, 1)], pose, light, shape)
    glints = paint([glint_patch(frame, side, rng) for side in (-1, 1)], pose, light, shape)
    rims = paint(frame_patches(frame, pose), pose, light, shape)
    coats = [
        Coat(lenses, 0.96 * strength, shadow=0.3, shadow_mm=5),
        Coat(glints, rng.uniform(0.02, 0.15)),
        Coat(rims, shadow=0.3, shadow_mm=4),
    ]
    return compose(image, coats, pose, light, rng)
