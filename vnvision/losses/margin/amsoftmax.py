"""AM-Softmax: the margin of CosFace, published beside it, with a smaller scale."""

from __future__ import annotations

import torch

from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class AMSoftmax(MarginHead):
    """Additive margin softmax: the own class's logit is s (cos(theta) - m), as in `CosFace`, with s of 30.

    Wang, Cheng, Liu, Liu 2018, "Additive Margin Softmax for Face Verification".

    Args:
        margin_cosine: m, 0 to 1.
        scale: s.
    """

    def __init__(self, *, margin_cosine: float = 0.35, scale: float = 30.0) -> None:
        super().__init__(scale)
        self.margin_cosine = check_option(self, "margin_cosine", margin_cosine, low=0.0, high=1.0)

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margin in the own column."""
        own = comparison.own - self.margin_cosine
        return with_own(comparison.cosines, comparison, own, scale=self.scale)
