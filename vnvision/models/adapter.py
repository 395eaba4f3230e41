"""A small residual network behind an embedding: the cheapest thing that can be fine-tuned."""

from __future__ import annotations

import torch
from torch import nn

from vnvision.errors import ConfigError
from vnvision.models.staged import Stage

ACTIVATIONS = ("gelu", "none")


class EmbeddingAdapter(nn.Module):
    """``y = x + |x| * up(act(down(x / |x|)))``: a residual bottleneck that starts as the identity.

    The bottleneck sees the direction only, and its answer is scaled by the length: directions go to
    directions, and the length, which says how clear a face is, keeps its meaning. ``up`` starts at zero.

    Source: the bottleneck adapter with a residual path and a start near the identity of Houlsby et al. 2019,
    "Parameter-Efficient Transfer Learning for NLP", section 2.1, put behind an embedding.

    Args:
        dim: length D of the embeddings.
        bottleneck: numbers in the middle.
        activation: ``gelu``, or ``none`` for a linear map, identity plus a matrix of rank ``bottleneck``.

    Raises:
        ConfigError: a size below 1, or another activation.
    """

    def __init__(self, dim: int, bottleneck: int, *, activation: str = "gelu") -> None:
        super().__init__()
        if min(dim, bottleneck) < 1:
            raise ConfigError("an adapter's size is wrong", expected="1 or more", got=f"{dim}, {bottleneck}")
        if activation not in ACTIVATIONS:
            raise ConfigError(
                f"an adapter has no activation {activation!r}", expected=" or ".join(ACTIVATIONS)
            )
        self.down = nn.Linear(dim, bottleneck)
        self.act: nn.Module = nn.GELU() if activation == "gelu" else nn.Identity()
        self.up = nn.Linear(bottleneck, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings (N, D), raw or unit-norm -> (N, D)."""
        length = x.norm(dim=1, keepdim=True)
        out: torch.Tensor = x + length * self.up(self.act(self.down(x / length.clamp_min(1e-12))))
        return out


class AdaptedNet(nn.Module):
    """A frozen embedding network and an adapter behind it; only the adapter learns.

    The network stays in evaluation mode and runs without gradient.

    Args:
        net: gives embeddings (N, D).
        adapter: takes and gives (N, D).
    """

    def __init__(self, net: nn.Module, adapter: EmbeddingAdapter) -> None:
        super().__init__()
        self.net, self.adapter = net.requires_grad_(False), adapter
        self.train(self.training)

    def train(self, mode: bool = True) -> AdaptedNet:
        """Training mode for the adapter alone."""
        super().train(mode)
        self.net.eval()
        return self

    def as_stages(self) -> tuple[Stage, ...]:
        """What ``StagedNet`` cuts: ``net``, then the adapter as ``head``."""
        return Stage("net", (self.net,), self.net), Stage("head", (self.adapter,), self.adapter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the network takes -> embeddings (N, D)."""
        with torch.no_grad():
            plain = self.net(x)
        out: torch.Tensor = self.adapter(plain)
        return out
