"""ElasticFace: every picture draws its own margin at every step."""

from __future__ import annotations

import math

import torch

from vnvision.errors import ConfigError
from vnvision.losses.margin.angles import add_angle
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class ElasticFace(MarginHead):
    """ArcFace or CosFace with a margin drawn from a normal distribution for every row.

    Boutros, Damer, Kirchbuchner, Kuijper 2022, "ElasticFace: Elastic Margin Loss for Deep Face Recognition".
    Give `margin_rad` for ElasticFace-Arc or `margin_cosine` for ElasticFace-Cos. With `sort`, the variants
    "+": of a batch's draws the largest margin goes to the row farthest from its centre.

    Draws come from torch's global generator of the device, so they resume with it. Each rank draws for all
    rows and uses those of the classes it holds: ranks need not agree. In evaluation the mean is used.

    Args:
        margin_rad: mean margin, radians, 0 to pi / 2; 0.5 if neither margin is given.
        margin_cosine: mean margin on the cosine, 0 to 1, instead.
        deviation: standard deviation of the margin in the same unit, 0 or more.
        sort: the variant "+".
        scale: s.

    Raises:
        ConfigError: if both margins are given, or an option is out of range.
    """

    def __init__(
        self,
        *,
        margin_rad: float | None = None,
        margin_cosine: float | None = None,
        deviation: float = 0.0125,
        sort: bool = False,
        scale: float = 64.0,
    ) -> None:
        super().__init__(scale)
        if margin_rad is not None and margin_cosine is not None:
            raise ConfigError(
                "ElasticFace has one margin",
                expected="margin_rad (Arc) or margin_cosine (Cos)",
                got=f"margin_rad={margin_rad!r} and margin_cosine={margin_cosine!r}",
            )
        self.angular = margin_cosine is None
        if margin_cosine is None:
            mean = 0.5 if margin_rad is None else margin_rad
            self.margin = check_option(self, "margin_rad", mean, low=0.0, high=math.pi / 2)
        else:
            self.margin = check_option(self, "margin_cosine", margin_cosine, low=0.0, high=1.0)
        self.deviation = check_option(self, "deviation", deviation, low=0.0)
        if not isinstance(sort, bool):
            raise ConfigError("option sort of ElasticFace", expected="true or false", got=repr(sort))
        self.sort = sort

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled cosines, with each row's margin in its own column."""
        margins = self.margins(comparison.own.detach())
        own = add_angle(comparison.own, margins) if self.angular else comparison.own - margins
        return with_own(comparison.cosines, comparison, own, scale=self.scale)

    def margins(self, own: torch.Tensor) -> torch.Tensor:
        """(N,) each row's margin, of (N,) own cosines; between 0 and the largest mean that is allowed."""
        if not self.training:
            return torch.full_like(own, self.margin)
        drawn = self.margin + self.deviation * torch.randn_like(own)
        drawn = drawn.clamp(0.0, math.pi / 2 if self.angular else 1.0)
        if not self.sort:
            return drawn
        nearest_first = own.argsort(descending=True)
        return torch.empty_like(drawn).scatter_(0, nearest_first, drawn.sort().values)
