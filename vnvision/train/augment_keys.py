"""What happens to each row of a batch, decided by the row's key alone, for all rows at once.

The names, ranges and order are those of ``vnvision.data.augment``, which decides the same for one picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vnvision.data.augment import AugmentSpec
from vnvision.data.augment_colour import LUMA, RGB, YIQ, between, factor
from vnvision.data.augment_spec import Span
from vnvision.losses.splitmix import STRIDE, mix_, shifted

DRAWS = (
    "area", "ratio", "x", "y", "turn", "quarter", "quarters", "hflip", "vflip",
    "brightness", "contrast", "saturation", "hue", "grey", "shadow", "shade", "blur", "sigma", "noise", "std",
    "cutout", "cut", "cut_x", "cut_y", "stain_r", "stain_g", "stain_b", "low_resolution", "side",
)  # fmt: skip
"""Each decision's own place in a row's stream: changing one option leaves the others as they were."""
Draw = dict[str, np.ndarray]


def within(span: Span, share: np.ndarray) -> np.ndarray:
    """As ``between``, for every row."""
    return np.asarray(between(span, share))  # type: ignore[arg-type]


def spread(strength: float, share: np.ndarray) -> np.ndarray:
    """As ``factor``, for every row."""
    return np.asarray(factor(strength, share))  # type: ignore[arg-type]


def row_keys(seed: int, keys: Sequence[tuple[int, int]]) -> torch.Tensor:
    """(N,) int64 that follow from seed, epoch and row, and look random."""
    pairs = torch.tensor(keys, dtype=torch.int64).view(-1, 2)
    state = torch.full((len(pairs),), seed, dtype=torch.int64)
    for part in (pairs[:, 0], pairs[:, 1]):
        state = mix_(mix_(state) + part)
    return state


def random_bits(keys: torch.Tensor, count: int, first: int = 0) -> torch.Tensor:
    """Numbers ``first`` to ``first + count`` of the SplitMix64 streams started at ``keys``, on their device.

    Returns:
        (N, count) int64, all 64 bits random.
    """
    place = torch.arange(first + 1, first + 1 + count, device=keys.device)
    return mix_(keys[:, None] + place * STRIDE)


def uniform(keys: torch.Tensor, count: int, first: int = 0) -> torch.Tensor:
    """(N, count) float64 in [0, 1)."""
    return shifted(random_bits(keys, count, first), 11).double() * 2.0**-53


def normal(keys: torch.Tensor, count: int, first: int = 0) -> torch.Tensor:
    """(N, count) float32 of mean 0 and deviation 1 (Box and Muller 1958, the cosine half)."""
    bits = random_bits(keys, count, first)
    radius = (shifted(bits, 32).float() + 0.5) * 2.0**-32
    turn = (bits & 0xFFFFFFFF).float() * (2 * math.pi * 2.0**-32)
    return radius.log_().mul_(-2).clamp_(min=0).sqrt_() * turn.cos_()


def draws(keys: torch.Tensor) -> Draw:
    """Every decision's number in [0, 1): name -> (N,)."""
    return dict(zip(DRAWS, uniform(keys, len(DRAWS)).numpy().T, strict=True))


@dataclass(frozen=True, slots=True)
class Places:
    """Where every pixel of the result is read: x, y = matrix @ (column, row) + shift, then clamped.

    Attributes:
        matrix: (N, 2, 2).
        shift: (N, 2), in pixels of the picture, whose first pixel has its centre at 0.
        low: (N, 2) least x and y; a picture that is not turned repeats the border of its cut.
        high: (N, 2) largest.
    """

    matrix: np.ndarray
    shift: np.ndarray
    low: np.ndarray
    high: np.ndarray


def places(spec: AugmentSpec, size_px: tuple[int, int], draw: Draw) -> Places | None:
    """Crop, turn and flip of each row; None where the spec moves nothing."""
    whole = spec.random_resized_crop_scale == spec.random_resized_crop_ratio == (1.0, 1.0)
    if whole and not (spec.hflip or spec.vflip or spec.rot90 or spec.rotate_deg):
        return None
    height, width = size_px
    quarters = np.where(draw["quarter"] < spec.rot90, np.floor(4 * draw["quarters"]), 0.0)
    angle = np.radians(spec.rotate_deg * (2 * draw["turn"] - 1)) + math.pi / 2 * quarters
    low, high = spec.random_resized_crop_ratio
    aspect = width / height * np.exp(within((math.log(low), math.log(high)), draw["ratio"]))
    area = within(spec.random_resized_crop_scale, draw["area"]) * width * height
    wide, tall = np.sqrt(area * aspect), np.sqrt(area / aspect)
    fit = np.minimum(1.0, np.minimum(width / wide, height / tall))
    box = np.stack([wide * fit, tall * fit], axis=1)
    free = np.array([width, height]) - box
    centred = spec.random_resized_crop_scale == (1.0, 1.0)
    share = 0.5 if centred else np.stack([draw["x"], draw["y"]], axis=1)
    centre = free * share + box / 2
    mirror = np.stack([draw["hflip"] < spec.hflip, draw["vflip"] < spec.vflip], axis=1)
    return _affine(centre, box, angle, quarters, np.where(mirror, -1.0, 1.0), np.array([width, height]))


def _affine(
    centre: np.ndarray,
    box: np.ndarray,
    angle: np.ndarray,
    quarters: np.ndarray,
    sign: np.ndarray,
    size: np.ndarray,
) -> Places:
    """Rows that are not turned are cut on whole pixels, as ``Augmenter`` does."""
    turned = (angle != 0)[:, None]
    first = np.rint(centre - box / 2)
    last = np.maximum(np.rint(centre + box / 2), first + 1)
    extent = np.where((quarters % 2 == 1)[:, None], box[:, ::-1], box)
    extent = np.where(turned, extent, last - first)
    middle = np.where(turned, centre, (first + last) / 2)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    matrix = rotation * (extent * sign / size)[:, None, :]
    shift = middle - 0.5 - matrix @ ((size - 1) / 2)
    far = np.float64(4) * size.max()
    return Places(matrix, shift, np.where(turned, -far, first), np.where(turned, far, last - 1))


@dataclass(frozen=True, slots=True)
class Colours:
    """New colour = matrix @ old + offset * (mean luma of the picture).

    Attributes:
        matrix: (N, 3, 3).
        offset: (N,).
    """

    matrix: np.ndarray
    offset: np.ndarray


def colours(spec: AugmentSpec, draw: Draw) -> Colours | None:
    """Brightness, contrast, saturation, hue and grey of each row; None where the spec changes none."""
    if not (spec.brightness or spec.contrast or spec.saturation or spec.hue or spec.grey):
        return None
    bright = spread(spec.brightness, draw["brightness"])
    contrast = spread(spec.contrast, draw["contrast"])
    saturation = np.where(draw["grey"] < spec.grey, 0.0, spread(spec.saturation, draw["saturation"]))
    turn = 2 * math.pi * spec.hue * (2 * draw["hue"] - 1)
    turning = np.zeros((len(turn), 3, 3))
    turning[:, 0, 0] = 1
    turning[:, 1, 1] = turning[:, 2, 2] = np.cos(turn)
    turning[:, 2, 1] = np.sin(turn)
    turning[:, 1, 2] = -turning[:, 2, 1]
    grey = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * LUMA
    matrix = grey @ (RGB @ turning @ YIQ) * (bright * contrast)[:, None, None]
    return Colours(matrix, (1 - contrast) * bright)
