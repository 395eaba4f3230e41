"""Paint for the synthetic leaves: seeded noise, mixing, strokes.

Pictures are planes, (3, H, W) float32 RGB in 0..1: one plane at a time is several times faster than
broadcasting over a last axis of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

Colour = tuple[float, float, float]
SUBPIXEL_BITS = 4
COARSE = 12


def stream(*key: int) -> np.random.Generator:
    """A random stream of its own for each key of non-negative integers."""
    return np.random.Generator(np.random.PCG64(list(key)))


@lru_cache(maxsize=4)
def pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres x and y, each (size, size) float32, in 0..1 from the top left."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(axis, axis)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def noise(rng: np.random.Generator, size: int, cells: int | tuple[int, int]) -> np.ndarray:
    """Smooth noise (size, size) of unit variance at the grid points; ``cells`` is its (rows, columns)."""
    rows, columns = (cells, cells) if isinstance(cells, int) else cells
    grid = rng.standard_normal((rows + 2, columns + 2), dtype=np.float32)
    if min(rows, columns) > COARSE:
        return cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    # A resize is flat over the outermost half cell, which shows on coarse grids: draw it and cut it off.
    fine = cv2.resize(grid, ((columns + 2) * 8, (rows + 2) * 8), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(fine[8:-8, 8:-8], (size, size), interpolation=cv2.INTER_LINEAR)


def fractal(rng: np.random.Generator, size: int, cells: Sequence[int], falloff: float = 0.55) -> np.ndarray:
    """Noise of several scales (size, size), each weaker by ``falloff`` than the coarser one before."""
    total = noise(rng, size, cells[0])
    weight = 1.0
    for count in cells[1:]:
        weight *= falloff
        total += weight * noise(rng, size, min(count, size))
    return total


def plain(size: int, colour: Colour | np.ndarray) -> np.ndarray:
    """A canvas (3, size, size) of one colour."""
    return np.broadcast_to(np.asarray(colour, np.float32)[:, None, None], (3, size, size)).copy()


def mix(image: np.ndarray, colour: Colour | np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Move ``image`` towards ``colour`` (3,) or (3, H, W) by ``amount`` (H, W) in 0..1, in place."""
    for plane, paint in zip(image, np.asarray(colour, np.float32), strict=True):
        plane += (paint - plane) * amount
    return image


def soft(layer: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur of a layer (H, W) or planes (3, H, W); below a fifth of a pixel the input itself."""
    if sigma_px < 0.2:
        return layer
    if layer.ndim == 3:
        return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma_px) for plane in layer])
    return cv2.GaussianBlur(layer, (0, 0), sigma_px)


def planes(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) as float32 planes (3, H, W) in 0..1."""
    return np.stack(cv2.split(image)).astype(np.float32) * np.float32(1 / 255)


def dots(size: int, centres_px: np.ndarray, radii_px: np.ndarray) -> np.ndarray:
    """Antialiased discs as coverage (size, size) float32; centres (N, 2) as x, y."""
    layer = np.zeros((size, size), np.uint8)
    scale = 1 << SUBPIXEL_BITS
    centres = np.rint(centres_px * scale).astype(int).tolist()
    radii = np.rint(radii_px * scale).astype(int).tolist()
    for centre, radius in zip(centres, radii, strict=True):
        cv2.circle(layer, centre, max(radius, 1), 255, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)
    return layer.astype(np.float32) / 255


def strokes(
    image: np.ndarray, starts_px: np.ndarray, ends_px: np.ndarray, colours: np.ndarray, widths: np.ndarray
) -> None:
    """Draw antialiased lines into a uint8 image (H, W, 3); points (N, 2), colours (N, 3) in 0..1."""
    scale = 1 << SUBPIXEL_BITS
    points = np.rint(np.stack([starts_px, ends_px], 1) * scale).astype(int).tolist()
    paints = np.clip(colours * 255, 0, 255).astype(int).tolist()
    for (start, end), paint, width in zip(points, paints, widths.astype(int).tolist(), strict=True):
        cv2.line(image, start, end, paint, max(width, 1), cv2.LINE_AA, SUBPIXEL_BITS)


def relief(height: np.ndarray, towards_light: tuple[float, float]) -> np.ndarray:
    """Slope of ``height`` (H, W) towards the light, a direction (x, y): bright flanks positive."""
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return -(slope_x * np.float32(towards_light[0]) + slope_y * np.float32(towards_light[1]))
