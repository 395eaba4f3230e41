"""Binary cross-entropy a label, where some answers are unknown."""

from __future__ import annotations

import torch
from torch.nn import functional


def masked_binary_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor, *, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Mean over known entries, in float32, also inside autocast.

    Args:
        logits: (N, C).
        targets: (N, C) in 0..1; ignored where not known.
        known: (N, C) weights, 1 known and 0 unknown; mixed pictures lie between.
        label_smoothing: moves targets towards 0.5.

    Returns:
        Scalar; 0 with zero gradient where nothing is known.
    """
    smooth = targets * (1.0 - label_smoothing) + 0.5 * label_smoothing
    losses = functional.binary_cross_entropy_with_logits(logits.float(), smooth.float(), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1.0)
