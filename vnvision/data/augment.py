"""Training augmentation, decided by a key alone: the same whatever the worker, order or process.

One crop, turn and flip is one resampling; all colour changes are one 3x4 matrix. numpy and OpenCV only, so a
worker starts fast and nothing reads or moves a global random state.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np

from vnvision.data.augment_colour import between, recolour, spoil
from vnvision.data.augment_spec import PRESETS, AugmentSpec
from vnvision.errors import ConfigError, DataError
from vnvision.imaging.geometry import INTERPOLATION

__all__ = ["PRESETS", "AugmentSpec", "Augmenter"]

_FLIP_CODE = {(True, False): 1, (False, True): 0, (True, True): -1}
# Each decision has its own place in the stream: changing one option leaves the others as they were.
_DRAWS = (
    "area", "ratio", "x", "y", "turn", "quarter", "quarters", "hflip", "vflip",
    "brightness", "contrast", "saturation", "hue", "grey", "shadow", "shade", "blur", "sigma", "noise", "std",
    "jpeg", "quality", "cutout", "cut", "cut_x", "cut_y", "stain_r", "stain_g", "stain_b",
)  # fmt: skip


class Augmenter:
    """Cut, turn, flip, recolour and spoil one picture, to the training size.

    Args:
        spec: what may change.
        size_px: height and width of the result, or the side of a square.
        geometry: the model's preprocessing. For ``crop`` a cut has the result's aspect (times the drawn
            ratio), else the picture's own, squashed. For ``letterbox``, ``align`` and ``none`` pass pictures
            that already went through ``Preprocessor.geometry``.
        interpolation: the model's own. Only ``area`` averages where a picture shrinks; with the others
            training would see smoother texture than the model is later asked about.

    With ``AugmentSpec()`` the result is what ``Preprocessor.geometry`` gives for ``squash``, bit for bit.

    Holds only its arguments: cheap to pickle, safe to share.

    Raises:
        ConfigError: a size below 1.
    """

    def __init__(
        self,
        spec: AugmentSpec,
        size_px: int | tuple[int, int],
        *,
        geometry: Literal["squash", "crop", "letterbox", "align", "none"] = "squash",
        interpolation: Literal["nearest", "bilinear", "bicubic", "area"] = "bilinear",
    ) -> None:
        self.spec = spec
        self.size_px = (size_px, size_px) if isinstance(size_px, int) else (size_px[0], size_px[1])
        self.geometry = geometry
        self.interpolation = interpolation
        if min(self.size_px) < 1:
            raise ConfigError("augmentation needs a size", expected="1 pixel or more", got=str(size_px))

    def __call__(self, image: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Augment one picture.

        Args:
            image: (H, W, 3) uint8 RGB or (H, W, 1) uint8 grey.
            key: non-negative integers, such as (seed, epoch, index); equal keys give equal bytes.

        Returns:
            (h, w, C) uint8, contiguous, of its own memory.

        Raises:
            DataError: another dtype or shape.
            ConfigError: a negative number in the key.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
            got = f"{image.shape} {image.dtype}"
            raise DataError("cannot augment", expected="(H, W, 3) or (H, W, 1) uint8", got=got)
        if min(key) < 0:
            raise ConfigError("an augmentation key is negative", expected="numbers from 0", got=str(key))
        rng = np.random.Generator(np.random.PCG64(list(key)))
        draw = dict(zip(_DRAWS, rng.random(len(_DRAWS)).tolist(), strict=True))
        result = _resample(image, self.spec, self.size_px, draw, own_aspect=self.geometry != "crop")
        result = recolour(result, self.spec, draw)
        result = spoil(result, self.spec, draw, rng)
        result = result if result.ndim == 3 else result[:, :, None]
        return result.copy() if np.shares_memory(result, image) else np.ascontiguousarray(result)


def _resample(
    image: np.ndarray,
    spec: AugmentSpec,
    size_px: tuple[int, int],
    draw: dict[str, float],
    *,
    own_aspect: bool,
) -> np.ndarray:
    """Crop, turn and flip in one resampling; what lies outside is mirrored."""
    height, width = image.shape[:2]
    quarters = int(4 * draw["quarters"]) if draw["quarter"] < spec.rot90 else 0
    angle = math.radians(spec.rotate_deg * (2 * draw["turn"] - 1)) + math.pi / 2 * quarters
    stretch = math.exp(between(_log(spec.random_resized_crop_ratio), draw["ratio"]))
    wanted = size_px[::-1] if quarters % 2 else size_px
    aspect = (width / height if own_aspect else wanted[1] / wanted[0]) * stretch
    area = between(spec.random_resized_crop_scale, draw["area"]) * width * height
    crop_w, crop_h = math.sqrt(area * aspect), math.sqrt(area / aspect)
    fit = min(1.0, width / crop_w, height / crop_h)
    crop_w, crop_h = crop_w * fit, crop_h * fit
    left, top = draw["x"] * (width - crop_w), draw["y"] * (height - crop_h)
    flips = draw["hflip"] < spec.hflip, draw["vflip"] < spec.vflip
    if angle != 0:
        centre = (left + crop_w / 2, top + crop_h / 2)
        across, down = (crop_h, crop_w) if quarters % 2 else (crop_w, crop_h)
        return _turn(
            image, size_px, centre, (-across if flips[0] else across, -down if flips[1] else down), angle
        )
    x, y = round(left), round(top)
    cut = image[y : max(round(top + crop_h), y + 1), x : max(round(left + crop_w), x + 1)]
    method = (
        cv2.INTER_AREA if min(cut.shape[0] / size_px[0], cut.shape[1] / size_px[1]) >= 2 else cv2.INTER_LINEAR
    )
    small = cv2.resize(cut, size_px[::-1], interpolation=method)
    return cv2.flip(small, _FLIP_CODE[flips]) if any(flips) else small


def _turn(
    image: np.ndarray,
    size_px: tuple[int, int],
    centre: tuple[float, float],
    extent: tuple[float, float],
    angle_rad: float,
) -> np.ndarray:
    """Sample a turned box of ``image``: ``extent`` is its width and height, negative where mirrored."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    x, y = centre
    step = np.array([extent[0] / size_px[1], extent[1] / size_px[0]])
    shrink = int(np.abs(step).min())
    scale = np.ones(2)
    if shrink >= 2:  # average first: the warp reads four pixels only, and fine texture would alias
        half_w, half_h = (np.abs([[cos, sin], [sin, cos]]) @ np.abs(extent)) / 2
        x0, y0 = max(int(x - half_w), 0), max(int(y - half_h), 0)
        box = image[y0 : math.ceil(y + half_h), x0 : math.ceil(x + half_w)]
        size = max(box.shape[1] // shrink, 1), max(box.shape[0] // shrink, 1)
        scale = np.array([box.shape[1] / size[0], box.shape[0] / size[1]])
        image, x, y = cv2.resize(box, size, interpolation=cv2.INTER_AREA), x - x0, y - y0
    matrix = np.array([[cos, -sin], [sin, cos]]) * step / scale[:, None]
    middle = np.array([size_px[1] - 1, size_px[0] - 1]) / 2
    shift = np.array([x, y]) / scale - 0.5 - matrix @ middle
    return cv2.warpAffine(
        image,
        np.column_stack([matrix, shift]),
        size_px[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )


