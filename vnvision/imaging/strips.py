"""Long pictures as strips, one under the other: a blade of rice that fills a square, and its way back.

A picture of 3 : 1 squashed to a square loses two thirds of what its long side showed. Cut along the long side
into ``round(sqrt(aspect))`` equal strips and stacked, it is nearly square already. Strips of one long object
only: it does not matter to a blade where it is cut, it would to a chest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError


@dataclass(frozen=True, slots=True)
class Strips:
    """How a picture of a height and width is cut; ``stack`` and ``unstack`` are each other's inverse.

    A picture that is higher than wide is turned a quarter counter-clockwise first, so that its top comes to
    lie on the left and the first strip is its top. Strips are all ``width_px`` wide; where the long side
    is no multiple of their number, neighbours share a column, so that every pixel is in the stack.

    Attributes:
        picture_px: height and width of the picture.
        turned: the picture is turned first.
        starts_px: left side of each strip along the long side.
        width_px: of each strip.
    """

    picture_px: tuple[int, int]
    turned: bool
    starts_px: tuple[int, ...]
    width_px: int

    @property
    def stacked_px(self) -> tuple[int, int]:
        """Height and width of the stack; the picture's own where there is one strip."""
        if len(self.starts_px) == 1:
            return self.picture_px
        return len(self.starts_px) * min(self.picture_px), self.width_px

    def stack(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, ...) -> the strips under each other (``stacked_px``, ...); the picture itself if one.

        Raises:
            DataError: a picture of another size.
        """
        self._check(picture, self.picture_px)
        if len(self.starts_px) == 1:
            return picture
        lying = np.rot90(picture) if self.turned else picture
        return np.concatenate([lying[:, x : x + self.width_px] for x in self.starts_px], axis=0)

    def unstack(self, stacked: np.ndarray) -> np.ndarray:
        """What lies over a stack (``stacked_px``, ...) -> over the picture (H, W, ...).

        A column that two strips share is taken from the later one.

        Raises:
            DataError: an array of another size.
        """
        self._check(stacked, self.stacked_px)
        if len(self.starts_px) == 1:
            return stacked
        short, long = sorted(self.picture_px)
        lying = np.empty((short, long, *stacked.shape[2:]), stacked.dtype)
        for index, x in enumerate(self.starts_px):
            lying[:, x : x + self.width_px] = stacked[index * short : (index + 1) * short]
        return np.ascontiguousarray(np.rot90(lying, -1)) if self.turned else lying

    @staticmethod
    def _check(array: np.ndarray, size_px: tuple[int, int]) -> None:
        if array.shape[:2] != size_px:
            raise DataError(
                "these strips are of another picture", expected=str(size_px), got=str(array.shape)
            )


def strips_of(picture_px: tuple[int, int]) -> Strips:
    """The strips of a picture of a height and width: ``round(sqrt(long / short))``, halves up.

    Below an aspect of 2.25 (1.5 squared) that is one strip: the picture as it is, not turned.
    """
    short, long = sorted(picture_px)
    # floor(sqrt(a) + 1/2) = floor((floor(sqrt(4 a)) + 1) / 2), in integers: no rounding decides.
    number = (math.isqrt(4 * long // short) + 1) // 2
    if number == 1:
        return Strips(picture_px, False, (0,), picture_px[1])
    width = -(-long // number)
    starts = tuple(index * (long - width) // (number - 1) for index in range(number))
    return Strips(picture_px, picture_px[0] > picture_px[1], starts, width)


def stack_strips(picture: np.ndarray) -> np.ndarray:
    """The strips of a picture (H, W, ...) under each other; the picture itself where it is not long."""
    return strips_of((picture.shape[0], picture.shape[1])).stack(picture)
