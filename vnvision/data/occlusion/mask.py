"""A surgical or folded cloth mask: over the nose bridge, tight at the cheeks, loops around the ears."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.compose import Coat, compose
from vnvision.data.occlusion.head import EAR_LOW_MM, EAR_TOP_MM
from vnvision.data.occlusion.light import albedo, estimate_light
from vnvision.data.occlusion.mesh import Patch, curve, grid, paint, ribbon
from vnvision.data.occlusion.pose import Pose

_ROWS, _COLUMNS = 72, 40
_HALF_TURN = np.radians(76)
# Middle line from the bridge of the nose to under the chin: y and z.
_RIDGE_MM = np.array(
    [[6, 15], [22, 29], [36, 39], [50, 37], [66, 33], [84, 28], [102, 22], [114, 10], [120, -3]]
)
_PLEATED = ((170, 205, 226), (236, 238, 240), (160, 205, 190), (38, 38, 42), (225, 232, 238))
_FOLDED = ((32, 32, 35), (92, 96, 104), (235, 235, 236), (58, 62, 80))


def surgical_mask(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw a mask. ``strength``: how far over the nose it is pulled; at 0.3 the nose is free.

    Light blue, white, green or black with three pleats, or folded cloth with a seam in the middle.
    """
    light = estimate_light(image, pose)
    folded = rng.random() < 0.3
    shapes = mask_patches(pose, rng, folded=folded, strength=strength)
    layer = paint(shapes, pose, light, image.shape[:2])
    return compose(image, [Coat(layer, shadow=0.4, shadow_mm=5)], pose, light, rng)


def mask_patches(pose: Pose, rng: np.random.Generator, *, folded: bool, strength: float = 1.0) -> list[Patch]:
    """The mask and its loops."""
    colours = _FOLDED if folded else _PLEATED
    rgb = albedo(*colours[rng.integers(len(colours))])
    points = mask_surface(rng, folded=folded, strength=strength)
    v, u = grid(_ROWS, _COLUMNS)
    tone = _seam(u, v) if folded else _pleats(u, v)
    tone = tone * (1 + 0.02 * rng.standard_normal(tone.shape))
    colour = rgb * tone[..., None]
    patches = [Patch(points, colour, inside=None)]
    loop_rgb = rgb * 0.95 if folded else albedo(230, 230, 230)
    width = 9.0 if folded else 3.2
    for side in (-1, 1):
        mirror = np.array([side, 1, 1])
        edge = points[:, 0 if side < 0 else -1]
        out = [side * 6.0, 0, 0]
        for start, ear in ((edge[2], EAR_TOP_MM), (edge[-3], EAR_LOW_MM)):
            end = ear * mirror
            patches.append(ribbon(curve([start, (start + end) / 2 + out, end]), width, loop_rgb, pose))
    return patches


def mask_surface(rng: np.random.Generator, *, folded: bool, strength: float = 1.0) -> np.ndarray:
    """The mask's points (R, C, 3) in head axes."""
    v, u = grid(_ROWS, _COLUMNS)
    jitter = rng.uniform(-1, 1, 4)
    wide = 1 + 0.04 * jitter[0]
    along = (1 - strength) * 0.5 + v * (1 - (1 - strength) * 0.5)
    at = 6 + 4 * jitter[1] + along * (114 + 3 * jitter[2] - 4 * jitter[1])
    fine = np.linspace(5, 130, 251)
    profile = np.interp(fine, _RIDGE_MM[:, 0], _RIDGE_MM[:, 1])
    profile = np.convolve(np.pad(profile, 12, mode="edge"), np.ones(25) / 25, "valid")
    ridge = np.interp(at, fine, profile)
    side_top, side_low = (40.0, 76.0) if folded else (29.0, 86.0)
    side_y = side_top + 3 * jitter[3] + along * (side_low - side_top)
    side_x = wide * (66 if folded else 64 - 9 * along)
    side_z = -50.0 if folded else -38 - 4 * along
    turn = u * _HALF_TURN
    x = side_x * np.sin(turn) / np.sin(_HALF_TURN)
    z = side_z + (ridge - side_z) * (np.cos(turn) - np.cos(_HALF_TURN)) / (1 - np.cos(_HALF_TURN))
    y = at + (side_y - at) * np.abs(u) ** (1.5 if folded else 1.9)
    wrinkles = _wrinkles(rng)
    return np.stack([x + wrinkles * u, y, z + wrinkles], axis=-1)


def _wrinkles(rng: np.random.Generator) -> np.ndarray:
    """Smooth bumps of about a millimetre, (R, C), none at the edges."""
    v, u = grid(_ROWS, _COLUMNS)
    total = np.zeros_like(u)
    for _ in range(5):
        turn, phase, pace = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(4, 10)
        total += np.sin(pace * (u * np.cos(turn) + 2 * v * np.sin(turn)) + phase)
    return np.asarray(0.35 * total * (1 - u**4) * np.sin(np.pi * v))


def _pleats(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Three folds that open towards the middle, a stitched rim, brightness about 1."""
    tone = np.ones_like(u)
    for place in (0.32, 0.5, 0.68):
        off = v - place - 0.03 * (1 - u**2) * np.sign(place - 0.49)
        tone -= 0.2 * np.exp(-((off / 0.016) ** 2)) + 0.07 * np.exp(-off / 0.07) * (off > 0)
    tone -= 0.1 * np.exp(-(((v - 0.05) / 0.015) ** 2)) + 0.1 * np.exp(-(((np.abs(u) - 0.93) / 0.02) ** 2))
    return tone


def _seam(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A seam down the middle, hems above and below."""
    tone = 1 - 0.3 * np.exp(-((u / 0.03) ** 2)) + 0.06 * np.tanh(u / 0.05)
    return np.asarray(tone - 0.15 * np.exp(-(((np.abs(v - 0.5) - 0.46) / 0.012) ** 2)))
