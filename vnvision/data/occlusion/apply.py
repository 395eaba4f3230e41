"""``occlude``: one picture, one kind of regional occlusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np

from vnvision.data.occlusion.backlight import backlight
from vnvision.data.occlusion.cctv import cctv
from vnvision.data.occlusion.glasses import glasses
from vnvision.data.occlusion.helmet import motorbike_helmet
from vnvision.data.occlusion.infrared import night_infrared
from vnvision.data.occlusion.make_up import make_up
from vnvision.data.occlusion.mask import surgical_mask
from vnvision.data.occlusion.non_la import non_la
from vnvision.data.occlusion.pose import Pose, landmarks_of, solve_pose
from vnvision.data.occlusion.rain import rain
from vnvision.data.occlusion.sunglasses import sunglasses
from vnvision.errors import ConfigError, DataError

Draw = Callable[[np.ndarray, Pose, np.random.Generator, float], np.ndarray]

DRAWN = MappingProxyType[str, Draw](
    {
        "surgical_mask": surgical_mask,
        "motorbike_helmet": motorbike_helmet,
        "non_la": non_la,
        "sunglasses": sunglasses,
        "glasses": glasses,
        "make_up": make_up,
        "night_infrared": night_infrared,
        "backlight": backlight,
        "rain": rain,
        "cctv": cctv,
    }
)
KINDS = tuple(DRAWN)


def occlude(
    image: np.ndarray,
    landmarks_px: np.ndarray | Sequence[Sequence[float]],
    kind: str,
    *,
    seed: int | Sequence[int] | np.random.Generator,
    strength: float = 1.0,
) -> np.ndarray:
    """Draw one occlusion on the face that has these landmarks.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        landmarks_px: (5, 2) in the order of ``Face``.
        kind: one of ``KINDS``.
        seed: equal seeds give equal bytes; a generator is drawn from and moves on.
        strength: 0 to 1; 0 leaves the picture as it is. What it changes is said at each kind.

    Returns:
        (H, W, 3) uint8, of its own memory.

    Raises:
        ConfigError: an unknown kind, or a strength outside 0 to 1.
        DataError: another shape or dtype, or landmarks that span no face.
    """
    check_kinds((kind,))
    if not 0 <= strength <= 1:
        raise ConfigError("the strength of an occlusion is wrong", expected="0 to 1", got=str(strength))
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise DataError(
            "cannot draw on a picture", expected="(H, W, 3) uint8", got=f"{image.shape} {image.dtype}"
        )
    if strength == 0:
        landmarks_of(landmarks_px)
        return image.copy()
    rng = seed if isinstance(seed, np.random.Generator) else np.random.Generator(np.random.PCG64(seed))
    result = DRAWN[kind](image, solve_pose(landmarks_px), rng, strength)
    return result.copy() if np.shares_memory(result, image) else np.ascontiguousarray(result)


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise for names that are not in ``KINDS``, all of them together.

    Raises:
        ConfigError: an unknown kind.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ConfigError("unknown kind of occlusion", expected=", ".join(KINDS), got=", ".join(unknown))
