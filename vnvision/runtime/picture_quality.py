"""How a picture looks, without any network: light, colour and sharpness of the crop the model takes in."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from vnvision.spec import PreprocessSpec

TOO_DARK, TOO_BRIGHT, TOO_BLURRED = "too_dark", "too_bright", "too_blurred"

MEASURES = (
    "lightness",
    "contrast",
    "green_red",
    "blue_yellow",
    "green_red_spread",
    "blue_yellow_spread",
    "chroma",
    "detail_1",
    "detail_2",
    "detail_4",
    "sharpness",
)
NOISE = np.array([3.0, 0.1, 2.0, 4.0, 0.15, 0.15, 0.2, 0.2, 0.2, 0.2, 0.2])
"""Differences that mean nothing, such as another phone's white balance: Lab units, else logarithms."""


class QualityLimits(NamedTuple):
    """What a crop must keep to: L* from ``darkest`` to ``brightest``, sharpness from ``blurred`` on."""

    darkest: float
    brightest: float
    blurred: float

    def reasons(self, measures: np.ndarray) -> tuple[str, ...]:
        """What is wrong with a crop of these measures (11,), in the order of the stages."""
        lightness, sharpness = measures[0], measures[-1]
        found = ((TOO_DARK, lightness < self.darkest), (TOO_BRIGHT, lightness > self.brightest))
        return tuple(reason for reason, bad in (*found, (TOO_BLURRED, sharpness < self.blurred)) if bad)


def measure(crop: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """The ``MEASURES`` of one crop (11,) float64.

    In CIE L*a*b* of sRGB (IEC 61966-2-1, D65): mean of L*, a* and b*, logarithms of the standard deviation of
    each and of the mean chroma; ``detail_k``, the logarithm of the variance of the Laplacian of L* at 1/k of
    the size (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy"); and ``sharpness``,
    ``detail_1`` less the logarithm of the variance of L*, which a change of light or contrast leaves alone.

    Args:
        crop: (h, w, C) as ``Preprocessor.geometry`` gives it.
        spec: that preprocessing; names the order of colours and the range.
    """
    lab = to_lab(crop, spec)
    light, red, yellow = cv2.split(lab)
    means, deviations = (item.ravel() for item in cv2.meanStdDev(lab))
    chroma = float(cv2.magnitude(red, yellow).mean())
    details = [_detail(light, shrink) for shrink in (1, 2, 4)]
    spread = np.log(deviations + np.array([1.0, 0.5, 0.5]))
    sharpness = details[0] - np.log(deviations[0] ** 2 + 1.0)
    return np.array(
        [means[0], spread[0], means[1], means[2], *spread[1:], np.log(chroma + 0.5), *details, sharpness]
    )


def to_lab(crop: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """CIE L*a*b* (h, w, 3) float32 of a crop (h, w, C) in the spec's range and order of colours."""
    low, high = spec.input_range
    values = ((crop.astype(np.float32) - low) / (high - low)).clip(0, 1)
    if values.shape[2] == 1:
        values = cv2.merge([values, values, values])
    elif spec.colour == "bgr":
        values = values[..., ::-1]
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2Lab))


def measure_all(crops: np.ndarray | list[np.ndarray], spec: PreprocessSpec) -> np.ndarray:
    """``measure`` of several crops: (N, 11)."""
    rows = [measure(crop, spec) for crop in crops]
    return np.stack(rows) if rows else np.empty((0, len(MEASURES)))


def fit_limits(measures: np.ndarray, refused: float = 0.005) -> QualityLimits:
    """Limits that refuse a share of the training pictures (N, 11) at each end, and those beyond them."""
    lightness, sharpness = measures[:, 0], measures[:, -1]
    darkest, brightest = np.quantile(lightness, [refused, 1 - refused])
    return QualityLimits(float(darkest), float(brightest), float(np.quantile(sharpness, refused)))


def _detail(light: np.ndarray, shrink: int) -> float:
    """Logarithm of the variance of the Laplacian at 1/shrink of the size."""
    if shrink > 1:
        size = max(1, light.shape[1] // shrink), max(1, light.shape[0] // shrink)
        light = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    return float(np.log(cv2.Laplacian(light, cv2.CV_32F).var() + 1e-3))
