"""Mixup and CutMix on a batch, drawn from a stated key and nothing else."""

from __future__ import annotations

import numpy as np

from vnvision.tasks.base import Batch


def mix(
    batch: Batch, *, mixup_alpha: float, cutmix_alpha: float, probability: float, key: tuple[int, ...]
) -> Batch:
    """Blend each picture with its mirror in the batch order (the last with the first).

    Mixup: Zhang et al. 2018, equation 1. CutMix: Yun et al. 2019, equations 1 and 2, with the share
    recomputed from the box that was pasted. With both alphas set each is drawn half of the time.

    Args:
        batch: CutMix needs pictures (N, C, H, W); what has no height and width is blended by mixup.
        mixup_alpha: 0 turns mixup off.
        cutmix_alpha: 0 turns CutMix off.
        probability: share of batches that are mixed.
        key: seeds the draw, for example (seed, step).
    """
    if mixup_alpha <= 0 and cutmix_alpha <= 0:
        return batch
    rng = np.random.default_rng(key)
    if rng.random() >= probability:
        return batch
    spatial = batch.inputs.ndim == 4
    use_cutmix = spatial and cutmix_alpha > 0 and (mixup_alpha <= 0 or rng.random() < 0.5)
    alpha = cutmix_alpha if use_cutmix else mixup_alpha
    if alpha <= 0:
        return batch
    share = float(rng.beta(alpha, alpha))
    other = batch.inputs.flip(0)
    if use_cutmix:
        height, width = batch.inputs.shape[-2:]
        top, bottom, left, right = _box(rng, height, width, share)
        inputs = batch.inputs.clone()
        inputs[..., top:bottom, left:right] = other[..., top:bottom, left:right]
        share = 1.0 - (bottom - top) * (right - left) / (height * width)
    else:
        inputs = batch.inputs * share + other * (1.0 - share)
    # An unknown label stays unknown in its share of the picture.
    weighted = batch.targets * batch.known
    known = batch.known * share + batch.known.flip(0) * (1.0 - share)
    targets = weighted * share + weighted.flip(0) * (1.0 - share)
    return Batch(inputs=inputs, targets=targets, known=known)


def _box(rng: np.random.Generator, height: int, width: int, share: float) -> tuple[int, int, int, int]:
    cut = np.sqrt(1.0 - share)
    half_h, half_w = int(height * cut / 2), int(width * cut / 2)
    y, x = int(rng.integers(height)), int(rng.integers(width))
    return max(y - half_h, 0), min(y + half_h, height), max(x - half_w, 0), min(x + half_w, width)
