"""Rain: mist, streaks of several depths, drops on the lens that turn the picture over."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.occlusion.head import blurred
from vnvision.data.occlusion.light import LUMA, to_encoded, to_linear
from vnvision.data.occlusion.pose import Pose

_BITS = 4


def rain(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Let it rain between camera and face. ``strength``: how hard."""
    shape = (image.shape[0], image.shape[1])
    picture = to_linear(image)
    sky = float(np.quantile(picture @ LUMA, 0.8)) * np.array([0.95, 1.0, 1.05], np.float32)
    mist = strength * rng.uniform(0.1, 0.28)
    grey = (picture @ LUMA)[..., None]
    picture = picture + (grey - picture) * 0.35 * strength
    picture = picture * (1 - mist) + (0.7 * sky + 0.1) * mist
    picture = picture + (blurred(picture, max(0.6, 1.2 * pose.scale)) - picture) * 0.5 * strength
    lean = rng.uniform(-0.35, 0.35)
    for depth in (0.5, 1.0, 2.0):
        streaks = _streaks(shape, rng, depth * max(pose.scale, 0.25), lean, strength / depth)
        picture = picture + (sky * 1.1 + 0.12 - picture) * (streaks * rng.uniform(0.35, 0.6))[..., None]
    picture = _drops(picture, rng, max(pose.scale, 0.25), strength)
    return np.rint(to_encoded(picture)).astype(np.uint8)


def _streaks(
    shape: tuple[int, int], rng: np.random.Generator, size: float, lean: float, share: float
) -> np.ndarray:
    """Falling drops blurred into lines: (H, W) float32 in 0..1; ``size``: pixels a millimetre there."""
    height, width = shape
    layer = np.zeros(shape, np.float32)
    count = int(np.clip(0.00035 * height * width / size**2 * 2.2 * share, 8, 3000))
    starts = rng.uniform([-0.2 * width, -0.2 * height], [1.2 * width, height], (count, 2))
    lengths = rng.uniform(14, 40, count) * size
    for (x, y), length, bright in zip(starts, lengths, rng.uniform(0.3, 1, count), strict=True):
        points = np.rint(np.array([x, y, x + lean * length, y + length]) * (1 << _BITS)).astype(int).tolist()
        thick = max(1, round(0.9 * size))
        cv2.line(layer, points[:2], points[2:], float(bright), thick, cv2.LINE_AA, _BITS)
    return np.clip(blurred(layer, max(0.5, 0.5 * size)), 0, 1)


def _drops(picture: np.ndarray, rng: np.random.Generator, size: float, strength: float) -> np.ndarray:
    """Drops on the glass: each shows its surroundings upside down, blurred, with a bright rim below."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    from_x, from_y, cover = x.copy(), y.copy(), np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(3, 9) * strength + 0.5)):
        at, radius = rng.uniform(0, [width, height]), rng.uniform(3, 9) * size
        dx, dy = (x - at[0]) / radius, (y - at[1]) / (radius * rng.uniform(1.0, 1.4))
        inside = dx**2 + dy**2
        drop = np.clip((1 - inside) * radius / 2, 0, 1)
        hit = drop > 0
        from_x[hit] = at[0] - 2.2 * dx[hit] * radius
        from_y[hit] = at[1] - 2.2 * dy[hit] * radius
        cover = np.maximum(cover, drop * (0.8 + 0.4 * np.clip(dy, 0, 1)))
    bent = cv2.remap(
        blurred(picture, max(0.5, 1.0 * size)),
        from_x,
        from_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    amount = np.clip(cover, 0, 1)[..., None] * 0.85
    return np.asarray(picture + (bent * (0.9 + 0.2 * cover[..., None]) - picture) * amount)
