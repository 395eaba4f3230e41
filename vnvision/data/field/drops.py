"""Water on a leaf: beads that magnify or turn over what lies below, with rim, gleam and shadow."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.field.paint import Rng, levels, towards_light

_TURNED = 0.25  # share of beads tall enough to turn the picture over
_LEAST_PX = 1.2


def lay_drops(
    image: np.ndarray, mask: np.ndarray | None, count: int, radius: tuple[float, float], rng: Rng
) -> np.ndarray:
    """Lay drops on a leaf.

    A flat drop shows the leaf below it larger; a tall bead shows its surroundings upside down, as a ball
    lens does. Both are dark towards the light and bright on the far side, where the light comes to a focus.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W), drops lie where it is not 0; None: anywhere.
        count: how many.
        radius: smallest and largest, share of the shorter side. Small ones are more frequent, and none is
            larger than the mask has room for.
        rng: of every draw.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    light = towards_light(rng)
    low, high = radius
    radii = np.maximum(side * (low + (high - low) * rng.beta(1.0, 2.4, count)), _LEAST_PX)
    places = rng.uniform(0, 1, (count, 2)) * (width, height)
    if mask is not None:
        places, radii = _inside(mask, radii, rng)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    gain, glow = np.ones((height, width), np.float32), np.zeros((height, width), np.float32)
    for (cx, cy), r in zip(places, radii, strict=True):
        tall, squash, angle = rng.random(), float(rng.uniform(0.75, 1.0)), float(rng.uniform(0, np.pi))
        _bead((x, y, gain, glow), (cx, cy, r), squash, angle, -0.9 if tall < _TURNED else 0.55, light)
    bent = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)
    bent *= gain[:, :, None]
    return levels(bent + (255 - bent) * glow[:, :, None])


def _inside(mask: np.ndarray, radii: np.ndarray, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) as x, y on the mask, and radii (N,) that fit there; none where there is no room."""
    room = cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, 3)
    free = np.flatnonzero(room >= _LEAST_PX)
    if not len(free):
        return np.zeros((0, 2)), np.zeros(0)
    chosen = rng.choice(free, len(radii))
    rows, columns = np.unravel_index(chosen, mask.shape)
    return np.column_stack([columns, rows]).astype(np.float64), np.minimum(radii, room.ravel()[chosen])


def _bead(
    fields: tuple[np.ndarray, ...],
    place: tuple[float, float, float],
    squash: float,
    angle: float,
    power: float,
    light: tuple[float, float],
) -> None:
    """Write one drop into the sampling grid x, y, the gain and the glow, in place.

    ``power`` scales where each pixel looks, from the drop's centre: below 1 magnifies, below 0 turns over.
    """
    x, y, gain, glow = fields
    cx, cy, r = place
    reach = int(np.ceil(1.7 * r)) + 1
    top, left = max(int(cy) - reach, 0), max(int(cx) - reach, 0)
    part = np.s_[top : int(cy) + reach + 1, left : int(cx) + reach + 1]
    rows, columns = np.mgrid[part].astype(np.float32)
    if not x[part].size:
        return
    rows, columns = (
        rows[: x[part].shape[0], : x[part].shape[1]],
        columns[: x[part].shape[0], : x[part].shape[1]],
    )
    dx, dy = columns - cx, rows - cy
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = (dx * cos + dy * sin) / r, (dy * cos - dx * sin) / (r * squash)
    away = np.sqrt(u * u + v * v)
    inside = np.clip((1 - away) * r + 0.5, 0, 1)
    wet = away < 1
    # Towards the rim the surface is steep: it looks further and further out.
    bend = power + (1.3 - power) * np.clip(away, 0, 1) ** 4 if power > 0 else power * (1 + 0.5 * away**2)
    x[part] = np.where(wet, cx + dx * bend, x[part])
    y[part] = np.where(wet, cy + dy * bend, y[part])
    facing = (dx * light[0] + dy * light[1]) / r
    body = 1 - 0.34 * facing * np.clip(away, 0, 1) - 0.05
    rim = 1 - 0.42 * np.exp(-(((away - 0.94) / 0.10) ** 2)) * np.clip(0.65 + 0.5 * facing, 0.15, 1)
    gain[part] *= 1 + inside * (body * rim - 1)
    behind = np.exp(-((np.hypot(dx + 0.5 * r * light[0], dy + 0.5 * r * light[1]) / (0.85 * r)) ** 4))
    gain[part] *= 1 - 0.38 * behind * (1 - inside)
    focus = np.exp(-((np.hypot(dx + 0.52 * r * light[0], dy + 0.52 * r * light[1]) / (0.36 * r)) ** 2))
    spark = np.exp(-((np.hypot(dx - 0.45 * r * light[0], dy - 0.45 * r * light[1]) / (0.17 * r + 0.25)) ** 2))
    glow[part] = np.maximum(glow[part], inside * np.clip(0.20 * focus + 0.92 * spark, 0, 1))
