"""Sub-center ArcFace: several centres a class, so that wrong labels find a place of their own."""

from __future__ import annotations

import math

import torch

from vnvision.errors import ConfigError
from vnvision.losses.margin.angles import add_angle
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class SubCenterArcFace(MarginHead):
    """ArcFace on the nearest of a class's K centres.

    Deng, Guo, Liu, Gong, Zafeiriou 2020, "Sub-center ArcFace: Boosting Face Recognition by Large-Scale Noisy
    Web Faces". The layer that holds the centres takes the largest cosine: build it with
    ``sub_centres=head.sub_centres``.

    Args:
        sub_centres: K, a whole number of 1 or more.
        margin_rad: m, radians, 0 to pi / 2.
        scale: s.

    Raises:
        ConfigError: if an option is out of range.
    """

    def __init__(self, *, sub_centres: int = 3, margin_rad: float = 0.5, scale: float = 64.0) -> None:
        super().__init__(scale)
        if not isinstance(sub_centres, int) or isinstance(sub_centres, bool) or sub_centres < 1:
            raise ConfigError(
                "option sub_centres of SubCenterArcFace",
                expected="a whole number of 1 or more",
                got=repr(sub_centres),
            )
        self.sub_centres = sub_centres
        self.margin_rad = check_option(self, "margin_rad", margin_rad, low=0.0, high=math.pi / 2)

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margin in the own column."""
        own = add_angle(comparison.own, self.margin_rad)
        return with_own(comparison.cosines, comparison, own, scale=self.scale)
