"""Masks as run lengths, row by row: small in JSON, exact."""

from __future__ import annotations

import numpy as np


def encode(mask: np.ndarray) -> tuple[tuple[int, int], ...]:
    """(H, W) uint8 label indices -> (label index, run) pairs; ``MaskPrediction.mask`` gives the mask back."""
    flat = np.ascontiguousarray(mask).reshape(-1)
    if not flat.size:
        return ()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    return tuple(zip(flat[starts[:-1]].tolist(), np.diff(starts).tolist(), strict=True))
