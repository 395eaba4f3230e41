"""A photograph as another hand, another light or another phone would have taken it: what a gate must bear."""

from __future__ import annotations

import cv2
import numpy as np

VIEWS = 3
"""Of each photograph: as it is, mirrored, and in other light."""


def views(crop: np.ndarray, seed: int) -> list[np.ndarray]:
    """The crop (h, w, C) uint8, its mirror image, and one moved, relit and now and then blurred a little.

    Equal crops and seeds give equal views.
    """
    mirrored = np.ascontiguousarray(crop[:, ::-1])
    return [crop, mirrored, _elsewhere(mirrored if seed % 2 else crop, np.random.default_rng(seed))]


def _elsewhere(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = crop.shape[:2]
    share = rng.uniform(0.85, 1.0)
    tall, wide = max(2, round(height * share)), max(2, round(width * share))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    part = np.ascontiguousarray(crop[top : top + tall, left : left + wide])
    part = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR).reshape(crop.shape)
    gain, gamma = rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.25)
    levels = 255 * np.clip(gain * (np.arange(256) / 255) ** gamma, 0, 1)
    tints = rng.uniform(0.95, 1.05, crop.shape[2])
    table = np.clip(np.rint(levels[:, None] * tints), 0, 255).astype(np.uint8)
    relit = np.take_along_axis(table, part.reshape(-1, crop.shape[2]).astype(np.int64), axis=0)
    relit = relit.reshape(crop.shape)
    if rng.random() < 0.5:
        relit = cv2.GaussianBlur(relit, (0, 0), float(rng.uniform(0.4, 0.9))).reshape(crop.shape)
    return np.ascontiguousarray(relit)
