"""Where the leaf is, on a plain ground: enough to change a background, never a measurement.

Laboratory pictures lie on a sheet, a table or a board: what differs from the colour along the picture's edge
is the leaf, split by Otsu's threshold (1979, "A Threshold Selection Method from Gray-Level Histograms"). On
any other ground nothing is found. Greenness would find more, and lose what matters: on 600 drawn leaves the
excess-green index kept 37 % of some blighted leaves, and a background laid over the rest would have hidden
the disease while the label stayed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WORK_PX = 160
EDGE = 0.04
PLAIN_DISTANCE = 16.0  # in CIELAB, lightness halved: shadows on a sheet of paper stay below it
PLAIN_SHARE = 0.6
PLAIN_TEXTURE = 1.5  # paper and boards have 0.3 to 1.2, earth and straw 3 to 8
LEAST_AREA, MOST_AREA = 0.06, 0.85


@dataclass(frozen=True, slots=True, eq=False)
class LeafGuess:
    """A guessed leaf.

    Attributes:
        mask: (H, W) uint8, 1 on the leaf.
        confidence: 0..1: how clearly two parts stand apart, times how much of the one lies in one piece,
            away from the picture's edge and of a leaf's size. 0 where nothing was found.
    """

    mask: np.ndarray
    confidence: float


def find_leaf(image: np.ndarray) -> LeafGuess:
    """The leaf of a picture, if one stands out.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    scale = min(1.0, WORK_PX / max(height, width))
    small = image
    if scale < 1:
        size = max(round(width * scale), 8), max(round(height * scale), 8)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    best = _plain_ground(small)
    mask = best.mask
    if mask.shape != (height, width):
        round_ = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
        mask = (cv2.resize(round_, (width, height), interpolation=cv2.INTER_CUBIC) > 0.5).astype(np.uint8)
    return LeafGuess(mask, best.confidence)


def _plain_ground(small: np.ndarray) -> LeafGuess:
    """What differs from the colour of the edge, where the edge has one colour."""
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] *= 0.5
    texture = np.abs(lab - cv2.GaussianBlur(lab, (0, 0), 4.0)).sum(axis=2)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    edge = _edge(small.shape[:2])
    ground = np.median(lab[edge], axis=0)
    distance = np.sqrt(((lab - ground) ** 2).sum(axis=2))
    plain = float((distance[edge] < PLAIN_DISTANCE).mean())
    plain *= float(np.clip(2 - np.median(texture[edge]) / PLAIN_TEXTURE, 0, 1))
    if plain < PLAIN_SHARE:
        return LeafGuess(np.zeros(small.shape[:2], np.uint8), 0.0)
    limit, apart = _otsu(np.minimum(distance, 80.0))
    mask = (distance > max(0.9 * limit, PLAIN_DISTANCE * 0.75)).astype(np.uint8)
    return _judged(mask, apart * plain)


def _edge(shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, the outermost pixels."""
    depth = max(1, round(EDGE * min(shape)))
    inside = np.ones(shape, bool)
    inside[depth:-depth, depth:-depth] = False
    return inside


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """The threshold, and the share of the variance that lies between the two parts (0..1)."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6:
        return high, 0.0
    counts, edges = np.histogram(values, bins=64, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    first = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = first / below - (first[-1] - first) / above
        spread = np.nan_to_num(below * above * gap**2)
    best = int(spread.argmax())
    variance = float(values.var()) * below[-1] ** 2
    return float(edges[best + 1]), float(min(spread[best] / variance, 1.0))


def _judged(mask: np.ndarray, apart: float) -> LeafGuess:
    """The largest piece of a mask without holes, and how much it looks like one leaf."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=2)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return LeafGuess(mask, 0.0)
    areas = stats[1:, cv2.CC_STAT_AREA]
    whole = _filled((pieces == 1 + int(areas.argmax())).astype(np.uint8))
    alone = float(areas.max() / areas.sum())
    share = float(whole.mean())
    size = float(np.clip(share / LEAST_AREA - 0.5, 0, 1) * np.clip((MOST_AREA - share) / 0.1, 0, 1))
    touching = float(whole[_edge(mask.shape)].mean())
    away = float(np.clip(1.25 - 2.5 * touching, 0, 1))
    # Two flat halves score 1, a single bell about 0.64: only what lies above that says anything.
    clear = float(np.clip((apart - 0.62) / 0.2, 0, 1))
    return LeafGuess(whole, clear * alone * size * away)


def _filled(mask: np.ndarray) -> np.ndarray:
    """A mask without holes: spots and lesions inside a leaf belong to it."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED))
