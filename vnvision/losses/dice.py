"""Soft Dice: overlap as a loss, so that a small lesion counts as much as a large background."""

from __future__ import annotations

import torch
from torch.nn import functional


def soft_dice_loss(logits: torch.Tensor, targets: torch.Tensor, *, smooth: float = 1.0) -> torch.Tensor:
    """One minus the mean soft Dice of each image and each label after the first, in float32.

    Milletari et al. 2016, "V-Net", equation 3 without squares, an image at a time as Dice is reported: pooled
    over the batch, a small lesion would hardly count beside a large one. An image that holds nothing of a
    label counts through its false positives.

    Args:
        logits: (N, C, h, w), C of 2 or more; label 0 is the background.
        targets: (N, h, w) int64 label indices.
        smooth: added above and below, so that an image without a label gives loss 0 for a silent network.

    Returns:
        Scalar.
    """
    shares = logits.float().softmax(dim=1)[:, 1:]
    truth = functional.one_hot(targets, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(shares.dtype)
    both = (shares * truth).sum(dim=(2, 3))
    total = shares.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    return 1.0 - ((2.0 * both + smooth) / (total + smooth)).mean()
