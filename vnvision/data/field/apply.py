"""``apply_field``: one picture, decided by a key alone."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.field.background import replace_background
from vnvision.data.field.drops import lay_drops
from vnvision.data.field.hand import hold_with_hand
from vnvision.data.field.paint import Rng, between
from vnvision.data.field.phone import phone_blur
from vnvision.data.field.segment import find_leaf
from vnvision.data.field.shade import cast_shade
from vnvision.data.field.soil import splash_soil
from vnvision.data.field.spec import FieldSpec
from vnvision.errors import ConfigError, DataError

# Each effect has a stream of its own: changing one leaves the others as they were. Never 0: numpy pads a
# short seed with zeros, and the stream would be the one of the key alone.
_STREAMS = {name: 0xF1E1D0 + i for i, name in enumerate(
    ("background", "soil", "drops", "hand", "shade", "phone_blur")
)}  # fmt: skip


def apply_field(
    image: np.ndarray, spec: FieldSpec, key: tuple[int, ...], mask: np.ndarray | None = None
) -> np.ndarray:
    """Take one picture into the field: ground, mud, drops, hand, shade, phone, in that order.

    Only light and covering change, never where things lie: masks and boxes of the picture stay right. What
    mud, drops or a finger cover stays in the truth, as an annotator who sees the rest would leave it.

    Args:
        image: (H, W, 3) uint8 RGB, or (H, W, 1) grey.
        spec: what may happen.
        key: non-negative integers, such as (seed, epoch, index); equal keys give equal bytes.
        mask: (H, W), 0 where there is no leaf. Without one the leaf is looked for where the spec needs it
            (``find_leaf``); if it is not sure enough, the background stays and mud and drops fall anywhere.

    Returns:
        The same shape, uint8. The very input where nothing was drawn.

    Raises:
        DataError: another dtype or shape, or a mask of another size.
        ConfigError: a negative number in the key.
    """
    _check(image, key, mask)
    drawn = {name: _stream(key, name) for name in _STREAMS}
    happens = {name: rng.random() < getattr(spec, name) for name, rng in drawn.items()}
    if not any(happens.values()):
        return image
    grey = image.shape[2] == 1
    result = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if grey else image
    if happens["background"] or happens["soil"] or happens["drops"] or happens["hand"]:
        leaf = _leaf(result, spec, mask)
        result = _on_leaf(result, spec, leaf, happens, drawn)
    if happens["shade"]:
        result = cast_shade(result, between(drawn["shade"], spec.shade_depth), drawn["shade"])
    if happens["phone_blur"]:
        result = phone_blur(result, between(drawn["phone_blur"], spec.blur_radius), drawn["phone_blur"])
    return cv2.cvtColor(result, cv2.COLOR_RGB2GRAY)[:, :, None] if grey else result


def _on_leaf(
    image: np.ndarray,
    spec: FieldSpec,
    leaf: np.ndarray | None,
    happens: dict[str, bool],
    drawn: dict[str, Rng],
) -> np.ndarray:
    """The effects that ask where the leaf is."""
    if happens["background"] and leaf is not None:
        kind = spec.grounds[int(drawn["background"].integers(len(spec.grounds)))]
        image = replace_background(image, leaf, kind, drawn["background"])
    if happens["soil"]:
        image = splash_soil(image, leaf, between(drawn["soil"], spec.soil_cover), drawn["soil"])
    if happens["drops"]:
        low, high = spec.drops_count
        count = int(drawn["drops"].integers(low, high + 1))
        image = lay_drops(image, leaf, count, spec.drops_radius, drawn["drops"])
    if happens["hand"]:
        image = hold_with_hand(image, leaf, between(drawn["hand"], spec.hand_reach), drawn["hand"])
    return image


def _leaf(image: np.ndarray, spec: FieldSpec, mask: np.ndarray | None) -> np.ndarray | None:
    """The leaf, given or found; None where it is not known or fills nothing or everything."""
    if mask is None:
        guess = find_leaf(image)
        return guess.mask if guess.confidence >= max(spec.least_confidence, 1e-6) else None
    leaf = (mask > 0).astype(np.uint8)
    return leaf if 0 < int(leaf.sum()) < leaf.size else None


def _stream(key: tuple[int, ...], name: str) -> Rng:
    return np.random.Generator(np.random.PCG64([*key, _STREAMS[name]]))


def _check(image: np.ndarray, key: tuple[int, ...], mask: np.ndarray | None) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or min(image.shape) < 1:
        got = f"{image.shape} {image.dtype}"
        raise DataError("cannot draw the field", expected="(H, W, 3) or (H, W, 1) uint8", got=got)
    if mask is not None and mask.shape != image.shape[:2]:
        expected, got = str(image.shape[:2]), str(mask.shape)
        raise DataError("the leaf's mask does not fit the picture", expected=expected, got=got)
    if min(key) < 0:
        raise ConfigError("an augmentation key is negative", expected="numbers from 0", got=str(key))
