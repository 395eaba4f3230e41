"""Exposure, dynamic range, contrast and evenness of light on a face. Pure functions of a ``FaceCrop``.

A dark skin in good light is not a dark picture, so nothing here that is scored or gated is the mean
luminance: shadows and highlights count only where they are clipped, what ranges from dark to bright is held
against its own level, and ``bright_level`` looks at everything around the face too.
"""

from __future__ import annotations

import numpy as np

from vnvision.faces.quality.crop import FaceCrop
from vnvision.imaging.align import TEMPLATE_PX

SHADOW, HIGHLIGHT = 10, 250  # luma, 0..255: detail is lost at and below, at and above
_HIGH, _BRIGHT = 0.95, 0.995
_GREY = 2.0  # mean distance of channels, of 255


def exposure(crop: FaceCrop) -> dict[str, float]:
    """Measures of light, by name.

    Returns:
        mean_luminance: mean luma of the face, 0..1. Depends on skin tone: reported, never scored.
        under_exposed: share of the face at luma 10 of 255 or less, 0..1.
        over_exposed: share of the face at luma 250 or more, 0..1.
        bright_level: 99.5th percentile of luma over the whole crop, hair, clothes and background too, 0..1.
            Of the percentiles tried on ``utkface_sample`` the one that depends least on skin tone.
        dynamic_range: entropy of the face's luma histogram, 0..8 bits.
        contrast: (p95 - p5) / (p95 + p5) of the face's luma (Michelson), 0..1; not changed by a gain.
        evenness: mean luma of the darker half of the face over that of the brighter, left and right, 0..1.
        colourfulness: Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", SPIE 5007,
            equation for M3: 0 for a grey picture, some 30 for a face in daylight.
        grey: 1 for a picture without colour, else 0.
    """
    face = crop.luma.ravel()[crop.shown]
    counts = np.bincount(face, minlength=256)
    upto = np.cumsum(counts) / len(face)
    low, high = _level(counts, 1 - _HIGH), _level(counts, _HIGH)
    around = crop.luma.ravel() if crop.whole else crop.luma[crop.inside]
    shares = counts[counts > 0] / len(face)
    colour, grey = _colour(crop.rgb.reshape(-1, 3)[crop.shown].astype(np.float32))
    return {
        "mean_luminance": float(face.mean()) / 255,
        "under_exposed": float(upto[SHADOW]),
        "over_exposed": float(1 - upto[HIGHLIGHT - 1]),
        "bright_level": _level(np.bincount(around, minlength=256), _BRIGHT) / 255,
        "dynamic_range": float(max(-(shares * np.log2(shares)).sum(), 0.0)),
        "contrast": (high - low) / max(high + low, 1.0),
        "evenness": _evenness(crop),
        "colourfulness": colour,
        "grey": grey,
    }


def _level(counts: np.ndarray, share: float) -> float:
    """The lowest grey level at and below which ``share`` of the pixels lie, from a histogram (256,)."""
    upto = np.cumsum(counts)
    return float(np.searchsorted(upto, share * upto[-1]))


def _evenness(crop: FaceCrop) -> float:
    on_left = crop.shown % TEMPLATE_PX < TEMPLATE_PX // 2
    face = crop.luma.ravel()[crop.shown]
    left, right = face[on_left], face[~on_left]
    if not len(left) or not len(right):
        return 1.0
    # One grey level more, so that a black face is even and not undefined.
    one, other = float(left.mean()) + 1, float(right.mean()) + 1
    return min(one, other) / max(one, other)


def _colour(rgb: np.ndarray) -> tuple[float, float]:
    """Colourfulness, and 1 where there is none, of (N, 3) pixels."""
    red, green, blue = rgb.T
    one, two = red - green, (red + green) / 2 - blue
    spread = np.hypot(one.std(), two.std()) + 0.3 * np.hypot(one.mean(), two.mean())
    apart = (np.abs(one).mean() + np.abs(green - blue).mean()) / 2
    return float(spread), float(apart < _GREY)
