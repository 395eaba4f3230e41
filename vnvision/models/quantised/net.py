"""From a trained float32 network to one that rounds as an 8-bit integer network does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fnmatch import fnmatchcase

import torch
from torch import fx, nn

from vnvision.errors import ConfigError
from vnvision.models.quantised.fake import ActivationQuantiser
from vnvision.models.quantised.graph import LAYERS, folded_graph, module_of
from vnvision.models.quantised.layers import QuantisedConv2d, QuantisedLinear, quantised
from vnvision.models.quantised.options import FIRST, LAST, QuantOptions
from vnvision.models.quantised.places import AT_ZERO, is_quantised, moves, to_round
from vnvision.models.staged import Stage

_PREFIX = "ranges"


class QuantisedNet(nn.Module):
    """A graph of layers whose weights and activations are rounded to 8-bit integers and back.

    Made by ``quantise``. It trains, is saved and resumes as any network; evaluation mode computes what the
    file of ``export.qdq.to_qdq_onnx`` computes. Always in float32: bfloat16 is coarser than the grids.

    Attributes:
        graph: the layers.
        layers: names of those with integer weights.
    """

    def __init__(self, graph: fx.GraphModule, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.graph, self.layers = graph, layers

    def as_stages(self) -> tuple[Stage, ...]:
        """One stage: ranges below a frozen part could not settle."""
        return (Stage("all", (self.graph,), self.forward),)

    def quantisers(self) -> dict[str, ActivationQuantiser]:
        """By name, what rounds activations."""
        return {name: m for name, m in self.named_modules() if isinstance(m, ActivationQuantiser)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (N, C, H, W) -> what the network gives, float32 also inside autocast."""
        known = torch.amp.is_autocast_available(x.device.type)  # "meta" has none
        with torch.autocast(x.device.type, enabled=False) if known else contextlib.nullcontext():
            result: torch.Tensor = self.graph(x.float())
        return result


def quantise(net: nn.Module, example: torch.Tensor, options: QuantOptions | None = None) -> QuantisedNet:
    """A copy of a trained network, BatchNorm folded, rounding as integers will.

    Rounded are the input of the first layer, the weights of convolutions and linear layers, and what every
    layer, activation, sum and pooling gives; not the network's output, nor a convolution followed by a
    clipping that the integer range does as well. Train it on, or at least ``calibrate`` it.

    Args:
        net: any network ``torch.fx`` can trace, trained; it is not touched.
        example: (N, C, H, W), zeros will do.
        options: the grids.

    Raises:
        ModelError: the network cannot be traced or folded.
        ConfigError: no layer is left to round, or a pattern of ``keep_float`` fits none.
    """
    options = options or QuantOptions()
    graph = folded_graph(net, example)
    chosen = _chosen(graph, options)
    for name in chosen:
        graph.set_submodule(name, quantised(graph.get_submodule(name), options))  # type: ignore[arg-type]
    for node in to_round(graph, example, options):
        _round_after(graph, node, options)
    _tell_layers(graph)
    graph.graph.lint()
    graph.recompile()
    return QuantisedNet(graph, chosen).train(net.training)


@torch.no_grad()
def calibrate(net: QuantisedNet, batches: Iterable[torch.Tensor]) -> int:
    """Measure ranges without training ("post-training quantisation"): the plain mean over batches.

    Args:
        net: left in the mode it was in; ranges measured before are forgotten.
        batches: normalised pictures (N, C, H, W) each, counted alike.

    Returns:
        How many batches there were.

    Raises:
        ConfigError: none.
    """
    total: dict[str, torch.Tensor] = {}
    found, count, mode = net.quantisers(), 0, net.training
    net.eval()
    for module in net.modules():
        module.training = isinstance(module, (ActivationQuantiser, QuantisedConv2d, QuantisedLinear))
    for inputs in batches:
        for one in found.values():
            one.seen.zero_()
        net(inputs)
        count += 1
        for name, one in found.items():
            ends = torch.stack([one.low, one.high])
            total[name] = total.get(name, torch.zeros_like(ends)) + ends
    net.train(mode)
    if not count:
        raise ConfigError("calibrate was given no pictures", expected="one batch or more", got="0")
    for name, one in found.items():
        one.low.copy_(total[name][0] / count)
        one.high.copy_(total[name][1] / count)
        one.seen.fill_(count)
    return count


def _chosen(graph: fx.GraphModule, options: QuantOptions) -> tuple[str, ...]:
    """Names of the layers to round, in order."""
    called = (str(n.target) for n in graph.graph.nodes if isinstance(module_of(graph, n), LAYERS))
    names = list(dict.fromkeys(called))
    if not names:
        raise ConfigError(
            "nothing to bring to integers", expected="a convolution or linear layer", got="none"
        )
    ends = {FIRST: names[0], LAST: names[-1]}
    patterns = [ends.get(pattern, pattern) for pattern in options.keep_float]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"keep_float: no layer is called {pattern!r}",
                fix=f"there are for example {', '.join(names[:3])}; or use first, last",
            )
    kept = tuple(name for name in names if not any(fnmatchcase(name, one) for one in patterns))
    if not kept:
        raise ConfigError("keep_float leaves no layer for integers", got=", ".join(options.keep_float))
    return kept


def _round_after(graph: fx.GraphModule, node: fx.Node, options: QuantOptions) -> None:
    name = f"{_PREFIX}.{node.name}"
    graph.add_submodule(name, ActivationQuantiser(options))
    with graph.graph.inserting_after(node):
        rounded = graph.graph.call_module(name, (node,))
    node.replace_all_uses_with(rounded, delete_user_cb=lambda user: user is not rounded)


def _tell_layers(graph: fx.GraphModule) -> None:
    """Let each layer that is called once know what rounds its input and its output."""
    calls = [node for node in graph.graph.nodes if is_quantised(graph, node)]
    for node in calls:
        source = node.args[0]
        while isinstance(source, fx.Node) and moves(graph, source):
            source = source.args[0]
        before, layer = module_of(graph, source), module_of(graph, node)
        once = sum(other.target == node.target for other in calls) == 1
        if (
            isinstance(before, ActivationQuantiser)
            and isinstance(layer, (QuantisedConv2d, QuantisedLinear))
            and once
        ):
            layer.ends = (before, _rounded_by(graph, node))


def _rounded_by(graph: fx.GraphModule, node: fx.Node) -> ActivationQuantiser | None:
    """What rounds a layer's result, directly or behind a clipping at 0, which rounding does not disturb."""
    while len(node.users) == 1:
        (node,) = node.users
        module = module_of(graph, node)
        if isinstance(module, ActivationQuantiser):
            return module
        if not moves(graph, node) and not isinstance(module, nn.ReLU) and node.target not in AT_ZERO:
            return None
    return None
