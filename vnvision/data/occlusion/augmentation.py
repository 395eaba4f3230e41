"""Regional occlusions as training augmentation, decided by a key alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vnvision.data.occlusion.apply import KINDS, check_kinds, occlude
from vnvision.errors import ConfigError


class RegionalOcclusion:
    """Draw one of some kinds on a share of the faces.

    Runs on the whole picture, before it is aligned and before ``Augmenter``; the landmarks found in the plain
    picture stay right. Holds only its arguments: cheap to pickle, safe to share.

    Args:
        kinds: which, with equal chance; or kind -> weight.
        p: share of pictures that get one, 0 to 1.
        strength: drawn evenly from this range.

    Raises:
        ConfigError: an unknown kind, no kind, a weight below 0, ``p`` or ``strength`` out of range.
    """

    def __init__(
        self,
        kinds: Sequence[str] | Mapping[str, float] = KINDS,
        p: float = 0.3,
        *,
        strength: tuple[float, float] = (0.6, 1.0),
    ) -> None:
        check_kinds(tuple(kinds))
        weights = kinds.values() if isinstance(kinds, Mapping) else [1.0] * len(kinds)
        self.kinds, shares = tuple(kinds), np.array(list(weights), np.float64)
        if not len(shares) or shares.min() < 0 or not 0 < shares.sum() < np.inf:
            raise ConfigError(
                "the kinds of occlusion have no weights", expected="one above 0, none below", got=str(kinds)
            )
        low, high = strength
        if not 0 <= p <= 1 or not 0 < low <= high <= 1:
            raise ConfigError(
                "the limits of an occlusion are wrong",
                expected="p from 0 to 1, 0 < low <= high <= 1",
                got=f"p {p}, strength {low} to {high}",
            )
        self.p, self.strength = p, (low, high)
        self._steps = np.cumsum(shares / shares.sum())

    def __call__(
        self, image: np.ndarray, landmarks_px: np.ndarray | Sequence[Sequence[float]], key: tuple[int, ...]
    ) -> np.ndarray:
        """Maybe draw on one picture.

        Args:
            image: (H, W, 3) uint8 RGB.
            landmarks_px: (5, 2) of its face.
            key: non-negative integers, such as (seed, epoch, index); equal keys give equal bytes.

        Returns:
            (H, W, 3) uint8, of its own memory.

        Raises:
            ConfigError: a negative number in the key.
            DataError: as ``occlude``.
        """
        if min(key) < 0:
            raise ConfigError("an augmentation key is negative", expected="numbers from 0", got=str(key))
        rng = np.random.Generator(np.random.PCG64(list(key)))
        whether, which, how = rng.random(3).tolist()
        if whether >= self.p:
            return image.copy()
        kind = self.kinds[min(int(np.searchsorted(self._steps, which, side="right")), len(self.kinds) - 1)]
        low, high = self.strength
        return occlude(image, landmarks_px, kind, seed=rng, strength=low + (high - low) * how)
