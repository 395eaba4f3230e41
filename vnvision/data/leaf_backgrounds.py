"""What lies behind a synthetic leaf: soil, straw, grass, sky, a hand, a table, other leaves.

Each takes the leaf's stream, the plant's stream (tones that a plant's leaves share) and the size, and gives
planes (3, H, W).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from vnvision.data.leaf_paint import (
    Colour,
    dots,
    fractal,
    mix,
    noise,
    pixel_grid,
    plain,
    planes,
    soft,
    strokes,
)

Rng = np.random.Generator


def soil(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """Crumbly earth with pebbles."""
    tones = [(0.36, 0.26, 0.18), (0.48, 0.29, 0.18), (0.30, 0.25, 0.21), (0.58, 0.49, 0.37)]
    image = plain(size, tones[int(plant_rng.integers(4))])
    crumbs = fractal(rng, size, (6, 18, 48, 110), 0.75)
    image *= 1 + 0.20 * crumbs
    count = int(rng.integers(8, 30))
    pebbles = dots(size, rng.uniform(0, size, (count, 2)), rng.uniform(0.006, 0.022, count) * size)
    stone = np.array([0.60, 0.54, 0.46]) * rng.uniform(0.6, 1.1)
    return mix(image, stone, 0.75 * pebbles * (0.8 + 0.2 * crumbs))


def _blades(
    rng: Rng, size: int, base: Colour, low: Colour, high: Colour, *, count: int, upright: bool
) -> np.ndarray:
    image = np.full((size, size, 3), np.array(base) * 255, np.uint8)
    start = rng.uniform(-0.1, 1.1, (count, 2)) * size
    angle = rng.normal(-np.pi / 2, 0.35, count) if upright else rng.uniform(0, 2 * np.pi, count)
    reach = rng.uniform(0.15, 0.7, count) * size
    end = start + np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None]
    share = rng.random((count, 1))
    colours = (np.array(low) + (np.array(high) - low) * share) * rng.uniform(0.55, 1.1, (count, 1))
    strokes(image, start, end, colours, rng.uniform(1, 4.2, count) * size / 224)
    return planes(image)


def straw(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """Dry stalks lying every way."""
    tone = float(plant_rng.uniform(0.75, 1.1))
    low, high = (0.55 * tone, 0.43 * tone, 0.25 * tone), (0.88 * tone, 0.78 * tone, 0.55 * tone)
    image = _blades(rng, size, (0.30, 0.23, 0.14), low, high, count=150, upright=False)
    return soft(image, rng.uniform(0, 1.6) * size / 224)


def grass(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """Grass behind, out of focus."""
    tone = float(plant_rng.uniform(0.7, 1.1))
    low, high = (0.14 * tone, 0.28 * tone, 0.08), (0.50 * tone, 0.66 * tone, 0.26)
    image = _blades(rng, size, (0.15, 0.24, 0.09), low, high, count=110, upright=True)
    return soft(image, rng.uniform(1.2, 5.0) * size / 224)


def sky(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """Sky with some cloud, lighter towards the horizon."""
    _, y = pixel_grid(size)
    blue = np.array([0.30, 0.52, 0.82]) + plant_rng.uniform(-0.06, 0.10, 3)
    image = mix(plain(size, blue), (0.78, 0.87, 0.95), 0.15 + 0.7 * y)
    cloud = np.clip(0.5 * fractal(rng, size, (3, 7, 16), 0.5) + float(plant_rng.uniform(-0.5, 0.5)), 0, 1)
    return mix(image, (0.96, 0.96, 0.97), 0.85 * cloud)


def skin(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """A hand holding the leaf: fingers side by side over something dark."""
    tones = np.array([[0.87, 0.66, 0.53], [0.76, 0.53, 0.39], [0.60, 0.40, 0.28], [0.44, 0.28, 0.20]])
    tone = tones[int(plant_rng.integers(4))]
    behind = plain(size, np.array([0.20, 0.22, 0.17]) * rng.uniform(0.6, 1.8))
    behind *= 1 + 0.15 * noise(rng, size, 6)
    x, y = pixel_grid(size)
    angle, offset = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(-0.3, 0.3))
    cos, sin = math.cos(angle), math.sin(angle)
    over, along = (x - 0.5) * cos + (y - 0.5) * sin, (y - 0.5) * cos - (x - 0.5) * sin + offset
    width = float(rng.uniform(0.20, 0.30))
    place = over / width + 0.08 * np.sin(4 * along)
    finger = np.rint(place)
    gap = np.abs(place - finger) * 2
    ends = 0.62 - 0.10 * finger**2 - 0.5 * width * (1 - np.sqrt(np.clip(1 - gap**2, 0, 1)))
    hand = np.clip((ends - along) * size / 2, 0, 1) * (np.abs(finger) < 2.5)
    rounded = 0.60 + 0.42 * np.sqrt(np.clip(1 - 0.9 * gap**2, 0, 1))
    crease = np.exp(-(((along + 0.12 * np.cos(finger) + 0.006 * noise(rng, size, 40)) / 0.012) ** 2))
    pores = fractal(rng, size, (5, 60), 0.5)
    flesh = plain(size, tone) * (rounded * (1 + 0.035 * pores) - 0.16 * crease)
    flesh[0] += 0.02 * noise(rng, size, 3)
    return soft(mix(behind, flesh, hand), rng.uniform(0.3, 2.0) * size / 224)


def wood(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """A table top: planks with grain."""
    tones = [(0.62, 0.45, 0.28), (0.42, 0.27, 0.16), (0.74, 0.62, 0.45), (0.50, 0.45, 0.40)]
    tone = tones[int(plant_rng.integers(4))]
    x, _ = pixel_grid(size)
    grain = noise(rng, size, (3, 60)) * 0.6 + noise(rng, size, (4, 130)) * 0.5
    rings = np.sin(60 * (x + 0.04 * noise(rng, size, (3, 4))))
    image = plain(size, tone) * (1 + 0.09 * grain + 0.06 * rings)
    plank = np.abs((x * float(plant_rng.uniform(1.5, 3.0)) + float(rng.random())) % 1 - 0.5)
    mix(image, (0.10, 0.07, 0.05), np.clip(1 - plank * size / 4, 0, 1) * 0.8)
    image = np.ascontiguousarray(image.transpose(0, 2, 1)) if rng.random() < 0.5 else image
    return soft(image, rng.uniform(0, 1.2) * size / 224)


def leaves(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """Other leaves of the canopy, far out of focus."""
    tone = float(plant_rng.uniform(0.6, 1.1))
    small = size // 2
    image = np.full((small, small, 3), (28, 46, 23), np.uint8)
    for share in np.linspace(0.55, 1.1, int(rng.integers(14, 26))):
        green = np.array([0.34, 0.50, 0.18]) * share * tone + rng.normal(0, 0.03, 3)
        if rng.random() < 0.12:
            green = np.array([0.62, 0.52, 0.22]) * share * tone
        centre, angle = rng.uniform(-0.1, 1.1, 2) * small, float(rng.uniform(0, 360))
        axes = (float(rng.uniform(0.16, 0.34)) * small, float(rng.uniform(0.06, 0.13)) * small)
        box = (tuple(centre.tolist()), (axes[0] * 2, axes[1] * 2), angle)
        cv2.ellipse(image, box, np.clip(green * 255, 0, 255).tolist(), cv2.FILLED, cv2.LINE_AA)
        tip = centre + axes[0] * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        back = (2 * centre - tip).round().astype(int).tolist()
        cv2.line(
            image,
            back,
            tip.round().astype(int).tolist(),
            np.clip(green * 310, 0, 255).tolist(),
            1,
            cv2.LINE_AA,
        )
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 3.2)) * small / 112)
    return planes(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))


BACKGROUNDS: dict[str, Callable[[Rng, Rng, int], np.ndarray]] = {
    "soil": soil, "straw": straw, "grass": grass, "sky": sky, "skin": skin, "wood": wood, "leaves": leaves,
}  # fmt: skip
# Backgrounds the leaf lies on or is held against: they take its shadow. The others are far behind.
NEAR = frozenset({"soil", "straw", "skin", "wood"})
