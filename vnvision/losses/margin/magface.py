"""MagFace: the length of an embedding is taught to say how good the picture is."""

from __future__ import annotations

import math

import torch

from vnvision.losses.margin.angles import add_angle
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class MagFace(MarginHead):
    """The own class's logit is s cos(theta + m(a)), plus a pull of the length a: lambda g(a).

    Meng, Zhao, Huang, Zhou 2021, "MagFace: A Universal Representation for Face Recognition and Quality
    Assessment": m(a) is linear from its lowest value at l_a to its highest at u_a, and g(a) = 1 / a + a /
    u_a^2 falls up to u_a. Outside l_a..u_a the margin keeps its end value. The authors' code also holds a at
    the ends inside g, which leaves such lengths without a gradient; here g goes on (below l_a along its
    tangent, so that it stays finite), and pulls them back. Choose l_a and u_a around the lengths of the
    network's embeddings: with a batch norm at its end these start near the square root of D.

    Args:
        norm_low: l_a, greater than 0.
        norm_high: u_a, greater than l_a.
        margin_low_rad: m(l_a), radians, 0 to pi / 2.
        margin_high_rad: m(u_a), radians, from `margin_low_rad` to pi / 2.
        penalty_weight: lambda, 0 or more.
        scale: s.

    Raises:
        ConfigError: if an option is out of range.
    """

    def __init__(
        self,
        *,
        norm_low: float = 10.0,
        norm_high: float = 110.0,
        margin_low_rad: float = 0.45,
        margin_high_rad: float = 0.8,
        penalty_weight: float = 35.0,
        scale: float = 64.0,
    ) -> None:
        super().__init__(scale)
        self.norm_low = check_option(self, "norm_low", norm_low, above=0.0)
        self.norm_high = check_option(self, "norm_high", norm_high, above=self.norm_low)
        self.margin_low_rad = check_option(self, "margin_low_rad", margin_low_rad, low=0.0, high=math.pi / 2)
        self.margin_high_rad = check_option(
            self, "margin_high_rad", margin_high_rad, low=self.margin_low_rad, high=math.pi / 2
        )
        self.penalty_weight = check_option(self, "penalty_weight", penalty_weight, low=0.0)

    def margin_rad(self, norms: torch.Tensor) -> torch.Tensor:
        """(N,) m(a), radians."""
        slope = (self.margin_high_rad - self.margin_low_rad) / (self.norm_high - self.norm_low)
        return self.margin_low_rad + slope * (norms.clamp(self.norm_low, self.norm_high) - self.norm_low)

    def pull(self, norms: torch.Tensor) -> torch.Tensor:
        """(N,) g(a)."""
        inside = norms.clamp(min=self.norm_low)
        tangent = (norms - self.norm_low).clamp(max=0.0) * (1.0 / self.norm_high**2 - 1.0 / self.norm_low**2)
        return 1.0 / inside + inside / self.norm_high**2 + tangent

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with the margin in the own column; differentiable in the lengths too."""
        own = add_angle(comparison.own, self.margin_rad(comparison.norms))
        return with_own(comparison.cosines, comparison, own, scale=self.scale)

    def penalty(self, comparison: Comparison) -> torch.Tensor:
        """Scalar: lambda times the mean of g over the rows."""
        return self.penalty_weight * self.pull(comparison.norms).mean()
