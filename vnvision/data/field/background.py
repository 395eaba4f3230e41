"""Another ground behind a leaf: soil, straw, grass, other leaves, wood, concrete, cloth."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vnvision.data.field.paint import DRAWN_PX, Rng, Size, fitted, levels, noise, shifted, soft, towards_light
from vnvision.data.leaf_backgrounds import BACKGROUNDS, NEAR
from vnvision.data.leaf_paint import fractal, mix, pixel_grid, plain
from vnvision.data.leaf_paint import soft as soft_planes

# The leaf casts its shadow on these; the others are far behind.
_NEAR = NEAR | {"concrete", "cloth"}


def concrete(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """A rough cement floor: grey, stained, pitted, sometimes with a joint."""
    tone = np.array([0.62, 0.61, 0.58]) * plant_rng.uniform(0.65, 1.25) + plant_rng.normal(0, 0.012, 3)
    image = plain(size, tone)
    image *= 1 + 0.07 * fractal(rng, size, (3, 9, 30), 0.6) + 0.06 * fractal(rng, size, (90, 180), 0.8)
    pits = fractal(rng, size, (60, 120), 0.7)
    mix(image, tone * 0.55, np.clip(pits - 1.9, 0, 1) * 0.8)
    mix(image, tone * 0.75, np.clip(fractal(rng, size, (4, 10), 0.5) - 0.9, 0, 1) * 0.5)
    if rng.random() < 0.3:
        x, y = pixel_grid(size)
        angle, place = float(rng.uniform(0, np.pi)), float(rng.uniform(0.2, 0.8))
        away = np.abs((x - place) * np.cos(angle) + (y - place) * np.sin(angle)) * size / 224
        mix(image, tone * 0.35, np.clip(1.6 - away * 200, 0, 1) * 0.7)
    return image


def cloth(rng: Rng, plant_rng: Rng, size: int) -> np.ndarray:
    """A woven cloth or sack with folds, plain or chequered."""
    tones = [
        (0.82, 0.80, 0.74),
        (0.22, 0.27, 0.42),
        (0.60, 0.49, 0.33),
        (0.55, 0.16, 0.17),
        (0.25, 0.27, 0.26),
    ]
    tone = np.array(tones[int(plant_rng.integers(len(tones)))]) * plant_rng.uniform(0.85, 1.1)
    x, y = pixel_grid(size)
    angle = float(rng.uniform(0, np.pi))
    along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    across = np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x
    bend = 0.01 * fractal(rng, size, (3, 6), 0.5)
    along, across = along + bend, across - bend
    threads = float(rng.uniform(45, 85))
    weave = np.sin(2 * np.pi * threads * along) * np.sin(2 * np.pi * threads * across)
    image = plain(size, tone)
    if plant_rng.random() < 0.4:
        wide = float(rng.uniform(3, 7))
        stripes = (np.sin(2 * np.pi * wide * along) > 0.2) * 0.5 + (
            np.sin(2 * np.pi * wide * across) > 0.2
        ) * 0.5
        other = np.array(tones[int(plant_rng.integers(len(tones)))])
        mix(image, other, (0.75 * stripes).astype(np.float32))
    folds = fractal(rng, size, (2, 5), 0.5)
    shade = cv2.Sobel(folds, cv2.CV_32F, 1, 0, ksize=3, scale=size / 150)
    image *= 1 + 0.10 * weave + 0.05 * fractal(rng, size, (60, 160), 0.9) + np.clip(shade, -0.35, 0.35)
    return soft_planes(image, float(rng.uniform(0, 0.7)) * size / 224)


_DRAWN: dict[str, Callable[[Rng, Rng, int], np.ndarray]] = {
    **{name: BACKGROUNDS[name] for name in ("soil", "straw", "grass", "leaves", "wood")},
    "concrete": concrete,
    "cloth": cloth,
}


def ground(kind: str, rng: Rng, size_px: Size) -> np.ndarray:
    """A ground of one kind, (H, W, 3) float32 levels."""
    planes = _DRAWN[kind](rng, rng, min(max(size_px), DRAWN_PX))
    if rng.random() < 0.5:
        planes = planes[:, :, ::-1]
    return fitted(cv2.merge([np.ascontiguousarray(plane) * np.float32(255) for plane in planes]), size_px)


def replace_background(image: np.ndarray, mask: np.ndarray, kind: str, rng: Rng) -> np.ndarray:
    """Lay the leaf on another ground.

    Pixels two or more inside the mask stay as they are. The outermost ring of the leaf, which holds some of
    the old ground's colour, is blended away.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W), 0 is background.
        kind: one of ``GROUNDS``.
        rng: of every draw.
    """
    size_px = image.shape[:2]
    unit = min(size_px) / 224
    leaf = (mask > 0).astype(np.uint8)
    behind = ground(kind, rng, size_px)
    behind *= _exposure(image, leaf, behind, rng)
    gradient = noise(rng, size_px, (2,)) * float(rng.uniform(0.02, 0.14))
    behind *= (1 + gradient)[:, :, None]
    if kind in _NEAR:
        light, drop = towards_light(rng), float(rng.uniform(1.5, 8.0)) * unit
        shadow = soft(shifted(leaf.astype(np.float32), -drop * light[0], -drop * light[1]), 0.45 * drop + 0.5)
        behind *= (1 - float(rng.uniform(0.25, 0.6)) * shadow)[:, :, None]
    else:
        behind = cv2.GaussianBlur(behind, (0, 0), float(rng.uniform(0.6, 2.5)) * unit)
    core = cv2.erode(leaf, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    # A pixel two inside the mask has only core around it in this 3 x 3 mean: it is kept bit for bit.
    cover = cv2.blur(core.astype(np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE)[:, :, None]
    mixed = levels(behind + (image.astype(np.float32) - behind) * cover)
    return np.where(cover >= 0.999, image, mixed)


def _exposure(image: np.ndarray, leaf: np.ndarray, behind: np.ndarray, rng: Rng) -> float:
    """What to multiply the ground by so that leaf and ground seem to stand in one light."""
    seen = float(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), leaf)[0])
    usual = 95.0  # mean of a leaf in even light
    gain = (max(seen, 25.0) / usual) ** 0.6 * float(rng.uniform(0.8, 1.2))
    return float(np.clip(gain, 0.35, 235 / max(float(behind.mean()), 1.0)))
