"""AdaFace: the margin follows the quality of the picture, read from the length of its embedding."""

from __future__ import annotations

import math

import torch

from vnvision.losses.margin.angles import add_angle_within
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option

SHORTEST_NORM, LONGEST_NORM = 1e-3, 100.0  # lengths beyond count as these
LEAST_DEVIATION = 1e-3  # added to the standard deviation of lengths


class AdaFace(MarginHead):
    """Quality adaptive margin: the own class's logit is s (cos(theta + g_angle) - g_add).

    Kim, Jain, Liu 2022, "AdaFace: Quality Adaptive Margin for Face Recognition": g_angle = -m q and
    g_add = m q + m, with q = clip(h (length - mean) / deviation, -1, 1), mean and deviation of lengths being
    running ones and q without gradient. So q of -1 gives ArcFace, 0 CosFace. As in the authors' code,
    theta + g_angle is held in 0..pi, where the own logit is flat.

    The statistics start at 20 and 100, are renewed before use in training mode from all rows of the
    comparison (over ranks: the gathered batch), and stay as they are in evaluation. One row alone has no
    deviation and renews the mean only.

    Args:
        margin: m, 0 to pi / 2: radians in g_angle, cosine in g_add.
        concentration: h, greater than 0.
        momentum: share of the old statistics that stays, 0 to 1; the authors' t_alpha is 1 minus this.
        scale: s.

    Attributes:
        norm_mean: () running mean of lengths.
        norm_deviation: () running standard deviation of lengths.
    """

    norm_mean: torch.Tensor
    norm_deviation: torch.Tensor

    def __init__(
        self,
        *,
        margin: float = 0.4,
        concentration: float = 0.333,
        momentum: float = 0.99,
        scale: float = 64.0,
    ) -> None:
        super().__init__(scale)
        self.margin = check_option(self, "margin", margin, low=0.0, high=math.pi / 2)
        self.concentration = check_option(self, "concentration", concentration, above=0.0)
        self.momentum = check_option(self, "momentum", momentum, low=0.0, high=1.0)
        self.register_buffer("norm_mean", torch.tensor(20.0))
        self.register_buffer("norm_deviation", torch.tensor(100.0))

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margins in the own column."""
        quality = self.quality(comparison.norms)
        own = add_angle_within(comparison.own, -self.margin * quality) - self.margin * (quality + 1.0)
        return with_own(comparison.cosines, comparison, own, scale=self.scale)

    @torch.no_grad()
    def quality(self, norms: torch.Tensor) -> torch.Tensor:
        """(N,) quality in -1..1 of embeddings of these lengths; renews the statistics in training mode."""
        norms = norms.clamp(SHORTEST_NORM, LONGEST_NORM)
        if self.training and norms.numel():
            self.norm_mean.lerp_(norms.mean().to(self.norm_mean), 1.0 - self.momentum)
            if norms.numel() > 1:
                self.norm_deviation.lerp_(norms.std().to(self.norm_deviation), 1.0 - self.momentum)
        steps = (norms - self.norm_mean) / (self.norm_deviation + LEAST_DEVIATION)
        return (self.concentration * steps).clamp(-1.0, 1.0)
