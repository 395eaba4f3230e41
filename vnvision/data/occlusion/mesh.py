"""Surfaces in head axes, painted back to front with shading, at several times the picture's resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.occlusion.head import head_surfaces
from vnvision.data.occlusion.light import LUMA, Light
from vnvision.data.occlusion.pose import Pose

_SUBPIXEL_BITS = 4
_MOST_CELLS = 1 << 23
_FINEST = 4
_ABOVE_ALL_PX = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A surface as a grid of points.

    Attributes:
        points_mm: (R, C, 3) in head axes. Rows run down, columns to the right as seen from outside.
        colour: (R, C, 3) linear reflectance, 0 to 1.
        inside: factor on the colour where seen from the back; None hides the back.
        gloss: strength of the highlight.
        flat: no shading, for thin ribbons.
        worn: the head is inside: it never hides the outer side.
        erases: takes away what was painted behind it, as the head does.
    """

    points_mm: np.ndarray
    colour: np.ndarray
    inside: float | None = None
    gloss: float = 0.0
    flat: bool = False
    worn: bool = False
    erases: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What was painted, in a window of the picture.

    Attributes:
        colour: (h, w, 3) float32 linear, times ``alpha``.
        alpha: (h, w) float32.
        corner_px: x and y of the window's corner.
    """

    colour: np.ndarray
    alpha: np.ndarray
    corner_px: tuple[int, int]


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """v (0 to 1, down) and u (-1 to 1, to the right), each (rows, columns)."""
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    return v, u


def plain(points_mm: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """One colour for each point."""
    return np.broadcast_to(rgb, points_mm.shape).copy()


def curve(knots_mm: Sequence[Sequence[float] | np.ndarray], n: int = 24) -> np.ndarray:
    """A smooth line (n, 3) through some points: a Catmull-Rom spline."""
    knots = np.asarray(knots_mm, np.float64)
    padded = np.concatenate([[2 * knots[0] - knots[1]], knots, [2 * knots[-1] - knots[-2]]])
    at = np.linspace(0, len(knots) - 1, n)
    i = np.minimum(at.astype(int), len(knots) - 2)
    t = (at - i)[:, None]
    a, b, c, d = (padded[i + k] for k in range(4))
    line: np.ndarray = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2)
    line += 0.5 * (3 * b - a - 3 * c + d) * t**3
    return line


def ribbon(line_mm: np.ndarray, width_mm: float, rgb: np.ndarray, pose: Pose) -> Patch:
    """A line (N, 3) with a width, always seen from its broad side."""
    along = np.gradient(line_mm, axis=0)
    across = np.cross(along, pose.towards_camera)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    half = width_mm / 2
    points = np.stack([line_mm - half * across, line_mm, line_mm + half * across])
    rounded = np.array([0.8, 1.05, 0.8])[:, None, None] * rgb
    colour = np.broadcast_to(rounded, points.shape).copy()
    return Patch(points, colour, inside=1.0, flat=True)


def paint(
    patches: Sequence[Patch],
    pose: Pose,
    light: Light,
    shape: tuple[int, ...],
    *,
    hair_mm: float | None = 0.0,
) -> Layer | None:
    """Paint surfaces into one opaque layer; None where nothing of them lies in the picture.

    Args:
        patches: together sorted by depth, far to near.
        pose: of the head.
        light: shades them.
        shape: height and width of the picture.
        hair_mm: the head, larger by its hair, hides what lies behind it; None where nothing does.
    """
    parts = [_cells(patch, pose, light) for patch in patches]
    window = _window(np.concatenate([corners for corners, _, _ in parts]), shape)
    if window is None:
        return None
    if hair_mm is not None:
        head = [Patch(points, np.zeros(points.shape), erases=True) for points in head_surfaces(hair_mm)]
        parts += [_cells(patch, pose, light) for patch in head]
    corners = np.concatenate([part for part, _, _ in parts])
    paints = np.concatenate([part for _, part, _ in parts]).tolist()
    order = np.argsort(np.concatenate([depth for _, _, depth in parts]), kind="stable")
    x, y, width, height = window
    fine = int(np.clip(np.sqrt(_MOST_CELLS / (width * height)), 1, _FINEST))
    canvas = np.zeros((height * fine, width * fine, 4), np.float32)
    # Pixel centres lie at whole numbers: a fine cell's centre is off them by half the difference.
    placed = (corners - [x, y] + 0.5) * fine - 0.5
    limit = 1 << 14
    points = np.rint(np.clip(placed, -limit, limit) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    for i in order.tolist():
        cv2.fillConvexPoly(canvas, points[i], paints[i], cv2.LINE_8, _SUBPIXEL_BITS)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) if fine > 1 else canvas
    return Layer(small[..., :3], small[..., 3], (x, y))


def _window(corners: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """x, y, width, height of the part of the picture that the cells reach; None where they reach none."""
    if not len(corners):
        return None
    low = np.maximum(np.floor(corners.min(axis=(0, 1))).astype(int) - 2, 0)
    high = np.minimum(np.ceil(corners.max(axis=(0, 1))).astype(int) + 3, [shape[1], shape[0]])
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _cells(patch: Patch, pose: Pose, light: Light) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visible cells of a patch: corners (Q, 4, 2) in pixels, colours with alpha (Q, 4), depth (Q,)."""
    placed = pose.camera(patch.points_mm)
    # Which way a cell looks is told by its own four corners, not by the points' smoothed normals.
    a, b, c, d = (part[..., :2] for part in _corners(placed))
    area = (c - a)[..., 0] * (d - b)[..., 1] - (c - a)[..., 1] * (d - b)[..., 0]
    kept = area > 0 if patch.inside is None else area != 0
    cells = np.stack([a, b, c, d], axis=-2)[kept]
    depth = np.mean(_corners(placed[..., 2]), axis=0)[kept]
    if patch.worn:
        depth = depth + _ABOVE_ALL_PX * (area[kept] > 0)
    if patch.erases:
        return cells, np.zeros((len(cells), 4)), depth
    colour = np.mean(_corners(_shaded(patch, placed, light)), axis=0)[kept] * light.colour
    return cells, np.concatenate([colour, np.ones((len(cells), 1))], axis=1), depth


def _shaded(patch: Patch, placed: np.ndarray, light: Light) -> np.ndarray:
    """Colour of each point under the light, (R, C, 3)."""
    normals = np.cross(np.gradient(placed, axis=1), np.gradient(placed, axis=0))
    normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    back = normals[..., 2] < 0
    facing = np.where(back[..., None], -normals, normals)
    grey = (patch.colour @ LUMA)[..., None]
    colour = grey + (patch.colour - grey) * light.saturation
    if not patch.flat:
        colour = colour * light.shade(facing)[..., None]
    colour = colour * np.where(back, 1.0 if patch.inside is None else patch.inside, 1.0)[..., None]
    if patch.gloss:
        half = light.towards + np.array([0.0, 0.0, 1.0])
        half /= np.linalg.norm(half)
        colour = colour + (patch.gloss * np.clip(facing @ half, 0, 1) ** 60 * ~back)[..., None]
    return np.asarray(colour)


def _corners(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each cell, clockwise from the top left."""
    return values[:-1, :-1], values[:-1, 1:], values[1:, 1:], values[1:, :-1]
