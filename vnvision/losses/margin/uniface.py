"""UniFace: one threshold that separates every own class from every other."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class UniFace(MarginHead):
    """Unified cross-entropy with a margin and a learnt threshold, shared by all classes.

    Zhou, Jia, Li, Shen, Duan 2023, "UniFace: Unified Cross-Entropy Loss for Deep Face Recognition". A row's
    loss is log(1 + exp(-s (cos theta_y - m) + b)) of its own class, plus
    lambda log(1 + exp(s cos theta_j - b)) of each other class j.

    The bias is a start value plus what is learnt: the start is the authors' log(10 n r), and follows the
    number of classes n. The paper balances the many others in one of two ways: lambda (`negative_weight`), or
    comparing only a random share r of the classes, which is Partial FC's sampling; tell that share here too.
    The authors' code cuts exponents at s; here they are exact, with a gradient everywhere.

    Args:
        margin_cosine: m, 0 to 1.
        scale: s.
        negative_weight: lambda, greater than 0.
        sampled_share: r, above 0, up to 1: the share of the classes that each step compares.

    Attributes:
        bias: () parameter, what is learnt of b.
    """

    kind = "binary"

    def __init__(
        self,
        *,
        margin_cosine: float = 0.4,
        scale: float = 64.0,
        negative_weight: float = 1.0,
        sampled_share: float = 1.0,
    ) -> None:
        super().__init__(scale)
        self.margin_cosine = check_option(self, "margin_cosine", margin_cosine, low=0.0, high=1.0)
        self.negative_weight = check_option(self, "negative_weight", negative_weight, above=0.0)
        self.sampled_share = check_option(self, "sampled_share", sampled_share, above=0.0, high=1.0)
        self.bias = torch.nn.Parameter(torch.tensor(0.0))

    def terms(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) weighted loss of every pair."""
        bias = self.bias + math.log(10.0 * comparison.n_classes * self.sampled_share)
        others = functional.softplus(self.scale * comparison.cosines - bias) * self.negative_weight
        own = functional.softplus(bias - self.scale * (comparison.own - self.margin_cosine))
        return with_own(others, comparison, own)
