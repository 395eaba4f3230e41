"""Training augmentation, decided by a key alone: the same whatever the worker, order or process.

One crop, turn and flip is one resampling; all colour changes are one 3x4 matrix. numpy and OpenCV only, so a
worker starts fast and nothing reads or moves a global random state. What is not built in comes from
albumentations by name (``AugmentSpec.extra``), keyed the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from vnvision.data.augment_colour import between, recolour, spoil
from vnvision.data.augment_extra import apply_extra
from vnvision.data.augment_spec import PRESETS, AugmentSpec
from vnvision.data.field import FieldSpec, apply_field, find_leaf
from vnvision.errors import ConfigError, DataError
from vnvision.imaging.geometry import INTERPOLATION
from vnvision.imaging.strips import stack_strips

__all__ = ["PRESETS", "AugmentSpec", "Augmenter"]

# A warp knows no exact nearest and no area.
_WARP = {cv2.INTER_NEAREST_EXACT: cv2.INTER_NEAREST, cv2.INTER_CUBIC: cv2.INTER_CUBIC}
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
            ratio), else the picture's own, squashed. For ``strips`` everything happens to the stack. For
            ``letterbox``, ``align`` and ``none`` pass pictures that already went through
            ``Preprocessor.geometry``.
        interpolation: the model's own. Only ``area`` averages where a picture shrinks; with the others
            training would see smoother texture than the model is later asked about.

    With ``AugmentSpec()`` the result is what ``Preprocessor.geometry`` gives for ``squash`` and ``strips``,
    bit for bit.

    Holds only its arguments: cheap to pickle, safe to share.

    Raises:
        ConfigError: a size below 1.
    """

    def __init__(
        self,
        spec: AugmentSpec,
        size_px: int | tuple[int, int],
        *,
        geometry: Literal["squash", "crop", "letterbox", "strips", "align", "none"] = "squash",
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
        return self.sample(image, key)[0]

    def sample(
        self, image: np.ndarray, key: tuple[int, ...], leaf: np.ndarray | None = None
    ) -> tuple[np.ndarray, Sampling]:
        """As a call, and where the result's pixels came from (in the stack, of strips).

        Args:
            image: as for a call.
            key: as for a call.
            leaf: (H, W), not 0 where the leaf is; only ``AugmentSpec.field`` looks at it, and looks for the
                leaf itself where it is not given.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
            got = f"{image.shape} {image.dtype}"
            raise DataError("cannot augment", expected="(H, W, 3) or (H, W, 1) uint8", got=got)
        if min(key) < 0:
            raise ConfigError("an augmentation key is negative", expected="numbers from 0", got=str(key))
        if self.geometry == "strips":
            image, leaf = stack_strips(image), None if leaf is None else stack_strips(leaf)
        rng = np.random.Generator(np.random.PCG64(list(key)))
        draw = dict(zip(_DRAWS, rng.random(len(_DRAWS)).tolist(), strict=True))
        aspect = self.size_px[1] / self.size_px[0] if self.geometry == "crop" else None
        box = _choose_box(self.spec, (image.shape[0], image.shape[1]), aspect, draw)
        sampling = Sampling(box, self.size_px)
        result = sampling.apply(image, INTERPOLATION[self.interpolation])
        if self.spec.field is not None:
            result = self._in_the_field(self.spec.field, image, leaf, sampling, result, key)
        result = recolour(result, self.spec, draw)
        result = spoil(result, self.spec, draw, rng)
        result = result if result.ndim == 3 else result[:, :, None]
        if self.spec.extra:
            result = apply_extra(result, self.spec.extra, int(rng.integers(2**31)))
        own = result.copy() if np.shares_memory(result, image) else np.ascontiguousarray(result)
        return own, sampling

    @staticmethod
    def _in_the_field(
        spec: FieldSpec,
        image: np.ndarray,
        leaf: np.ndarray | None,
        sampling: Sampling,
        result: np.ndarray,
        key: tuple[int, ...],
    ) -> np.ndarray:
        """Field effects on the sampled picture; the leaf is looked for in the whole one."""
        if leaf is None and spec.background > 0 and image.shape[2] == 3:
            guess = find_leaf(image)
            leaf = guess.mask if guess.confidence >= spec.least_confidence else None
        if leaf is not None:
            leaf = sampling.apply((leaf > 0).astype(np.uint8), cv2.INTER_NEAREST_EXACT)
        return apply_field(result if result.ndim == 3 else result[:, :, None], spec, key, leaf)


@dataclass(frozen=True, slots=True)
class _Box:
    """Where to sample: centre, width and height in the picture's own axes, a turn, then mirrored or not."""

    x: float
    y: float
    width: float
    height: float
    angle_rad: float
    quarters: int
    flips: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class Sampling:
    """One cut, turn and flip, for a picture and for whatever lies on it."""

    box: _Box
    size_px: tuple[int, int]

    def apply(self, image: np.ndarray, method: int) -> np.ndarray:
        """Sample a picture (H, W, C) or plane with an OpenCV interpolation."""
        take = _cut if self.box.angle_rad == 0 else _turn
        return take(image, self.box, self.size_px, method)

    def to_result(self) -> np.ndarray:
        """(2, 3): continuous x, y of the picture (the first pixel covers 0 to 1) -> x, y of the result."""
        if self.box.angle_rad == 0:
            x, y, right, bottom = _corners(self.box)
            scale = np.array([self.size_px[1] / (right - x), self.size_px[0] / (bottom - y)])
            shift = -scale * [x, y]
            flipped = np.array(self.box.flips)
            scale, shift = (
                np.where(flipped, -scale, scale),
                np.where(flipped, self.size_px[::-1] - shift, shift),
            )
            return np.column_stack([np.diag(scale), shift])
        rotation, step = _frame(self.box, self.size_px)
        matrix = np.linalg.inv(rotation * step)
        centre = np.array(self.size_px[::-1]) / 2
        return np.column_stack([matrix, centre - matrix @ np.array([self.box.x, self.box.y])])


def _choose_box(
    spec: AugmentSpec, picture_px: tuple[int, int], output_aspect: float | None, draw: dict[str, float]
) -> _Box:
    """The random resized crop of Szegedy et al. (2015), turned. A box too wide or high shrinks to fit."""
    height, width = picture_px
    quarters = int(4 * draw["quarters"]) if draw["quarter"] < spec.rot90 else 0
    angle = math.radians(spec.rotate_deg * (2 * draw["turn"] - 1)) + math.pi / 2 * quarters
    aspect = width / height
    if output_aspect is not None:
        aspect = 1 / output_aspect if quarters % 2 else output_aspect
    low, high = spec.random_resized_crop_ratio
    aspect *= math.exp(between((math.log(low), math.log(high)), draw["ratio"]))
    area = between(spec.random_resized_crop_scale, draw["area"]) * width * height
    wide, tall = math.sqrt(area * aspect), math.sqrt(area / aspect)
    fit = min(1.0, width / wide, height / tall)
    wide, tall = wide * fit, tall * fit
    centred = spec.random_resized_crop_scale == (1.0, 1.0)
    x = (width - wide) * (0.5 if centred else draw["x"]) + wide / 2
    y = (height - tall) * (0.5 if centred else draw["y"]) + tall / 2
    return _Box(x, y, wide, tall, angle, quarters, (draw["hflip"] < spec.hflip, draw["vflip"] < spec.vflip))


def _cut(image: np.ndarray, box: _Box, size_px: tuple[int, int], method: int) -> np.ndarray:
    """Sample a box that is not turned, on whole pixels."""
    x, y, right, bottom = _corners(box)
    part = image[y:bottom, x:right]
    small: np.ndarray = cv2.resize(part, size_px[::-1], interpolation=method)
    if any(box.flips):
        small = cv2.flip(small, _FLIP_CODE[box.flips])
    return small


def _corners(box: _Box) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box that is not turned, at least one pixel wide and high."""
    x, y = round(box.x - box.width / 2), round(box.y - box.height / 2)
    return x, y, max(round(box.x + box.width / 2), x + 1), max(round(box.y + box.height / 2), y + 1)


def _frame(box: _Box, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The turn (2, 2), and how far in the picture one pixel of the result reaches along each axis."""
    cos, sin = math.cos(box.angle_rad), math.sin(box.angle_rad)
    extent = np.array([box.height, box.width] if box.quarters % 2 else [box.width, box.height])
    return np.array([[cos, -sin], [sin, cos]]), extent * np.where(box.flips, -1, 1) / size_px[::-1]


def _turn(image: np.ndarray, box: _Box, size_px: tuple[int, int], method: int) -> np.ndarray:
    """Sample a turned box; what lies outside the picture is mirrored."""
    rotation, step = _frame(box, size_px)
    centre, extent = np.array([box.x, box.y]), np.abs(step) * size_px[::-1]
    corner, scale = np.zeros(2), np.ones(2)
    shrink = int(np.abs(step).min())
    if method == cv2.INTER_AREA and shrink >= 2:  # a warp cannot average: shrink what it will read first
        half = np.abs(rotation) @ extent / 2
        corner, end = np.maximum(centre - half, 0).astype(int), np.ceil(centre + half).astype(int)
        part = image[corner[1] : end[1], corner[0] : end[0]]
        small = max(part.shape[1] // shrink, 1), max(part.shape[0] // shrink, 1)
        scale = np.array([part.shape[1], part.shape[0]]) / small
        image = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
    matrix = rotation * step / scale[:, None]
    shift = (centre - corner) / scale - 0.5 - matrix @ ((np.array(size_px[::-1]) - 1) / 2)
    turned: np.ndarray = cv2.warpAffine(
        image,
        np.column_stack([matrix, shift]),
        size_px[::-1],
        flags=_WARP.get(method, cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return turned
