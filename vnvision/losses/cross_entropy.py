"""Cross-entropy with class probabilities as targets, so that smoothing, mixup and weights compose."""

from __future__ import annotations

import torch
from torch.nn import functional


def soft_cross_entropy(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean cross-entropy in float32, also inside autocast.

    Args:
        logits: (N, C).
        targets: (N, C) class probabilities; a row of zeros is an unknown label and adds nothing.
        label_smoothing: share spread evenly over the classes (Szegedy et al. 2016, section 7).
        class_weights: (C,) or None.

    Returns:
        Scalar: the sum over rows divided by N, so that equal shares of a batch average to the whole.
    """
    known = targets.sum(dim=1, keepdim=True)
    smooth = targets * (1.0 - label_smoothing) + known * (label_smoothing / targets.shape[1])
    if class_weights is not None:
        smooth = smooth * class_weights
    return -(smooth * functional.log_softmax(logits.float(), dim=1)).sum() / logits.shape[0]
