"""Means over images and over labels as functions of image weights, for ``bootstrap.resample``."""

from __future__ import annotations

import numpy as np


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """``top / bottom``, NaN where ``bottom`` is 0."""
    out: np.ndarray = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
    return out


class ImageMean:
    """The mean over images of values that some images have not.

    Args:
        values: (K, N), NaN where not defined.

    Attributes:
        defined: (K, N) bool.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.defined = np.isfinite(values)
        self._filled = np.where(self.defined, values, 0.0)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """(K, b) means under weights (N, b), NaN where no image with a value was drawn."""
        return ratio(self._filled @ weights, self.defined @ weights)


def label_mean(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Mean over the wanted labels of (K, b): (b,), NaN where one of them is, or none is wanted."""
    if not wanted.any():
        return np.full(values.shape[1], np.nan)
    means: np.ndarray = values[wanted].mean(axis=0)
    return means
