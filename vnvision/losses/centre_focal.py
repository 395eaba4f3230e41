"""Focal loss on heatmaps of object centres."""

from __future__ import annotations

import torch
from torch.nn import functional


def centre_focal_loss(
    logits: torch.Tensor, heat: torch.Tensor, *, alpha: float = 2.0, beta: float = 4.0
) -> torch.Tensor:
    """Penalty-reduced focal loss (Law & Deng 2018, "CornerNet", equation 1), in float32.

    Args:
        logits: (N, C, h, w).
        heat: (N, C, h, w) in 0..1: 1 in an object's centre cell, a Gaussian around it, 0 elsewhere.
        alpha: how much less an easy cell counts.
        beta: how much less a cell near a centre counts as a mistake.

    Returns:
        Scalar: the sum divided by the number of objects, at least 1.
    """
    logits, heat = logits.float(), heat.float()
    chance = logits.sigmoid()
    centre = (heat == 1.0).float()
    hit = functional.logsigmoid(logits) * (1.0 - chance) ** alpha * centre
    miss = functional.logsigmoid(-logits) * chance**alpha * (1.0 - heat) ** beta * (1.0 - centre)
    return -(hit + miss).sum() / centre.sum().clamp(min=1.0)
