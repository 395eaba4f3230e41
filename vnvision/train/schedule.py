"""Learning rate as a pure function of the step, so that a resumed run needs no scheduler state."""

from __future__ import annotations

import math


def warmup_cosine(step: int, total: int, *, warmup: int, min_ratio: float) -> float:
    """Factor on the base rate: linear from 0 over ``warmup`` steps, then half a cosine to ``min_ratio``.

    Loshchilov & Hutter 2017 (SGDR), equation 5, without restarts; warm-up after Goyal et al. 2017.
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return min_ratio + (1.0 - min_ratio) * 0.5 * (1.0 + math.cos(math.pi * progress))
