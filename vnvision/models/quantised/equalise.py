"""Channels of one layer brought to like ranges, so that one step fits them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from vnvision.errors import ConfigError
from vnvision.models.quantised.fake import ActivationQuantiser
from vnvision.models.quantised.graph import module_of
from vnvision.models.quantised.net import QuantisedNet

_THROUGH = (ActivationQuantiser, nn.Identity, nn.Dropout, nn.Dropout2d)
_SCALES = (nn.PReLU, nn.LeakyReLU, nn.ReLU)  # act(s * x) = s * act(x) for s > 0; ReLU6 does not
_LEAST = 1e-3
"""The smallest range counted, as a part of the largest: a channel that is always 0 is not blown up."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two convolutions with nothing but an activation between them, and the node whose result joins them."""

    first: nn.Conv2d
    second: nn.Conv2d
    joint: fx.Node

    @property
    def depthwise(self) -> bool:
        return self.second.groups > 1

    def incoming(self) -> torch.Tensor:
        """(channels,) largest magnitude among the second's weights that read each channel."""
        weight: torch.Tensor = self.second.weight.abs()
        return weight.amax(dim=(0, 2, 3))


@torch.no_grad()
def equalise(net: QuantisedNet, batches: Iterable[torch.Tensor], share: float = 0.7) -> int:
    """Rescale channels between convolutions; the float32 network stays what it was.

    An activation has one step for all its channels, and a channel whose range is a hundredth of the widest is
    left with two or three of 255 numbers. Dividing a channel's weights by a factor and multiplying the next
    layer's by it changes nothing in between but the range, as long as ReLU, PReLU or nothing stands there.
    In front of a depthwise convolution, whose channels have steps of their own, all ranges become equal. In
    front of any other the factor is ``range ** share / weight ** (1 - share)``, since what is taken from the
    range is added to the spread of its weights.

    Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
    section 4.1; measured ranges weighed against weights as in Xiao et al. 2023, "SmoothQuant", equation 4.

    Args:
        net: changed in place. Ranges measured before are forgotten: ``calibrate`` it afterwards.
        batches: normalised pictures (N, C, H, W) each.
        share: 0 looks at weights only, 1 at ranges only.

    Returns:
        How many pairs of layers were rescaled.

    Raises:
        ConfigError: no pictures, or a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError("share of the ranges", expected="0 to 1", got=f"{share:g}")
    pairs = list(_pairs(net.graph))
    for one in net.quantisers().values():
        one.seen.zero_()  # in evaluation mode these let everything through
    mode = net.training
    ranges = _measured(net.eval().graph, [pair.joint for pair in pairs], batches)
    net.train(mode)
    for pair in pairs:
        _rescale(pair, ranges[pair.joint], share)
    return len(pairs)


def _measured(
    graph: fx.GraphModule, nodes: list[fx.Node], batches: Iterable[torch.Tensor]
) -> dict[fx.Node, torch.Tensor]:
    """(channels,) largest magnitude of each node's result."""
    watch = _Watch(graph, set(nodes))
    count = 0
    for inputs in batches:
        watch.run(inputs.float())
        count += 1
    if not count:
        raise ConfigError("equalise was given no pictures", expected="one batch or more", got="0")
    return watch.largest


class _Watch(fx.Interpreter):
    """Keeps the largest magnitude of each channel of some nodes' results."""

    def __init__(self, graph: fx.GraphModule, nodes: set[fx.Node]) -> None:
        super().__init__(graph)
        self.nodes = nodes
        self.largest: dict[fx.Node, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self.nodes:
            found = result.abs().amax(dim=(0, 2, 3))
            self.largest[n] = torch.maximum(self.largest.get(n, found), found)
        return result


def _rescale(pair: _Pair, ranges: torch.Tensor, share: float) -> None:
    ranges = ranges.clamp(min=max(float(ranges.max()) * _LEAST, 1e-12))
    factors = ranges
    if not pair.depthwise:
        weights = pair.incoming()
        weights = weights.clamp(min=max(float(weights.max()) * _LEAST, 1e-12))
        factors = ranges**share / weights ** (1 - share)
    factors = factors / factors.max()
    pair.first.weight.div_(factors.view(-1, 1, 1, 1))
    if pair.first.bias is not None:
        pair.first.bias.div_(factors)
    if pair.depthwise:
        own = factors.repeat_interleave(pair.second.out_channels // pair.second.groups)
        pair.second.weight.mul_(own.view(-1, 1, 1, 1))
    else:
        pair.second.weight.mul_(factors.view(1, -1, 1, 1))


def _pairs(graph: fx.GraphModule) -> Iterator[_Pair]:
    """Every two convolutions that stand so; a module that is called twice is left alone."""
    for node in graph.graph.nodes:
        first = module_of(graph, node)
        if not isinstance(first, nn.Conv2d) or _calls(graph, node) != 1:
            continue
        joint = node
        after = _next(graph, node)
        if after is not None and isinstance(module_of(graph, after), _SCALES):
            joint, after = after, _next(graph, after)
        second = None if after is None else module_of(graph, after)
        if isinstance(second, nn.Conv2d) and _calls(graph, after) == 1 and _reads_alone(second):
            yield _Pair(first, second, joint)


def _next(graph: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """What alone reads a node's result, seen through what rounds it or does nothing when deployed."""
    while len(node.users) == 1:
        (node,) = node.users
        if not isinstance(module_of(graph, node), _THROUGH):
            return node
    return None


def _reads_alone(layer: nn.Conv2d) -> bool:
    """Whether each channel's weights are its own: no groups, or depthwise."""
    return layer.groups in (1, layer.in_channels)


def _calls(graph: fx.GraphModule, node: fx.Node | None) -> int:
    return sum(
        node is not None and other.op == "call_module" and other.target == node.target
        for other in graph.graph.nodes
    )
