"""Spectacle frames and lenses: outlines on a slightly wrapped front, temples back to the ears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnvision.data.occlusion.mesh import Patch, curve, plain, ribbon
from vnvision.data.occlusion.pose import Pose

_AROUND = 48
_RINGS = 10
_FRONT_MM = 15.0  # in front of the eyes
_WRAP = 1 / 260  # curvature of the front, per millimetre


@dataclass(frozen=True, slots=True)
class Frame:
    """Measures of spectacles, in millimetres.

    Attributes:
        half_width: of a lens.
        half_height: of a lens.
        square: exponent of its outline: 2 an ellipse, larger more of a box.
        droop: how much lower the outer half hangs, as in aviators.
        centre: of a lens, from the middle.
        drop: of the lens's centre below the eyes.
        rim: thickness of the rim; 0 for none.
        rgb: linear colour of the frame.
    """

    half_width: float
    half_height: float
    square: float
    droop: float
    centre: float
    drop: float
    rim: float
    rgb: tuple[float, float, float]


def draw_frame(rng: np.random.Generator, colours: list[np.ndarray], *, larger: float = 1.0) -> Frame:
    """Some frame: round, oval or square, thin or thick."""
    half_width = rng.uniform(24, 28) * larger
    square = rng.choice([2.0, 2.6, 4.0])
    return Frame(
        half_width=half_width,
        half_height=half_width * (rng.uniform(0.85, 0.95) if square == 2.0 else rng.uniform(0.66, 0.82)),
        square=float(square),
        droop=float(rng.uniform(0, 0.18)),
        centre=half_width + rng.uniform(7.5, 9.5),
        drop=float(rng.uniform(1, 5)),
        rim=float(rng.choice([1.4, 2.4, 3.6])),
        rgb=tuple(colours[rng.integers(len(colours))].tolist()),
    )


def outline(frame: Frame, side: int, *, radius: float = 1.0) -> np.ndarray:
    """A lens's outline (N, 3) on the front; ``side`` is -1 or 1, ``radius`` a share of the full size."""
    turn = np.linspace(0, 2 * np.pi, _AROUND + 1)
    cos, sin = np.cos(turn), np.sin(turn)
    power = 2 / frame.square
    x = np.sign(cos) * np.abs(cos) ** power * frame.half_width * radius
    y = np.sign(sin) * np.abs(sin) ** power * frame.half_height * radius
    y = y * (1 + frame.droop * x / frame.half_width * (y > 0))
    return on_front(side * (frame.centre + x), frame.drop + y)


def on_front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points (N, 3) of the front at x and y: bent around the face, leaning in at the bottom."""
    return np.stack([x, y, _FRONT_MM - _WRAP * x**2 - 0.1 * y], axis=-1)


def frame_patches(frame: Frame, pose: Pose) -> list[Patch]:
    """Rims, bridge and temples."""
    rgb, rim = np.array(frame.rgb), max(frame.rim, 1.2)
    parts = []
    for side in (-1, 1):
        if frame.rim:
            parts.append(ribbon(outline(frame, side), rim, rgb, pose))
        hinge_x = side * (frame.centre + frame.half_width)
        hinge = on_front(np.array([hinge_x]), np.array([frame.drop - 0.45 * frame.half_height]))[0]
        corner, ear = [side * 73.0, hinge[1], hinge[2] - 14], [side * 79.0, -3.0, -88.0]
        line = curve([hinge, corner, ear], 32)
        parts.append(ribbon(line, rim * 1.1, rgb, pose))
    inner = frame.centre - frame.half_width
    y = frame.drop - 0.35 * frame.half_height
    x = np.linspace(-inner, inner, 12)
    arch = on_front(x, y - 2.5 * (1 - (x / inner) ** 2))
    parts.append(ribbon(arch, rim, rgb, pose))
    return parts


def lens_patch(
    frame: Frame, side: int, top_rgb: np.ndarray, low_rgb: np.ndarray, *, gloss: float = 0.0
) -> Patch:
    """A lens, its colour running from top to bottom."""
    rings = np.stack([outline(frame, side, radius=r) for r in np.linspace(0.02, 1, _RINGS)])
    if side > 0:  # so that both lenses show their front to the camera
        rings = rings[:, ::-1]
    down = (rings[..., 1] - frame.drop) / frame.half_height * 0.5 + 0.5
    colour = top_rgb + (low_rgb - top_rgb) * np.clip(down, 0, 1)[..., None]
    return Patch(rings, colour, inside=1.0, gloss=gloss, flat=True)


def glint_patch(frame: Frame, side: int, rng: np.random.Generator) -> Patch:
    """A slanting reflection over part of a lens."""
    x0, lean, width = rng.uniform(-0.5, 0.3), rng.uniform(0.2, 0.5), rng.uniform(0.15, 0.4)
    y = np.linspace(-0.75, 0.75, 8)
    left, right = x0 - lean * y, x0 + width - lean * y
    reach = np.sqrt(1 - y**2) * 0.95
    rows = [np.clip(edge, -reach, reach) for edge in (left, right)]
    x = side * frame.centre + np.stack(rows, axis=1) * frame.half_width
    points = on_front(x, frame.drop + np.stack([y, y], axis=1) * frame.half_height)
    return Patch(points, plain(points, np.full(3, 0.95)), inside=1.0, flat=True)
