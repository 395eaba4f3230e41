"""The VOI window: which part of a scanner's range is shown."""

from __future__ import annotations

import numpy as np


def window(
    values: np.ndarray, centre_width: tuple[float, float], out_range: tuple[float, float]
) -> np.ndarray:
    """Map values linearly so that the window fills ``out_range``; float64, same shape.

    Source: DICOM PS3.3, C.11.2.1.2.1, LINEAR: with ``x0 = centre - 0.5`` and ``w = width - 1``, values up to
    ``x0 - w / 2`` give the low end, values above ``x0 + w / 2`` the high end, and between them
    ``((x - x0) / w + 0.5) * (high - low) + low``. A width of 1 is a threshold.

    Args:
        values: any shape, in input units.
        centre_width: the window, in input units, width 1 or more.
        out_range: low and high of the result.
    """
    centre, width = centre_width[0] - 0.5, centre_width[1] - 1.0
    low, high = out_range
    x = values.astype(np.float64)
    inside = (x - centre) / (width or 1.0) + 0.5  # a threshold has no ramp
    ramp = inside * (high - low) + low
    return np.where(x <= centre - width / 2, low, np.where(x > centre + width / 2, high, ramp))


def window_table(
    dtype: np.dtype, centre_width: tuple[float, float], out_range: tuple[float, float]
) -> np.ndarray:
    """The window of every level of an unsigned integer type, rounded to that type: (levels,)."""
    info = np.iinfo(dtype)
    mapped = window(np.arange(info.max + 1), centre_width, out_range)
    rounded: np.ndarray = np.clip(np.rint(mapped), 0, info.max).astype(dtype)
    return rounded
