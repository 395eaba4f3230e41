"""Transparency: every image is laid on white paper."""

from __future__ import annotations

import numpy as np


def over_white(image: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    """Composite (H, W, C + 1) with alpha last onto white: (H, W, C), same dtype.

    ``out = (c * a + M * (M - a)) / M`` rounded to nearest, M the dtype's largest value (Porter and Duff
    1984, "over" with an opaque white background); ``c + M - a`` where the colour is already multiplied.

    Args:
        image: uint8 or uint16, C is 1 or 3.
        premultiplied: the colour channels already carry the alpha.
    """
    colour, alpha = image[..., :-1], image[..., -1:]
    white = int(np.iinfo(image.dtype).max)
    if alpha.min() == white:
        return np.ascontiguousarray(colour)
    # One type wider holds it all: the sum is a weighted mean times M, at most M * M + M / 2.
    wide = np.uint16 if image.dtype == np.uint8 else np.uint32
    paper = np.subtract(white, alpha, dtype=wide)
    if premultiplied:
        total = np.minimum(np.add(colour, paper, dtype=wide), wide(white))
    else:
        total = np.multiply(colour, alpha, dtype=wide)
        total += paper * wide(white) + wide(white // 2)
        total //= wide(white)
    flat: np.ndarray = total.astype(image.dtype)
    return flat
