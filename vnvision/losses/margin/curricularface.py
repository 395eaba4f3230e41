"""CurricularFace: easy classes first, hard ones later in training."""

from __future__ import annotations

import math

import torch

from vnvision.losses.margin.angles import add_angle
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class CurricularFace(MarginHead):
    """ArcFace's margin on the own class, and hard other classes weighed by how far training is.

    Huang, Wang, Tai, Liu, Shen, Li, Li, Huang 2020, "CurricularFace: Adaptive Curriculum Learning Loss for
    Deep Face Recognition": another class is hard where its cosine c exceeds cos(theta + m) of the own class,
    and then counts as c (t + c). t is a running mean of the own cosines, starting at 0.

    t is renewed before use in training mode from all rows of the comparison (over ranks: the gathered batch),
    and stays as it is in evaluation.

    Args:
        margin_rad: m, radians, 0 to pi / 2; past pi as in `ArcFace`.
        momentum: share of the old t that stays, 0 to 1.
        scale: s.

    Attributes:
        t: () the running mean.
    """

    t: torch.Tensor

    def __init__(self, *, margin_rad: float = 0.5, momentum: float = 0.99, scale: float = 64.0) -> None:
        super().__init__(scale)
        self.margin_rad = check_option(self, "margin_rad", margin_rad, low=0.0, high=math.pi / 2)
        self.momentum = check_option(self, "momentum", momentum, low=0.0, high=1.0)
        self.register_buffer("t", torch.tensor(0.0))

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margin in the own column and hard other classes weighed."""
        cosines = comparison.cosines
        own = add_angle(comparison.own, self.margin_rad)
        if self.training and own.numel():
            with torch.no_grad():
                self.t.lerp_(comparison.own.mean().to(self.t), 1.0 - self.momentum)
        t = self.t.to(cosines.dtype)
        hard = cosines > own.detach()[:, None]
        return with_own(
            torch.where(hard, cosines * (t + cosines), cosines), comparison, own, scale=self.scale
        )
