"""The one face template, and the similarity transform that brings a face onto it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.errors import DataError

TEMPLATE_PX = 112
_TEMPLATE_112 = (
    (38.2946, 51.6963),  # the eye on the left side of the picture
    (73.5318, 51.5014),
    (56.0252, 71.7366),  # nose tip
    (41.5493, 92.3655),  # mouth corner on the left side of the picture
    (70.7299, 92.2041),
)
_MIN_SPREAD_PX2 = 1e-6
_WARP_LIMIT_PX = 32_767  # OpenCV keeps source places in 16 bits


def template(size_px: tuple[int, int] = (TEMPLATE_PX, TEMPLATE_PX)) -> np.ndarray:
    """Where the five landmarks come to lie in a crop of (height, width): (5, 2) float64, x and y in pixels.

    Source: Deng et al. 2019, "ArcFace", the five-point 112 x 112 template. Other sizes scale it by the
    shorter side over 112; a crop that is not square has the template in its middle.
    """
    height, width = size_px
    scale = min(height, width) / TEMPLATE_PX
    margin = (np.array([width, height]) - scale * TEMPLATE_PX) / 2
    return np.array(_TEMPLATE_112) * scale + margin


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares similarity (rotation, uniform scale, shift; never a reflection): (2, 3) float64.

    Args:
        source: (N, 2) points.
        target: (N, 2) where they should go.

    Returns:
        M with ``target ~ source @ M[:, :2].T + M[:, 2]``.

    Raises:
        DataError: the source points coincide, or are not finite.

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point
    patterns", equations 40 to 43.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    centred = source - from_mean
    spread = (centred**2).sum() / len(source)
    if not np.isfinite(spread) or spread < _MIN_SPREAD_PX2:
        raise DataError(
            "landmarks do not span a face", expected="five different points", got=f"{source.tolist()}"
        )
    u, d, vt = np.linalg.svd((target - to_mean).T @ centred / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = (d * sign).sum() / spread
    shift = to_mean - scale * rotation @ from_mean
    return np.column_stack([scale * rotation, shift])


def align(
    image: np.ndarray,
    landmarks_px: np.ndarray | Sequence[Sequence[float]],
    size_px: tuple[int, int] = (TEMPLATE_PX, TEMPLATE_PX),
    *,
    interpolation: int = cv2.INTER_LINEAR,
    pad_value: float = 0.0,
) -> np.ndarray:
    """Cut out one face so that its landmarks lie on the template.

    Args:
        image: (H, W, C).
        landmarks_px: (5, 2) x and y: eye left in the picture, eye right, nose tip, mouth corner left, right.
        size_px: height and width of the crop.
        interpolation: an OpenCV flag.
        pad_value: fills what lies outside the image.

    Returns:
        (h, w, C) of the image's dtype.

    Raises:
        DataError: the landmarks are not (5, 2), coincide, or are not finite; the image is too large.
    """
    points = np.asarray(landmarks_px, dtype=np.float64)
    if points.shape != (5, 2):
        raise DataError("landmarks have the wrong shape", expected="(5, 2)", got=str(points.shape))
    if max(image.shape[:2]) >= _WARP_LIMIT_PX:
        raise DataError(
            "an image is too large to align",
            expected=f"sides below {_WARP_LIMIT_PX:,} pixels",
            got=f"{image.shape[0]:,} x {image.shape[1]:,}",
        )
    matrix = similarity(points, template(size_px))
    crop: np.ndarray = cv2.warpAffine(
        image,
        matrix,
        (size_px[1], size_px[0]),
        flags=interpolation,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(pad_value,) * 4,
    )
    return crop if crop.ndim == 3 else crop[:, :, None]
