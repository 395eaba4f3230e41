"""Around the synthetic leaf: its region, the light and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.leaf_paint import fractal, pixel_grid, soft

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Region:
    """The backgrounds and light of an invented growing region.

    Attributes:
        backgrounds: weight of each background.
        warmth: range of the white balance, positive warm. exposure: range of the gain.
        hardness: 0 overcast to 1 hard sun: contrast of shadows.
        haze: greatest share of haze mixed in.
    """

    backgrounds: dict[str, float]
    warmth: tuple[float, float]
    exposure: tuple[float, float]
    hardness: tuple[float, float]
    haze: float


REGIONS: dict[str, Region] = {
    "delta": Region(
        {"soil": 2, "straw": 3, "grass": 3, "leaves": 3, "skin": 2, "wood": 1},
        warmth=(-0.02, 0.10), exposure=(0.92, 1.18), hardness=(0.3, 0.8), haze=0.05,
    ),
    "highland": Region(
        {"soil": 3, "grass": 2, "leaves": 3, "sky": 1, "skin": 2, "wood": 2},
        warmth=(-0.12, 0.03), exposure=(0.82, 1.08), hardness=(0.0, 0.5), haze=0.16,
    ),
    "coast": Region(
        {"soil": 2, "straw": 1, "grass": 1, "leaves": 2, "sky": 3, "skin": 2, "wood": 2},
        warmth=(-0.05, 0.05), exposure=(0.95, 1.30), hardness=(0.5, 1.0), haze=0.04,
    ),
}  # fmt: skip


def choose_background(region: Region, plant_rng: Rng) -> str:
    """One of the region's backgrounds, by its weights."""
    weights = np.array(list(region.backgrounds.values()), float)
    return str(plant_rng.choice(list(region.backgrounds), p=weights / weights.sum()))


def light_scene(
    image: np.ndarray,
    leaf_cover: np.ndarray,
    near: bool,
    region: Region,
    rng: Rng,
    light: tuple[float, float],
) -> np.ndarray:
    """Shadows from outside the picture, a gradient, haze, white balance and exposure; in place.

    Args:
        image: (3, H, W).
        leaf_cover: (H, W). Only the leaf takes the shadows unless the background is ``near``.
        near: whether the background lies right behind the leaf.
        light: unit vector (x, y) towards the light.
    """
    size = image.shape[1]
    x, y = pixel_grid(size)
    hardness = float(rng.uniform(*region.hardness))
    gain = 1 + float(rng.uniform(0.0, 0.6)) * ((x - 0.5) * light[0] + (y - 0.5) * light[1])
    if rng.random() < 0.25:
        edge = fractal(rng, size, (3, 7, 15), 0.5) + float(rng.uniform(-1.3, 0.3))
        shade = np.clip(edge * (1.5 + 6 * hardness) + 0.5, 0, 1)
        gain *= 1 - (0.15 + 0.3 * hardness) * (shade if near else shade * leaf_cover)
    image *= gain
    haze = float(rng.uniform(0, region.haze))
    warmth, tint = float(rng.uniform(*region.warmth)), float(rng.normal(0, 0.015))
    balance = np.array([1 + warmth, 1 + tint, 1 - warmth]) * float(rng.uniform(*region.exposure))
    image *= (balance * (1 - haze)).astype(np.float32)[:, None, None]
    image += np.float32(haze * 0.8)
    return image


def camera(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Lens blur, sensor noise, tone curve and JPEG: planes (3, H, W) to a photograph (H, W, 3) uint8."""
    size = image.shape[1]
    image = soft(image, float(rng.uniform(0, 0.75)) * size / 224)
    grain = float(rng.uniform(0.001, 0.014)) * rng.standard_normal((size, size), dtype=np.float32)
    for plane, shift in zip(image, ((0, 0), (31, 7), (11, 53)), strict=True):
        plane += 0.7 * grain + 0.7 * np.roll(grain, shift, (0, 1))
    levels = cv2.merge([np.clip(plane * 255 + 0.5, 0, 255).astype(np.uint8) for plane in image[::-1]])
    gamma, contrast = float(rng.uniform(0.85, 1.15)), float(rng.uniform(0.9, 1.2))
    ramp = np.linspace(0, 1, 256) ** gamma
    curve = np.clip((ramp - 0.45) * contrast + 0.45, 0, 1)
    levels = cv2.LUT(levels, np.rint(curve * 255).astype(np.uint8))
    _, packed = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 100))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))
