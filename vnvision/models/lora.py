"""LoRA: learn a low-rank change of chosen layers, then merge it so that nothing is left behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeGuard

import torch
from torch import nn

from vnvision.errors import ConfigError


class LoraLinear(nn.Module):
    """A frozen linear layer and ``scale * up(down(x))`` beside it.

    Args:
        base: the layer; it stops learning.
        rank: r.
        scale: alpha / r.
    """

    def __init__(self, base: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        like = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base, self.scale = base.requires_grad_(False), scale
        self.down = nn.Linear(base.in_features, rank, bias=False, **like)
        self.up = nn.Linear(rank, base.out_features, bias=False, **like)
        _start(self.down, self.up)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out)."""
        out: torch.Tensor = self.base(x) + self.scale * self.up(self.down(x))
        return out

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The base layer with the change in its weight."""
        change = self.up.weight.double() @ self.down.weight.double()
        self.base.weight.copy_(self.base.weight.double() + self.scale * change)
        return self.base


class LoraConv2d(nn.Module):
    """A frozen convolution and ``scale * up(down(x))`` beside it.

    ``down`` has the base's kernel, stride, padding and dilation and r channels, ``up`` is 1 x 1: together a
    kernel of the base's shape whose matrix (out, in * k * k) has rank r.

    Args:
        base: the layer, of one group; it stops learning.
        rank: r.
        scale: alpha / r.
    """

    def __init__(self, base: nn.Conv2d, rank: int, scale: float) -> None:
        super().__init__()
        like = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base, self.scale = base.requires_grad_(False), scale
        self.down = nn.Conv2d(
            base.in_channels,
            rank,
            base.kernel_size,  # type: ignore[arg-type]
            base.stride,  # type: ignore[arg-type]
            base.padding,  # type: ignore[arg-type]
            base.dilation,  # type: ignore[arg-type]
            bias=False,
            padding_mode=base.padding_mode,
            **like,
        )
        self.up = nn.Conv2d(rank, base.out_channels, 1, bias=False, **like)
        _start(self.down, self.up)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in, H, W) -> (N, out, H', W')."""
        out: torch.Tensor = self.base(x) + self.scale * self.up(self.down(x))
        return out

    @torch.no_grad()
    def merged(self) -> nn.Conv2d:
        """The base layer with the change in its kernel."""
        change = self.up.weight.double().flatten(1) @ self.down.weight.double().flatten(1)
        whole = self.base.weight.double() + self.scale * change.view_as(self.base.weight)
        self.base.weight.copy_(whole)
        return self.base


def add_lora(net: nn.Module, rank: int, alpha: float, targets: Sequence[str]) -> list[str]:
    """Give linear layers and convolutions of a network a low-rank change, in place; only these changes learn.

    The network answers as before until a step is taken: ``up`` starts at zero. Everything else is frozen
    (``requires_grad`` off; thaw what should learn besides). Convolutions in groups are left out: a depthwise
    kernel of one channel is a single row, so its change of rank 1 would have more numbers than the kernel.

    Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.

    Args:
        net: any network.
        rank: r, from 1 to the smaller side of each layer's weight matrix.
        alpha: the change counts alpha / r times.
        targets: patterns of module names, as in ``blocks.1?.pointwise`` or ``head.*`` (``fnmatch``).

    Returns:
        Names of the changed layers, in the network's order.

    Raises:
        ConfigError: a pattern that fits no such layer, a rank that a layer cannot have, an alpha of 0 or
            less, or a network that has LoRA already; nothing is changed then.
    """
    if any(isinstance(module, (LoraLinear, LoraConv2d)) for module in net.modules()):
        raise ConfigError("the network has LoRA already", fix="merge_lora(net) first")
    if not alpha > 0:
        raise ConfigError("LoRA's alpha is wrong", expected="above 0", got=str(alpha))
    chosen = _chosen(net, rank, targets)
    net.requires_grad_(False)
    for name, layer in chosen.items():
        kind = LoraLinear if isinstance(layer, nn.Linear) else LoraConv2d
        net.set_submodule(name, kind(layer, rank, alpha / rank).train(layer.training))  # type: ignore[arg-type]
    return list(chosen)


def merge_lora(net: nn.Module) -> list[str]:
    """Put every low-rank change into its layer's weight, in place; a plain network stays, frozen as it was.

    Outputs stay equal but for rounding: weights are added in float64.

    Returns:
        Names of the layers merged; none where there was no LoRA.
    """
    found = [(name, m) for name, m in net.named_modules() if isinstance(m, (LoraLinear, LoraConv2d))]
    for name, module in found:
        net.set_submodule(name, module.merged())
    return [name for name, _ in found]


def _chosen(net: nn.Module, rank: int, targets: Sequence[str]) -> dict[str, nn.Linear | nn.Conv2d]:
    """The layers that patterns name, in order; every pattern must fit one, and the rank must fit all."""
    able = {name: layer for name, layer in net.named_modules() if name and _takes_lora(layer)}
    for pattern in targets:
        if not any(fnmatchcase(name, pattern) for name in able):
            raise ConfigError(
                f"no layer for LoRA is called {pattern!r}",
                expected="a linear layer or a convolution of one group",
                fix=f"for example {', '.join(list(able)[-3:]) or 'none in this network'}",
            )
    chosen = {name: layer for name, layer in able.items() if any(fnmatchcase(name, one) for one in targets)}
    if not chosen:
        raise ConfigError("LoRA has no targets", expected="one pattern of module names or more", got="0")
    for name, layer in chosen.items():
        most = min(layer.weight.flatten(1).shape)
        if not 1 <= rank <= most:
            raise ConfigError(f"LoRA's rank does not fit {name}", expected=f"1 to {most}", got=str(rank))
    return chosen


def _takes_lora(layer: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def _start(down: nn.Module, up: nn.Module) -> None:
    """Random ``down``, ``up`` of zeros: no change at the start, but a gradient for ``up``."""
    nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))  # type: ignore[arg-type]
    nn.init.zeros_(up.weight)  # type: ignore[arg-type]
