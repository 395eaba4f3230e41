"""Shapes of synthetic leaves: the outline, veins and pose, as fields over the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.leaf_paint import Colour, pixel_grid

OUTLINE_STEPS = 1024
# Ranges, in leaf lengths and exponents; ``slope`` is the vein slope. "blade" is the strap of a grass or rice.
_SHAPES: dict[str, dict[str, tuple[float, float]]] = {
    "ovate": {"width": (0.24, 0.33), "base": (0.40, 0.60), "tip": (0.80, 1.15), "slope": (0.5, 0.8)},
    "elliptic": {"width": (0.19, 0.27), "base": (0.60, 0.80), "tip": (0.60, 0.85), "slope": (0.5, 0.9)},
    "lanceolate": {"width": (0.12, 0.17), "base": (0.60, 0.90), "tip": (0.95, 1.30), "slope": (0.9, 1.4)},
    "cordate": {"width": (0.30, 0.37), "base": (0.45, 0.55), "tip": (0.95, 1.25), "slope": (0.5, 0.8)},
    "serrate": {"width": (0.22, 0.30), "base": (0.45, 0.65), "tip": (0.80, 1.10), "slope": (0.5, 0.8)},
    "lobed": {"width": (0.30, 0.38), "base": (0.50, 0.75), "tip": (0.60, 0.80), "slope": (0.5, 0.8)},
    "blade": {"width": (0.085, 0.12), "base": (0.35, 0.45), "tip": (0.60, 0.90), "slope": (0.0, 0.0)},
}
_SHARE = (0.2, 0.18, 0.16, 0.12, 0.14, 0.12, 0.08)


@dataclass(frozen=True, slots=True)
class PlantTraits:
    """What the leaves of one plant share. Lengths are in leaf lengths.

    Attributes:
        half_width: widest half width of the blade.
        base, tip: exponents of the outline ``u**base * (1 - u)**tip``.
        waves: lobes or teeth a side; ``wave_depth`` their depth as a share of the width.
        vein_slope: how far a side vein runs towards the tip for one step outwards.
        colour: of the healthy blade; ``vein_colour`` of midrib and veins.
        gloss: strength of the highlight. ``yellowing`` in 0..1, whatever the disease.
        petiole: length of the stalk. heart: how far the base reaches back for one step outwards.
    """

    shape: str
    half_width: float
    base: float
    tip: float
    waves: int
    wave_depth: float
    vein_slope: float
    veins: int
    alternate: bool
    colour: Colour
    vein_colour: Colour
    gloss: float
    yellowing: float
    petiole: float
    heart: float


def plant_traits(rng: np.random.Generator) -> PlantTraits:
    """Draw the traits of one plant."""
    shape = str(rng.choice(list(_SHAPES), p=_SHARE))
    ranges = _SHAPES[shape]
    half_width, base, tip, slope = (
        float(rng.uniform(*ranges[name])) for name in ("width", "base", "tip", "slope")
    )
    lobes, teeth, depth = int(rng.integers(3, 6)), int(rng.integers(14, 30)), float(rng.uniform(0.7, 1.3))
    waves, wave_depth = {"lobed": (lobes, 0.34 * depth), "serrate": (teeth, 0.06 * depth)}.get(
        shape, (0, 0.0)
    )
    darkness, blueness = float(rng.beta(1.6, 1.6)), float(rng.uniform(-1, 1))
    light, dark = np.array([0.52, 0.70, 0.24]), np.array([0.10, 0.27, 0.10])
    colour = light + (dark - light) * darkness + np.array([-0.04, 0.01, 0.05]) * blueness
    pale = colour + (np.array([0.80, 0.86, 0.52]) - colour) * rng.uniform(0.25, 0.7)
    if rng.random() < 0.12:
        pale = pale * [1.0, 0.62, 0.75]
    return PlantTraits(
        shape=shape,
        half_width=half_width,
        base=base,
        tip=tip,
        waves=waves,
        wave_depth=wave_depth,
        vein_slope=slope,
        veins=lobes if shape == "lobed" else int(rng.integers(6, 14)),
        alternate=bool(rng.random() < 0.5),
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        vein_colour=(float(pale[0]), float(pale[1]), float(pale[2])),
        gloss=float(rng.uniform(0.0, 0.45)),
        yellowing=float(rng.uniform(0.0, 0.75) ** 2),
        petiole=float(rng.uniform(0.08, 0.22)),
        heart=float(rng.uniform(0.25, 0.45)) if shape == "cordate" else 0.0,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LeafFields:
    """One posed leaf as (H, W) float32 fields.

    Attributes:
        along: 0 at the base to 1 at the tip. across: -1..1 from margin to margin, 0 on the midrib.
        inside_px: distance to the margin, positive inside, in pixels (to first order).
        blade, petiole: coverage in 0..1.
        vein: 1 on a vein or the midrib, falling to 0. bulge: 1 between veins, 0 on them.
        length_px: base to tip. axis: unit vector (x, y) from base to tip in the picture.
    """

    along: np.ndarray
    across: np.ndarray
    inside_px: np.ndarray
    blade: np.ndarray
    petiole: np.ndarray
    vein: np.ndarray
    bulge: np.ndarray
    length_px: float
    axis: tuple[float, float]


def _outline(plant: PlantTraits, rng: np.random.Generator) -> np.ndarray:
    """Half width of the left and right side over the length, (2, OUTLINE_STEPS) float32."""
    u = np.linspace(0, 1, OUTLINE_STEPS, dtype=np.float32)
    shape = u**plant.base * (1 - u) ** plant.tip
    sides = []
    for _ in range(2):
        wobble, rough = (
            cv2.resize(grid, (OUTLINE_STEPS, 1), interpolation=cv2.INTER_CUBIC)[0]
            for grid in (rng.standard_normal((1, 9), np.float32), rng.standard_normal((1, 60), np.float32))
        )
        width = plant.half_width * float(rng.uniform(0.94, 1.06))
        sides.append(width * shape / shape.max() * (1 + 0.035 * wobble + 0.012 * rough))
    return np.stack(sides)


def _leaf_coordinates(
    rng: np.random.Generator, plant: PlantTraits, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """u, v of every pixel, the 3x3 leaf-to-pixel homography, and the leaf's length in pixels."""
    share = float(rng.uniform(0.80, 1.05)) * (0.35 / max(plant.half_width, 0.12)) ** 0.25
    length = size * share
    angle, tilt = float(rng.uniform(0, 2 * np.pi)), rng.uniform(-0.28, 0.28, 2)
    shift = size * (0.5 + rng.uniform(-0.06, 0.06, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    centre = np.array([[1, 0, -0.46], [0, 1, 0], [0, 0, 1]])
    tilted = np.array([[1, 0, 0], [0, float(rng.uniform(0.86, 1.0)), 0], [tilt[0], tilt[1], 1]])
    placed = np.array(
        [[length * cos, -length * sin, shift[0]], [length * sin, length * cos, shift[1]], [0, 0, 1]]
    )
    to_pixel = placed @ tilted @ centre
    m = np.linalg.inv(to_pixel).astype(np.float32)
    x, y = pixel_grid(size)
    m[:, :2] *= size
    scale = 1 / (m[2, 0] * x + m[2, 1] * y + m[2, 2])
    u = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) * scale
    v = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) * scale
    return u, v, to_pixel, length


