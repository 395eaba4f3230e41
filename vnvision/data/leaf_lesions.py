"""Diseases of the synthetic leaves, and harmless things that look a little like them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vnvision.data.leaf_paint import dots, fractal, mix, noise, plain, relief, soft
from vnvision.data.leaf_shapes import LeafFields

Rng = np.random.Generator
# Lesions must stay this far inside the margin where they are placed, in pixels of a 224 px picture.
_MARGIN_PX = 2.0


def _places(rng: Rng, leaf: LeafFields, count: int, weight: np.ndarray | None = None) -> np.ndarray:
    """``count`` pixels (N, 2) as x, y inside the blade, drawn by ``weight`` (H, W)."""
    size = leaf.blade.shape[0]
    inside = leaf.inside_px > _MARGIN_PX * size / 224
    chance = np.cumsum((inside if weight is None else inside * weight).ravel(), dtype=np.float64)
    flat = np.searchsorted(chance, rng.random(count) * chance[-1], side="right")
    flat = np.minimum(flat, size * size - 1)
    return np.stack([flat % size, flat // size], 1).astype(np.float64)


def spot(image: np.ndarray, leaf: LeafFields, rng: Rng, light: tuple[float, float]) -> np.ndarray:
    """Round brown spots with a dark rim and a yellow halo; the halo is not counted as lesion."""
    size = leaf.blade.shape[0]
    count = int(rng.integers(4, 22))
    radii = np.exp(rng.normal(np.log(0.055 / count**0.28), 0.32, count)) * min(leaf.length_px, size)
    radii = np.clip(radii, 2.0 * size / 224, 0.06 * size)
    centres = _places(rng, leaf, count)
    ring = np.full((size, size), 9.0, np.float32)
    for (x, y), radius in zip(centres, radii, strict=True):
        reach = int(radius * 2.4) + 2
        left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
        window = ring[top : int(y) + reach + 1, left : int(x) + reach + 1]
        dx = np.arange(left, left + window.shape[1], dtype=np.float32) - np.float32(x)
        dy = np.arange(top, top + window.shape[0], dtype=np.float32) - np.float32(y)
        np.minimum(window, np.sqrt(dx**2 + dy[:, None] ** 2) / np.float32(radius), out=window)
    ring += 0.10 * fractal(rng, size, (22, 60), 0.6) * np.minimum(ring, 1)
    sharp = float(np.median(radii))
    brown = np.array([0.44, 0.26, 0.13]) * rng.uniform(0.7, 1.35)
    centre = np.array([0.66, 0.52, 0.37]) * rng.uniform(0.65, 1.2)
    halo = float(rng.uniform(0.35, 0.9))
    mix(image, (0.80, 0.74, 0.22), halo * np.clip(1.75 - ring, 0, 0.6) / 0.6)
    lesion = np.clip((1 - ring) * sharp + 0.5, 0, 1)
    mix(image, brown, lesion)
    mix(image, centre, float(rng.uniform(0.2, 0.95)) * np.clip((0.62 - ring) * 4, 0, 1))
    mix(image, (0.17, 0.10, 0.06), float(rng.uniform(0.3, 0.8)) * np.exp(-(((ring - 0.9) / 0.13) ** 2)))
    image += 0.05 * sharp * relief(np.clip(ring, 0, 1.2), light)
    return lesion


def blight(image: np.ndarray, leaf: LeafFields, rng: Rng, light: tuple[float, float]) -> np.ndarray:
    """Large dead areas growing in from the tip or the margin, with a wavy edge and faint zones."""
    size = leaf.blade.shape[0]
    side = 1.0 if rng.random() < 0.5 else -1.0
    from_tip = leaf.along + 0.12 * leaf.across * side
    middle, spread = float(rng.uniform(0.25, 0.8)), float(rng.uniform(0.10, 0.3))
    from_margin = 0.5 * side * leaf.across + 0.95 - ((leaf.along - middle) / (2.2 * spread)) ** 2
    start = int(rng.integers(3))
    shape = (from_tip, from_margin, np.maximum(from_tip, from_margin - 0.35))[start]
    field = shape + 0.065 * fractal(rng, size, (6, 15, 45), 0.65) + 0.03 * leaf.bulge
    inside = field[leaf.inside_px > 0]
    share = float(rng.uniform(0.16, 0.6))
    edge = np.partition(inside, int(len(inside) * (1 - share)))[int(len(inside) * (1 - share))]
    depth_px = (field - edge) * leaf.length_px * (0.6 if start == 1 else 1.0)
    lesion = np.clip(depth_px + 0.5, 0, 1)
    unit = size / 224
    mix(image, (0.78, 0.72, 0.24), float(rng.uniform(0.55, 0.95)) * np.exp(-np.abs(depth_px) / (8 * unit)))
    tan = np.array([0.80, 0.65, 0.41]) + (np.array([0.54, 0.44, 0.31]) - [0.80, 0.65, 0.41]) * rng.random()
    dead = plain(size, tan * rng.uniform(0.7, 1.15)) * (1 + 0.08 * fractal(rng, size, (7, 24, 70), 0.7))
    zones = np.sin(shape * float(rng.uniform(25, 60)) + 0.8 * noise(rng, size, 9))
    dead *= (1 + float(rng.uniform(0.02, 0.12)) * zones) * (1 - 0.22 * leaf.vein)
    mix(image, dead, 0.96 * lesion)
    rim = np.exp(-(((depth_px - 2 * unit) / (2.2 * unit)) ** 2))
    mix(image, (0.30, 0.18, 0.10), float(rng.uniform(0.45, 0.9)) * rim * lesion)
    return lesion


def rust(image: np.ndarray, leaf: LeafFields, rng: Rng, light: tuple[float, float]) -> np.ndarray:
    """Many small raised orange-brown pustules in clusters along the veins."""
    size = leaf.blade.shape[0]
    unit = size / 224
    count = int(np.exp(rng.uniform(np.log(90), np.log(320))))
    cloud = np.exp(1.4 * noise(rng, size, 7))
    near_vein = 0.08 + soft(leaf.vein, 1.2 * unit)
    centres = _places(rng, leaf, count, cloud * near_vein) + rng.normal(0, 0.5, (count, 2)) * unit
    radii = np.clip(rng.lognormal(np.log(1.2), 0.33, count), 0.8, 2.8) * unit
    cover = dots(size, centres, radii)
    mix(image, (0.76, 0.70, 0.24), np.clip(float(rng.uniform(0.6, 1.6)) * soft(cover, 3.0 * unit), 0, 0.75))
    height = soft(cover, 0.7 * unit)
    shadow = np.roll(height, (round(-1.5 * unit * light[1]), round(-1.5 * unit * light[0])), (0, 1))
    image *= 1 - 0.35 * shadow
    hue = rng.uniform(0, 1)
    orange = np.array([0.74, 0.40, 0.12]) * (1 - hue) + np.array([0.50, 0.25, 0.10]) * hue
    mix(image, plain(size, orange) * (1 + 0.16 * noise(rng, size, 60)), cover)
    image += plain(size, (0.32, 0.26, 0.16)) * relief(height, light)
    return cover


LESIONS: dict[str, Callable[[np.ndarray, LeafFields, Rng, tuple[float, float]], np.ndarray]] = {
    "spot": spot,
    "blight": blight,
    "rust": rust,
}


def dew(image: np.ndarray, leaf: LeafFields, rng: Rng, light: tuple[float, float]) -> None:
    """Clear drops: dark towards the light, bright away from it, one sharp glint."""
    size = leaf.blade.shape[0]
    unit, count = size / 224, int(rng.integers(4, 22))
    centres = _places(rng, leaf, count)
    radii = rng.uniform(1.5, 4.5, count) * unit
    cover = dots(size, centres, radii)
    lens = relief(soft(cover, 1.6 * unit), light) * 5
    image *= 1 + cover * (0.10 - np.clip(lens, -0.9, 0.6) * 0.55)
    glint = dots(size, centres + np.array(light) * radii[:, None] * 0.4, radii * 0.28)
    mix(image, (0.98, 0.99, 1.0), 0.9 * glint)


def dust(image: np.ndarray, leaf: LeafFields, rng: Rng, light: tuple[float, float]) -> None:
    """Specks of soil or pollen, pale or dark, flat."""
    size, count = leaf.blade.shape[0], int(rng.integers(15, 110))
    specks = dots(size, _places(rng, leaf, count), rng.uniform(0.4, 1.3, count) * size / 224)
    colours = np.array([[0.82, 0.77, 0.66], [0.50, 0.40, 0.28], [0.24, 0.18, 0.13], [0.85, 0.78, 0.35]])
    mix(image, colours[int(rng.integers(4))], float(rng.uniform(0.45, 0.95)) * specks)


def hole_cover(leaf: LeafFields, rng: Rng) -> np.ndarray:
    """Bites of insects as coverage (H, W): round, inside or at the margin."""
    size, count = leaf.blade.shape[0], int(rng.integers(1, 6))
    ragged = rng.normal(0, 0.35, (count, 4, 2))
    radii = np.exp(np.clip(rng.normal(1.15, 0.4, count), 0.8, 1.9)) * size / 224
    centres = (_places(rng, leaf, count)[:, None] + ragged * radii[:, None, None]).reshape(-1, 2)
    return dots(size, centres, np.repeat(radii, 4))


def scuff(image: np.ndarray, leaf: LeafFields, rng: Rng, light: tuple[float, float]) -> None:
    """Pale scratches where leaves rubbed: thin, straight, no colour of disease."""
    size = leaf.blade.shape[0]
    layer = np.zeros((size, size), np.uint8)
    for x, y in _places(rng, leaf, int(rng.integers(1, 5))):
        angle, reach = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(6, 26)) * size / 224
        end = (int(x + reach * np.cos(angle)), int(y + reach * np.sin(angle)))
        cv2.line(layer, (int(x), int(y)), end, 255, 1, cv2.LINE_AA)
    mix(image, (0.70, 0.72, 0.55), 0.45 * layer.astype(np.float32) / 255)


DISTRACTORS: tuple[tuple[float, Callable[[np.ndarray, LeafFields, Rng, tuple[float, float]], None]], ...] = (
    (0.2, dust),
    (0.20, scuff),
    (0.22, dew),
)
