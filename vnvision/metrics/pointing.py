"""Does a heatmap follow the truth: the pointing game, and what it is worth."""

from __future__ import annotations

import numpy as np

from vnvision.errors import DataError


def pointing_hit(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """1 where the hottest pixel lies inside the mask, else 0.

    The pointing game of Zhang et al. 2016 ("Top-down Neural Attention by Excitation Backprop", section 4.2),
    without their tolerance of 15 pixels. Pixels that share the largest value share the point: an empty
    heatmap scores the mask's share of the picture, which is what pointing blindly would.

    Args:
        heatmap: (H, W).
        mask: (H, W) bool.

    Raises:
        DataError: sizes differ, or the mask is empty.
    """
    _check(heatmap, mask)
    return float(mask[heatmap == heatmap.max()].mean())


def heat_inside(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """Share of the heat that lies inside the mask; the mask's share of the picture where there is no heat.

    The energy-based pointing game of Wang et al. 2020 ("Score-CAM", section 4.3).

    Args:
        heatmap: (H, W), not negative.
        mask: (H, W) bool.

    Raises:
        DataError: sizes differ, or the mask is empty.
    """
    _check(heatmap, mask)
    total = float(heatmap.sum(dtype=np.float64))
    return float(heatmap[mask].sum(dtype=np.float64) / total) if total > 0 else float(mask.mean())


def centre_hit(mask: np.ndarray) -> float:
    """1 where the picture's middle pixel lies in the mask (H, W) bool, else 0: what a heatmap has to beat.

    Whoever takes a picture puts what matters in its middle, so this is far above the share of the area.
    """
    return float(mask[mask.shape[0] // 2, mask.shape[1] // 2])


def _check(heatmap: np.ndarray, mask: np.ndarray) -> None:
    if heatmap.shape != mask.shape or mask.dtype != bool or not mask.any():
        raise DataError(
            "the pointing game cannot be played",
            expected="a heatmap and a mask of one size, something in the mask",
            got=f"{heatmap.shape}, {mask.shape} {mask.dtype} with {int(np.count_nonzero(mask))} pixels",
        )
