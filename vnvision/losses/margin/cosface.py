"""CosFace: a margin on the cosine."""

from __future__ import annotations

import torch

from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class CosFace(MarginHead):
    """Large margin cosine loss: the own class's logit is s (cos(theta) - m).

    Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu 2018, "CosFace: Large Margin Cosine Loss for Deep Face
    Recognition".

    Args:
        margin_cosine: m, 0 to 1.
        scale: s.
    """

    def __init__(self, *, margin_cosine: float = 0.35, scale: float = 64.0) -> None:
        super().__init__(scale)
        self.margin_cosine = check_option(self, "margin_cosine", margin_cosine, low=0.0, high=1.0)

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margin in the own column."""
        own = comparison.own - self.margin_cosine
        return with_own(comparison.cosines, comparison, own, scale=self.scale)
