"""ArcFace: a margin on the angle."""

from __future__ import annotations

import math

import torch

from vnvision.losses.margin.angles import add_angle
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class ArcFace(MarginHead):
    """Additive angular margin: the own class's logit is s cos(theta + m).

    Deng, Guo, Xue, Zafeiriou 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
    equation 3. Where theta + m passes pi, the own logit goes on falling: see `angles.add_angle`.

    Args:
        margin_rad: m, radians, 0 to pi / 2.
        scale: s.
    """

    def __init__(self, *, margin_rad: float = 0.5, scale: float = 64.0) -> None:
        super().__init__(scale)
        self.margin_rad = check_option(self, "margin_rad", margin_rad, low=0.0, high=math.pi / 2)

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margin in the own column."""
        own = add_angle(comparison.own, self.margin_rad)
        return with_own(comparison.cosines, comparison, own, scale=self.scale)
