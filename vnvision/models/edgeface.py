"""EdgeFace: EdgeNeXt with linear layers of low rank, under 2 million parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from timm.models.edgenext import EdgeNeXt
from torch import nn

from vnvision.errors import ConfigError
from vnvision.models.backbone import build_backbone
from vnvision.models.embedding_parts import in_float32
from vnvision.models.staged import Stage, chain


@dataclass(frozen=True, slots=True)
class Variant:
    """The EdgeNeXt a network starts from, its sizes there, and gamma, the part of the full rank kept."""

    timm_name: str
    dims: tuple[int, int, int, int]
    heads: int
    rank_ratio: float


VARIANTS = {
    "edgeface_xs": Variant("edgenext_x_small", (32, 64, 100, 192), 4, 0.6),
    "edgeface_s": Variant("edgenext_small", (48, 96, 160, 304), 8, 0.5),
}
_DEPTHS = (3, 3, 9, 3)
_LOWEST_RANK = 2


class LowRankLinear(nn.Module):
    """``up(down(x))``: a linear layer of rank r with r (n_in + n_out) weights instead of n_in n_out.

    Args:
        n_in: numbers taken.
        n_out: numbers given.
        rank: r.
        bias: whether ``up`` adds one.
    """

    def __init__(self, n_in: int, n_out: int, rank: int, *, bias: bool = True) -> None:
        super().__init__()
        self.down = nn.Linear(n_in, rank, bias=False)
        self.up = nn.Linear(rank, n_out, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_in) -> (..., n_out)."""
        result: torch.Tensor = self.up(self.down(x))
        return result


class EdgeFace(EdgeNeXt):
    """timm's EdgeNeXt, every linear layer of it split into two of low rank, the last one too.

    Source: George et al. 2024, "EdgeFace: Efficient Face Recognition Model for Edge Devices", IEEE
    Transactions on Biometrics, Behavior, and Identity Science (arXiv 2307.01838).

    Args:
        variant: sizes and rank ratio.
        embedding_size: D.
        drop_rate: dropout before the last layer.
    """

    def __init__(self, variant: Variant, embedding_size: int = 512, *, drop_rate: float = 0.0) -> None:
        super().__init__(
            num_classes=embedding_size,
            dims=variant.dims,
            depths=_DEPTHS,
            heads=(variant.heads,) * 4,
            drop_rate=drop_rate,
        )
        split_linears(self, variant.rank_ratio)

    def as_stages(self) -> tuple[Stage, ...]:
        """``stem, stages.0 ... stages.3, head``; pooling and its LayerNorm belong to ``stages.3``."""
        *first, last = self.stages
        head = self.head
        pool = (self.norm_pre, head.global_pool, head.norm, head.flatten)
        return (
            Stage("stem", (self.stem,), self.stem),
            *(Stage(f"stages.{i}", (stage,), stage) for i, stage in enumerate(first)),
            Stage(f"stages.{len(first)}", (last, *pool), chain(last, *pool)),
            Stage("head", (head.drop, head.fc), self.embed),
        )

    def embed(self, pooled: torch.Tensor) -> torch.Tensor:
        """Pooled features (N, F) -> embeddings (N, D), float32 also inside autocast."""
        return in_float32(self.head.fc, self.head.drop(pooled))

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """The last feature map -> embeddings (N, D), or what ``get_classifier`` takes in (N, F)."""
        pooled: torch.Tensor = self.head(x, pre_logits=True)  # dropped out by timm
        return pooled if pre_logits else in_float32(self.head.fc, pooled)


def build_edgeface(
    name: str, embedding_size: int = 512, *, weights: str = "none", drop_rate: float = 0.0
) -> EdgeFace:
    """An EdgeFace network; starting weights of EdgeNeXt are split to the nearest matrices of low rank.

    Args:
        name: ``edgeface_xs`` (gamma 0.6) or ``edgeface_s`` (gamma 0.5).
        embedding_size: D.
        weights: ``none``, or EdgeNeXt's as in ``build_backbone``: ``offline``, ``download``.
        drop_rate: dropout before the last layer.

    Raises:
        ConfigError: another name.
        ModelError: there are no such weights.
    """
    if name not in VARIANTS:
        raise ConfigError(f"unknown EdgeFace {name!r}", expected=" or ".join(VARIANTS))
    variant = VARIANTS[name]
    net = EdgeFace(variant, embedding_size, drop_rate=drop_rate)
    if weights != "none":
        donor = build_backbone(variant.timm_name, embedding_size, weights=weights)
        split_linears(donor, variant.rank_ratio)
        net.load_state_dict(donor.state_dict())
    return net


def split_linears(net: nn.Module, rank_ratio: float) -> None:
    """Replace every linear layer by a ``LowRankLinear`` of rank max(2, floor(ratio * min(n_in, n_out))).

    Raises:
        ConfigError: a ratio out of range.
    """
    if not 0 < rank_ratio <= 1:
        raise ConfigError("rank_ratio is wrong", expected="above 0, at most 1", got=str(rank_ratio))
    for parent in [module for module in net.modules() if not isinstance(module, LowRankLinear)]:
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, split(child, rank_ratio))


@torch.no_grad()
def split(layer: nn.Linear, rank_ratio: float) -> LowRankLinear:
    """The nearest layer of low rank: the first singular values and vectors (Eckart & Young 1936)."""
    n_out, n_in = layer.weight.shape
    rank = max(_LOWEST_RANK, int(min(n_in, n_out) * rank_ratio))
    low = LowRankLinear(n_in, n_out, rank, bias=layer.bias is not None).to(layer.weight)
    left, values, right = torch.linalg.svd(layer.weight.float(), full_matrices=False)
    root = values[:rank].sqrt()
    low.down.weight.copy_(root[:, None] * right[:rank])
    low.up.weight.copy_(left[:, :rank] * root)
    if layer.bias is not None:
        low.up.bias.copy_(layer.bias)
    return low
