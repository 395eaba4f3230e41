"""How far two outlines lie apart: the 95 % Hausdorff distance."""

from __future__ import annotations

import numpy as np

from vnvision.errors import DataError, MissingExtraError

PERCENTILE = 95.0


def surface(mask: np.ndarray) -> np.ndarray:
    """Pixels of a mask (H, W) with one of their four neighbours outside it; beyond the picture is outside."""
    padded = np.pad(mask.astype(bool), 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: np.ndarray = padded[1:-1, 1:-1] & ~inner
    return edge


def hd95(truth: np.ndarray, answer: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> float | None:
    """95 % Hausdorff distance: the larger of the two directed 95th percentiles of surface distances.

    The distance of a surface pixel is that from its centre to the nearest centre of a surface pixel of the
    other mask. This is the definition of Maier-Hein et al. 2024, "Metrics reloaded", Nature Methods 21, and
    of MONAI; the percentile of both directions pooled is another one, and smaller. Percentiles are
    interpolated linearly.

    Args:
        truth: (H, W) bool.
        answer: (H, W) bool.
        spacing: height and width of a pixel: 1 for a distance in pixels, in mm for one in mm.

    Returns:
        None where a mask is empty: there is no distance to nothing.

    Raises:
        DataError: the masks differ in size, or the spacing is not positive.
        MissingExtraError: scipy is not installed.
    """
    if truth.shape != answer.shape:
        raise DataError("masks differ in size", expected=str(truth.shape), got=str(answer.shape))
    if not min(spacing) > 0:
        raise DataError("pixel spacing", expected="two positive numbers", got=str(spacing))
    if not truth.any() or not answer.any():
        return None
    try:
        from scipy.spatial import cKDTree
    except ImportError as exc:
        raise MissingExtraError("scipy", "eval") from exc
    points = [np.argwhere(surface(mask)) * np.asarray(spacing) for mask in (truth, answer)]
    trees = [cKDTree(side) for side in points]
    forth, back = trees[1].query(points[0])[0], trees[0].query(points[1])[0]
    return float(max(np.percentile(forth, PERCENTILE), np.percentile(back, PERCENTILE)))
