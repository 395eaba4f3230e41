"""SphereFace2: a yes-or-no question for every class, instead of a choice among them."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from vnvision.errors import ConfigError
from vnvision.losses.margin.comparison import Comparison, with_own
from vnvision.losses.margin.head import MarginHead, check_option


class SphereFace2(MarginHead):
    """Binary classification of every pair of embedding and class, with the margin on the cosine.

    Wen, Liu, Weller, Raj, Singh 2022, "SphereFace2: Binary Classification is All You Need for Deep Face
    Recognition", the form with an additive margin (SphereFace2-C). A row's loss is
    (lambda / r) log(1 + exp(-r (g(cos theta_y) - m) - b)) of its own class, plus
    ((1 - lambda) / r) log(1 + exp(r (g(cos theta_j) + m) + b)) of each other class j,
    where g(z) = 2 ((z + 1) / 2)^t - 1 spreads the similarities.

    The bias is a start value plus what is learnt: the start is where the loss of untrained embeddings,
    orthogonal to all centres, is least, and follows the number of classes.

    Args:
        margin_cosine: m, 0 to 1.
        scale: r.
        positive_share: lambda, above 0 and below 1: the weight of the own class against all others.
        exponent: t, 1 or more.
        detach_similarity: take the gradient of the cosine instead of g's (the paper's characteristic gradient
            detachment), as the authors do.

    Attributes:
        bias: () parameter, what is learnt of b.
    """

    kind = "binary"

    def __init__(
        self,
        *,
        margin_cosine: float = 0.4,
        scale: float = 40.0,
        positive_share: float = 0.7,
        exponent: float = 3.0,
        detach_similarity: bool = True,
    ) -> None:
        super().__init__(scale)
        self.margin_cosine = check_option(self, "margin_cosine", margin_cosine, low=0.0, high=1.0)
        self.positive_share = check_option(self, "positive_share", positive_share, above=0.0, below=1.0)
        self.exponent = check_option(self, "exponent", exponent, low=1.0)
        if not isinstance(detach_similarity, bool):
            raise ConfigError(
                "option detach_similarity of SphereFace2",
                expected="true or false",
                got=repr(detach_similarity),
            )
        self.detach_similarity = detach_similarity
        self.bias = torch.nn.Parameter(torch.tensor(0.0))

    def start_bias(self, n_classes: int) -> float:
        """The b of least loss where every cosine is 0, for so many classes.

        Setting the derivative by b to 0 gives d u^2 + (1 - z) u - z = 0, where u = exp(a_j + b),
        d = exp(a_y - a_j), z = lambda / ((1 - lambda) (n - 1)), and a_y, a_j are the own and the other logit
        without b.
        """
        other = self.scale * (2.0 * 0.5**self.exponent - 1.0 + self.margin_cosine)
        gap = 2.0 * self.scale * self.margin_cosine
        z = self.positive_share / ((1.0 - self.positive_share) * max(n_classes - 1, 1))
        root = math.sqrt((1.0 - z) ** 2 + 4.0 * z * math.exp(-min(gap, 700.0)))
        # Two forms of the positive root: each free of cancellation on its side of z = 1.
        log_u = math.log(2.0 * z / (1.0 - z + root)) if z < 1.0 else math.log((z - 1.0 + root) / 2.0) + gap
        return log_u - other

    def similarity(self, cosines: torch.Tensor) -> torch.Tensor:
        """g of cosines, of any shape; its gradient is the cosine's if `detach_similarity`."""
        values = 2.0 * ((cosines + 1.0) / 2.0).clamp(min=0.0) ** self.exponent - 1.0
        return cosines + (values - cosines).detach() if self.detach_similarity else values

    def terms(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) weighted loss of every pair."""
        bias = self.bias + self.start_bias(comparison.n_classes)
        other = self.scale * (self.similarity(comparison.cosines) + self.margin_cosine) + bias
        own = self.scale * (self.similarity(comparison.own) - self.margin_cosine) + bias
        others = functional.softplus(other) * ((1.0 - self.positive_share) / self.scale)
        return with_own(others, comparison, functional.softplus(-own) * (self.positive_share / self.scale))
