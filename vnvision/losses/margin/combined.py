"""Combined margin: a factor on the angle, a margin on the angle and one on the cosine."""

from __future__ import annotations

import math

import torch

from vnvision.losses.margin.angles import add_angle, angle, falling_cosine
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class CombinedMargin(MarginHead):
    """The own class's logit is s (cos(m1 theta + m2) - m3): SphereFace, ArcFace and CosFace in one.

    Deng, Guo, Xue, Zafeiriou 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
    equation 4. Where m1 theta + m2 passes pi, the logit goes on falling: with m1 of 1 as in `ArcFace` (which
    this then equals, or `CosFace`), with another m1 as in SphereFace, see `angles.falling_cosine`.

    Args:
        angle_factor: m1, greater than 0, up to 8.
        margin_rad: m2, radians, 0 to pi / 2.
        margin_cosine: m3, 0 to 1.
        scale: s.
    """

    def __init__(
        self,
        *,
        angle_factor: float = 1.0,
        margin_rad: float = 0.3,
        margin_cosine: float = 0.2,
        scale: float = 64.0,
    ) -> None:
        super().__init__(scale)
        self.angle_factor = check_option(self, "angle_factor", angle_factor, above=0.0, high=8.0)
        self.margin_rad = check_option(self, "margin_rad", margin_rad, low=0.0, high=math.pi / 2)
        self.margin_cosine = check_option(self, "margin_cosine", margin_cosine, low=0.0, high=1.0)

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margins in the own column."""
        if self.angle_factor == 1.0:
            own = add_angle(comparison.own, self.margin_rad)
        else:
            own = falling_cosine(self.angle_factor * angle(comparison.own) + self.margin_rad)
        return with_own(comparison.cosines, comparison, own - self.margin_cosine, scale=self.scale)
