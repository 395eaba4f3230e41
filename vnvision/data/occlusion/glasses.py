"""Clear spectacles."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.compose import Coat, compose
from vnvision.data.occlusion.eyewear import draw_frame, frame_patches, glint_patch, lens_patch
from vnvision.data.occlusion.light import albedo, estimate_light
from vnvision.data.occlusion.mesh import paint
from vnvision.data.occlusion.pose import Pose

_FRAMES = [
    albedo(22, 20, 20),
    albedo(70, 42, 28),
    albedo(150, 150, 155),
    albedo(165, 130, 70),
    albedo(45, 50, 75),
]


def glasses(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw clear spectacles. ``strength``: how much the lenses reflect; the frame is always there."""
    light = estimate_light(image, pose)
    frame = draw_frame(rng, _FRAMES)
    shape = image.shape[:2]
    tint = np.array([0.75, 0.85, 0.95])
    lenses = paint([lens_patch(frame, side, tint, tint) for side in (-1, 1)], pose, light, shape)
    glints = paint([glint_patch(frame, side, rng) for side in (-1, 1)], pose, light, shape)
    rims = paint(frame_patches(frame, pose), pose, light, shape)
    coats = [
        Coat(lenses, 0.06 * strength),
        Coat(glints, rng.uniform(0.0, 0.25) * strength),
        Coat(rims, shadow=0.3, shadow_mm=4),
    ]
    return compose(image, coats, pose, light, rng)
