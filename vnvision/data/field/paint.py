"""Paint for pictures of any shape: noise, discs, mixing, in float32 levels 0..255.

``vnvision.data.leaf_paint`` draws squares; here they are cut to the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.data.leaf_paint import fractal

Rng = np.random.Generator
Size = tuple[int, int]
DRAWN_PX = 256
_BITS = 4


def between(rng: Rng, span: tuple[float, float]) -> float:
    """A number drawn evenly from a span."""
    return float(rng.uniform(*span))


def noise(rng: Rng, size_px: Size, cells: Sequence[int], falloff: float = 0.55) -> np.ndarray:
    """Smooth noise (H, W) float32 of unit variance or so; ``cells`` counts along the longer side."""
    side = max(size_px)
    drawn = fractal(rng, min(side, DRAWN_PX), cells, falloff)
    return fitted(drawn, size_px)


def fitted(square: np.ndarray, size_px: Size) -> np.ndarray:
    """A square cut to the picture's shape from its middle, after scaling to its longer side."""
    side = max(size_px)
    if square.shape[0] != side:
        square = cv2.resize(square, (side, side), interpolation=cv2.INTER_LINEAR)
    y, x = (side - size_px[0]) // 2, (side - size_px[1]) // 2
    return square[y : y + size_px[0], x : x + size_px[1]]


def discs(size_px: Size, centres_px: np.ndarray, radii_px: np.ndarray) -> np.ndarray:
    """Antialiased discs as coverage (H, W) float32 in 0..1; centres (N, 2) as x, y."""
    layer = np.zeros(size_px, np.uint8)
    scale = 1 << _BITS
    centres = np.rint(centres_px * scale).astype(int).tolist()
    for centre, radius in zip(centres, np.rint(radii_px * scale).astype(int).tolist(), strict=True):
        cv2.circle(layer, centre, max(radius, scale // 2), 255, cv2.FILLED, cv2.LINE_AA, _BITS)
    return layer.astype(np.float32) * np.float32(1 / 255)


def soft(layer: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur; below a fifth of a pixel the input itself."""
    return layer if sigma_px < 0.2 else cv2.GaussianBlur(layer, (0, 0), sigma_px)


def smoothstep(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    step: np.ndarray = t * t * (3 - 2 * t)
    return step


def mixed(image: np.ndarray, paint: np.ndarray | Sequence[float], amount: np.ndarray) -> np.ndarray:
    """``image`` (H, W, 3) moved towards ``paint`` (3,) or (H, W, 3) by ``amount`` (H, W) in 0..1; uint8."""
    base = image.astype(np.float32)
    return levels(base + (np.asarray(paint, np.float32) - base) * amount[:, :, None])


def lit(image: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """``image`` (H, W, 3) times ``gain`` (H, W) or (H, W, 3); uint8."""
    gain = gain if gain.ndim == 3 else gain[:, :, None]
    return levels(image.astype(np.float32) * gain)


def levels(values: np.ndarray) -> np.ndarray:
    """Float levels as uint8, rounded and clipped."""
    return cv2.convertScaleAbs(np.maximum(values, 0))


def towards_light(rng: Rng) -> tuple[float, float]:
    """A unit vector (x, y) towards the light, mostly from above."""
    angle = float(rng.normal(-np.pi / 2, 0.8))
    return float(np.cos(angle)), float(np.sin(angle))


def shifted(layer: np.ndarray, dx_px: float, dy_px: float) -> np.ndarray:
    """A layer (H, W) moved by some pixels; what comes in is 0."""
    move = np.array([[1, 0, dx_px], [0, 1, dy_px]], np.float32)
    moved: np.ndarray = cv2.warpAffine(layer, move, layer.shape[::-1], flags=cv2.INTER_LINEAR)
    return moved
