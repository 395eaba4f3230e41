"""A nón lá, the conical palm-leaf hat: cone with rings, inner side seen behind the face, ribbon, shade."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.compose import Coat, compose
from vnvision.data.occlusion.head import face_mask, head_height
from vnvision.data.occlusion.light import albedo, estimate_light
from vnvision.data.occlusion.mesh import Patch, curve, grid, paint, ribbon
from vnvision.data.occlusion.pose import Pose

_STRAW = ((226, 208, 165), (215, 196, 150), (233, 220, 188), (205, 180, 130))
_RIBBONS = ((205, 90, 120), (235, 235, 235), (90, 60, 130), (60, 60, 64), (200, 40, 50))
_HAIR_MM = 12.0


def non_la(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw a nón lá. ``strength``: how low its brim sits: at 1 on the brows."""
    light = estimate_light(image, pose)
    shape = image.shape[:2]
    brim_mm = -32.0 - 25 * (1 - strength) + rng.uniform(-8, 3)
    straw = albedo(*_STRAW[rng.integers(len(_STRAW))])
    rgb = albedo(*_RIBBONS[rng.integers(len(_RIBBONS))])
    parts = [cone_patch(rng, straw, brim_mm), *_ties(pose, rgb)]
    hat = paint(parts, pose, light, shape, hair_mm=_HAIR_MM)
    below = head_height(pose, shape) - brim_mm
    reach = rng.uniform(25, 60)
    dim = 1 - rng.uniform(0.3, 0.5) / (1 + np.exp((below - reach) / 14)) * face_mask(pose, shape)
    return compose(
        image, [Coat(hat, shadow=0.25, shadow_mm=6)], pose, light, rng, shade=dim.astype(np.float32)
    )


def cone_patch(rng: np.random.Generator, straw: np.ndarray, brim_mm: float) -> Patch:
    """The cone, tilted back so that its brim's front is ``brim_mm`` below the eyes (above: negative)."""
    radius, height = rng.uniform(195, 212), rng.uniform(165, 190)
    lean, sway = np.radians(rng.uniform(9, 16)), np.radians(rng.uniform(-4, 4))
    v, u = grid(52, 120)
    turn = u * np.pi
    out = v * radius
    # The last stretch bends a little: a rim of bamboo.
    cone = np.stack([out * np.sin(turn), height * (v - 1) - 3 * (1 - v) * v, out * np.cos(turn)], axis=-1)
    nod = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    roll = np.array([[np.cos(sway), -np.sin(sway), 0], [np.sin(sway), np.cos(sway), 0], [0, 0, 1]])
    placed = cone @ (roll @ nod).T
    points = placed + np.array([0.0, brim_mm + radius * np.sin(lean), -80.0])
    rings = 1 - 0.16 * np.exp(-((((v * 15) % 1 - 0.5) / 0.12) ** 2))
    leaves = rng.normal(1, 0.05, 120)
    leaves[-1] = leaves[0]
    tone = rings * leaves[None, :] * (1 + 0.03 * rng.standard_normal(v.shape))
    tone *= np.where(v > 0.975, 0.7, 1.0)
    return Patch(points, straw * tone[..., None], inside=0.42, worn=True)


def _ties(pose: Pose, rgb: np.ndarray) -> list[Patch]:
    """The ribbon under the chin."""
    parts = []
    for side in (-1, 1):
        knots = [
            [side * 92, -40, -70],
            [side * 76, 20, -58],
            [side * 64, 62, -50],
            [side * 42, 102, -34],
            [0, 122, -15],
        ]
        parts.append(ribbon(curve(knots, 32), 12.0, rgb, pose))
    return parts