def pose_leaf(plant: PlantTraits, rng: np.random.Generator, size: int) -> LeafFields:
    """Place one leaf of a plant in a picture of ``size`` pixels: turned, tilted, bent, a little uneven."""
    u, v, to_pixel, length = _leaf_coordinates(rng, plant, size)
    bend = float(rng.normal(0, 0.10))
    v += bend * (4 * u * (u - 1))
    side = np.abs(v)
    reach = u - plant.vein_slope * side * (1 - 0.5 * side / plant.half_width)
    sides = _outline(plant, rng)
    place = u + plant.heart * side
    index = np.clip(place * OUTLINE_STEPS, 0, OUTLINE_STEPS - 1).astype(np.int32)
    index += (v > 0) * np.int32(OUTLINE_STEPS)
    width = sides.reshape(-1)[index]
    if plant.waves:
        turns = 2 * np.pi * plant.waves * np.clip(reach, 0, 1) + float(rng.uniform(0, 6))
        width *= 1 - plant.wave_depth * (0.5 + 0.5 * np.cos(turns)) ** 1.5
    inside = (width - side) * length
    inside = np.minimum(inside, np.minimum(place, 1 - place) * length)
    blade = np.clip(inside + 0.5, 0, 1)
    across = np.clip(v / np.maximum(width, 1e-3), -1, 1)
    vein, bulge = _veins(plant, u, v, across, reach, length)
    petiole = np.clip((0.011 * (1 - 0.8 * u) - np.abs(v)) * length + 0.5, 0, 1)
    petiole *= (u < 0.02) & (u > -plant.petiole)
    tip, base = to_pixel @ [1, 0, 1], to_pixel @ [0, 0, 1]
    axis = tip[:2] / tip[2] - base[:2] / base[2]
    axis /= np.hypot(*axis)
    return LeafFields(
        u, across, inside, blade, petiole, vein, bulge, length, (float(axis[0]), float(axis[1]))
    )


def _veins(
    plant: PlantTraits, u: np.ndarray, v: np.ndarray, across: np.ndarray, reach: np.ndarray, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Closeness to a vein and bulge between veins, both in 0..1."""
    side = np.abs(across)
    thin = 1.15 * length / 190
    midrib = np.exp(-((v * length / (thin * (1.9 - 1.3 * np.clip(u, 0, 1)))) ** 2))
    if plant.shape == "blade":
        phase, spacing_px = across * 4, plant.half_width / 4 * length
    else:
        phase = reach * plant.veins + (0.5 * (v > 0) if plant.alternate else 0)
        spacing_px = length / plant.veins / math.hypot(1, plant.vein_slope)
    gap = np.abs(phase - np.rint(phase))
    lateral = np.exp(-((gap * spacing_px / (thin * (1.0 - 0.5 * side))) ** 2)) * (0.8 - 0.55 * side)
    bulge = np.sqrt(2 * gap) * np.minimum(3 * side, 1)
    return np.maximum(midrib, lateral).astype(np.float32), bulge.astype(np.float32)
