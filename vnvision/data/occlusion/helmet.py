"""A motorbike helmet: the half shell most riders wear, or three-quarter with a visor; chin strap closed."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.compose import Coat, compose
from vnvision.data.occlusion.head import face_mask, head_height
from vnvision.data.occlusion.light import albedo, estimate_light
from vnvision.data.occlusion.mesh import Patch, curve, grid, paint, plain, ribbon
from vnvision.data.occlusion.pose import Pose

_CENTRE, _AXES = np.array([0.0, -30.0, -85.0]), np.array([97.0, 122.0, 118.0])
_SHELLS = (
    (28, 28, 30),
    (225, 225, 222),
    (170, 28, 30),
    (30, 60, 130),
    (235, 200, 60),
    (120, 124, 128),
    (225, 130, 160),
    (40, 90, 70),
)
_BLACK = albedo(26, 26, 28)
_STRAP_MM = 15.0


def motorbike_helmet(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw a helmet. ``strength``: how low it sits: at 1 on the brows; a visor's tint also follows it."""
    light = estimate_light(image, pose)
    shape = image.shape[:2]
    large = rng.random() < 0.45
    front = -34.0 - 18 * (1 - strength) + rng.uniform(-3, 2)
    rim = _rim(front, large=large)
    shell = paint([*shell_patches(rng, rim), *strap_patches(pose, large=large)], pose, light, shape)
    coats = [Coat(shell, shadow=0.45, shadow_mm=7)]
    if large and rng.random() < 0.7:
        tinted = rng.random() < 0.5
        visor = paint([_visor(front, tinted=tinted)], pose, light, shape, hair_mm=None)
        coats.append(Coat(visor, (0.6 if tinted else 0.14) * strength))
        glare = paint([_glare(front, rng)], pose, light, shape, hair_mm=None)
        coats.append(Coat(glare, rng.uniform(0.1, 0.35)))
    elif not large or rng.random() < 0.5:
        coats.append(Coat(paint([_peak(front)], pose, light, shape), shadow=0.35, shadow_mm=10))
    below = head_height(pose, shape) - front
    dim = 1 - 0.3 * np.exp(-np.maximum(below, 0) / 22) * face_mask(pose, shape)
    return compose(image, coats, pose, light, rng, shade=dim.astype(np.float32))


def _rim(front: float, *, large: bool) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth (radians, 0 ahead) and height of the shell's lower edge."""
    turns = np.radians([0, 40, 62, 80, 110, 140, 180])
    if large:
        return turns, np.array([front, front, front + 18, 48, 66, 62, 60])
    return turns, np.array([front, front + 1, front + 6, front + 14, -4, 12, 16])


def _on_shell(turn: np.ndarray, y: np.ndarray, *, out_mm: float = 0.0) -> np.ndarray:
    """Points of the shell at an azimuth and a height."""
    axes = _AXES + out_mm
    sine = np.clip((y - _CENTRE[1]) / axes[1], -1, 1)
    reach = np.sqrt(1 - sine**2)
    # Below its widest place the shell hangs straight down.
    reach = np.where(sine > 0, 1 - 0.25 * sine**2, reach)
    return np.stack([axes[0] * reach * np.sin(turn), y, _CENTRE[2] + axes[2] * reach * np.cos(turn)], axis=-1)


def shell_patches(rng: np.random.Generator, rim: tuple[np.ndarray, np.ndarray]) -> list[Patch]:
    """The shell from its rim to its top, a dark trim along the rim, sometimes a stripe."""
    v, u = grid(40, 96)
    turn = u * np.pi
    edge = np.interp(np.abs(turn), *rim)
    top = _CENTRE[1] - _AXES[1]
    y = top + (edge - top) * np.sin(v * np.pi / 2)
    points = _on_shell(turn, y)
    rgb = albedo(*_SHELLS[rng.integers(len(_SHELLS))])
    colour = plain(points, rgb)
    if rng.random() < 0.6:
        stripe = albedo(*_SHELLS[rng.integers(len(_SHELLS))])
        if rng.random() < 0.5:
            where = np.abs(np.abs(points[..., 0]) - 18) < 7
        else:
            where = np.abs(y + 70 + 12 * np.cos(turn)) < 8
        colour[where] = stripe
    colour[edge - y < 6] = _BLACK
    return [Patch(points, colour, inside=0.12, gloss=0.5, worn=True)]


def strap_patches(pose: Pose, *, large: bool) -> list[Patch]:
    """The chin strap: from the shell over the cheek's edge, under the chin."""
    parts = []
    low = 50.0 if large else -12.0
    for side in (-1, 1):
        knots: list[list[float]] = [
            [side * 82, low, -62],
            [side * 62, 62, -50],
            [side * 42, 103, -34],
            [0, 122, -16],
        ]
        parts.append(ribbon(curve(knots, 28), _STRAP_MM, _BLACK * 1.6, pose))
    return parts


def _peak(front: float) -> Patch:
    """A short peak over the brows."""
    v, u = grid(8, 40)
    turn = u * np.radians(58)
    rim = _on_shell(turn, np.full_like(turn, front - 9))
    ahead = np.stack([0.25 * np.sin(turn), 0.2 + 0 * turn, np.cos(turn) * (1 - 0.35 * u**2)], axis=-1)
    points = rim + 46 * v[..., None] * ahead * np.sqrt(np.maximum(1 - u**6, 0))[..., None]
    return Patch(points, plain(points, _BLACK), inside=0.6, gloss=0.25)


def _visor(front: float, *, tinted: bool) -> Patch:
    v, u = grid(16, 40)
    turn = u * np.radians(72)
    points = _on_shell(turn, front - 6 + v * (96 - 14 * u**2), out_mm=4.0)
    return Patch(points, plain(points, albedo(40, 42, 46) if tinted else albedo(205, 212, 218)), inside=None)


def _glare(front: float, rng: np.random.Generator) -> Patch:
    """A band of sky in the visor."""
    v, u = grid(12, 8)
    turn = np.radians(rng.uniform(-45, 30)) + (u + 0.3 * v) * np.radians(rng.uniform(4, 10))
    points = _on_shell(turn, front + 4 + v * 76, out_mm=5.0)
    return Patch(points, plain(points, np.full(3, 0.9)), inside=None, flat=True)
