"""Does a leaf show lesions at all: the share of it whose colour is not its own green. No network.

A model that knows diseases and no healthy leaf calls every healthy leaf diseased. Which colour is healthy is
read from the leaf itself, so that varieties, phones and light may differ; what it cannot see is said in
``hub.reasons``: a disease that turns the whole leaf, or that does not show yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.records import LesionRule
from vnvision.runtime.picture_quality import to_lab
from vnvision.spec import PreprocessSpec

LOOKS_HEALTHY = "looks_healthy"

_GREEN_DEG = (95.0, 160.0)  # hues of CIE L*a*b* that a green leaf can have: yellow-green to blue-green
_LEAF_CHROMA = 14.0  # how far from the paper's colour: grey soil and shadows stay below
_PAPER = (60.0, 25.0, 0.05)  # lightness from, chroma to, share of the crop from
_LEAST_GREEN = 0.02  # share of the crop: with less green there is no leaf to compare with
_TURN_DEG = 16.0  # a lesion's hue is redder than the leaf's green by this, or
_PURPLE_DEG = -60.0  # but not beyond purple: blue and cyan are glints of the sky
_DARK = 0.55  # its lightness is below this share of the leaf's, and it is less green
_RIM = 1 / 112  # share of the crop's side that is cut off along the outline: mixed pixels and shadow


def lesion_share(crop: np.ndarray, spec: PreprocessSpec) -> float | None:
    """Share of the leaf's area whose colour is not its own green, 0 to 1; None where no green leaf is seen.

    The leaf is what has another colour than the paper under it, holes filled; its green the median hue of its
    green pixels. A pixel is a lesion where its hue is 16 degrees nearer to red, purple at most, or where it
    is dark and has lost half of its colour (CIE L*a*b* of sRGB, hue angle ``atan2(b*, a*)``).

    Args:
        crop: (h, w, C) as ``Preprocessor.geometry`` gives it.
        spec: that preprocessing; names the order of colours and the range.
    """
    light, red, yellow = cv2.split(to_lab(crop, spec))
    chroma, hue = np.hypot(red, yellow), np.degrees(np.arctan2(yellow, red))
    greenish = (hue > _GREEN_DEG[0]) & (hue < _GREEN_DEG[1])
    paper = (light > _PAPER[0]) & (chroma < _PAPER[1]) & ~greenish
    tint = [float(np.median(plane[paper])) if paper.mean() > _PAPER[2] else 0.0 for plane in (red, yellow)]
    coloured = np.hypot(red - tint[0], yellow - tint[1]) > _LEAF_CHROMA
    green = coloured & greenish & (chroma > _LEAF_CHROMA)
    if green.mean() < _LEAST_GREEN:
        return None
    leaf = _leaf(coloured, green)
    own = leaf & green
    if not own.any():
        return None
    own_hue, own_light, own_chroma = (float(np.median(plane[own])) for plane in (hue, light, chroma))
    turned = (own_hue - hue > _TURN_DEG) & (hue > _PURPLE_DEG) & (chroma > _LEAF_CHROMA / 2)
    dark = (light < _DARK * own_light) & (chroma < own_chroma / 2)
    return float((leaf & (turned | dark)).sum() / leaf.sum())


def with_healthy(
    refusals: Sequence[tuple[str, ...]] | None,
    crops: Sequence[np.ndarray],
    spec: PreprocessSpec,
    rule: LesionRule,
) -> list[tuple[str, ...]]:
    """Reasons not to answer, with ``looks_healthy`` where a crop has no other and too few lesions.

    A picture that is refused already is not looked at: what is no leaf does not look healthy.

    Args:
        refusals: N tuples of the scope gate; None without a gate.
        crops: N, see ``lesion_share``.
        spec: their preprocessing.
        rule: the limit.
    """
    found: list[tuple[str, ...]] = [()] * len(crops) if refusals is None else list(refusals)
    for index, crop in enumerate(crops):
        share = None if found[index] else lesion_share(crop, spec)
        if share is not None and share < rule.least_share:
            found[index] = (LOOKS_HEALTHY,)
    return found


def _leaf(coloured: np.ndarray, green: np.ndarray) -> np.ndarray:
    """The leaf without its rim: coloured patches that hold green, their holes filled, a little thinner."""
    side = max(1, round(min(coloured.shape) * _RIM))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * side + 1, 2 * side + 1))
    closed = cv2.morphologyEx(coloured.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    count, patches = cv2.connectedComponents(closed)
    with_green = np.bincount(patches[green], minlength=count) > 0
    with_green[0] = False
    leaf = with_green[patches].astype(np.uint8)
    outlines, _ = cv2.findContours(leaf, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(leaf, outlines, -1, 1, cv2.FILLED)
    thinner = cv2.erode(leaf, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray(thinner > 0)
