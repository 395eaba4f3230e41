"""A network as a graph of layers, with BatchNorm folded into them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vnvision.errors import ModelError
from vnvision.models.embedding_parts import EmbeddingNet, FixedScaleNorm
from vnvision.models.sface import SFaceNet
from vnvision.models.staged import chain

LAYERS = (nn.Conv2d, nn.Linear)
_CLOSE = 1e-3
_PROBE = 2


def folded_graph(net: nn.Module, example: torch.Tensor) -> fx.GraphModule:
    """A copy of a network in evaluation mode as a graph, every BatchNorm folded.

    A BatchNorm behind a convolution or linear layer that nothing else reads goes into it. Any other, such as
    the one in front of a padded convolution in IResNet, becomes a 1 x 1 depthwise convolution: folding it
    forward would be wrong at the padded border, and would spoil the steps of weights by the scale of inputs.

    Args:
        net: any network ``torch.fx`` can trace, ours included; it is not touched.
        example: (N, C, H, W), one picture or more of the size it takes.

    Raises:
        ModelError: it cannot be traced, or the graph answers otherwise than the network.
    """
    copied = copy.deepcopy(net).eval().requires_grad_(True)
    graph = _traced(copied)
    for node in list(graph.graph.nodes):
        if _is_norm(graph, node):
            _fold(graph, node)
    graph.graph.lint()
    graph.delete_all_unused_submodules()
    graph.recompile()
    _check_equal(net, graph, example)
    return graph


def module_of(graph: fx.GraphModule, node: Any) -> nn.Module | None:
    """The module a node calls; None where it calls none."""
    is_call = isinstance(node, fx.Node) and node.op == "call_module"
    return graph.get_submodule(str(node.target)) if is_call else None


class _Tracer(fx.Tracer):
    """Norms with an activation inside stay whole, so that they can be folded."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        leaf = isinstance(module, (_BatchNorm, FixedScaleNorm, nn.PReLU))
        return leaf or super().is_leaf_module(module, name)


def _traced(net: nn.Module) -> fx.GraphModule:
    # What guards against autocast and wrong sizes asks questions that a trace cannot answer. Functions, not
    # modules: those would not hide the methods.
    if isinstance(net, EmbeddingNet):
        net.checked = lambda x: x  # type: ignore[method-assign]
        net.embed = chain(net.dropout, net.fc, net.features)  # type: ignore[method-assign,assignment]
    elif isinstance(net, SFaceNet):
        net.embed = chain(net.head)  # type: ignore[method-assign,assignment]
    try:
        return fx.GraphModule(net, _Tracer().trace(net))
    except (fx.proxy.TraceError, TypeError, AttributeError, RuntimeError, ValueError) as exc:
        line = (str(exc).strip().splitlines() or [type(exc).__name__])[0][:200]
        raise ModelError(
            f"{type(net).__name__} cannot be brought to 8-bit integers",
            expected="a network that torch.fx can trace",
            got=line,
        ) from exc


def _is_norm(graph: fx.GraphModule, node: fx.Node) -> bool:
    return isinstance(module_of(graph, node), (_BatchNorm, FixedScaleNorm))


def _fold(graph: fx.GraphModule, node: fx.Node) -> None:
    """One BatchNorm into the layer before it, or into one of its own."""
    norm, before = module_of(graph, node), node.args[0]
    assert norm is not None
    scale, shift = _line(norm)
    layer = module_of(graph, before)
    alone = isinstance(before, fx.Node) and len(before.users) == 1 and _calls(graph, before.target) == 1
    if isinstance(layer, LAYERS) and alone:
        _into(layer, scale, shift)
        new: nn.Module = nn.Identity()
    else:
        new = _depthwise(scale, shift, two_d=isinstance(norm, nn.BatchNorm2d))
    act = getattr(norm, "act", None)  # timm's BatchNormAct2d
    graph.set_submodule(str(node.target), new)
    if isinstance(act, nn.Module):
        graph.set_submodule(f"{node.target}.act", act)
        with graph.graph.inserting_after(node):
            after = graph.graph.call_module(f"{node.target}.act", (node,))
        node.replace_all_uses_with(after, delete_user_cb=lambda user: user is not after)
    if isinstance(new, nn.Identity):
        node.replace_all_uses_with(before)  # type: ignore[arg-type]
        graph.graph.erase_node(node)


def _calls(graph: fx.GraphModule, target: Any) -> int:
    return sum(node.op == "call_module" and node.target == target for node in graph.graph.nodes)


def _line(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift (C,) of a norm in evaluation mode, in float64."""
    inner: Any = norm.norm if isinstance(norm, FixedScaleNorm) else norm
    mean, scale = inner.running_mean.double(), (inner.running_var.double() + inner.eps).rsqrt()
    if inner.weight is not None:
        scale = scale * inner.weight.detach().double()
    bias = norm.bias if isinstance(norm, FixedScaleNorm) else inner.bias
    shift = -mean * scale
    return scale, shift if bias is None else shift + bias.detach().double()


@torch.no_grad()
def _into(layer: nn.Module, scale: torch.Tensor, shift: torch.Tensor) -> None:
    weight: Any = layer.weight
    bias: Any = layer.bias
    before = torch.zeros_like(shift) if bias is None else bias.double()
    shape = (-1, *(1,) * (weight.ndim - 1))
    layer.weight = nn.Parameter((weight.double() * scale.view(shape)).to(weight.dtype))
    layer.bias = nn.Parameter((before * scale + shift).to(weight.dtype))


@torch.no_grad()
def _depthwise(scale: torch.Tensor, shift: torch.Tensor, *, two_d: bool) -> nn.Module:
    """Scale and shift as a convolution, or of vectors as a layer that stays float32."""
    size = len(scale)
    if not two_d:
        return ScaleShift(scale.float(), shift.float())
    layer = nn.Conv2d(size, size, 1, groups=size).to(scale.device)
    layer.weight.copy_(scale.view(-1, 1, 1, 1))
    layer.bias.copy_(shift)  # type: ignore[union-attr]
    return layer


class ScaleShift(nn.Module):
    """(N, D) -> (N, D), ``x * scale + shift``: a BatchNorm with no linear layer before it."""

    def __init__(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(scale), nn.Parameter(shift)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One multiplication and one sum a number."""
        return x * self.scale + self.shift


@torch.no_grad()
def _check_equal(net: nn.Module, graph: fx.GraphModule, example: torch.Tensor) -> None:
    """The folded graph answers as the network does; a trace may have fixed what depends on the input."""
    noise = torch.randn(_PROBE, *example.shape[1:], generator=torch.Generator().manual_seed(0))
    x, modes = noise.to(example), [(module, module.training) for module in net.modules()]
    try:
        wanted = net.eval()(x)
    finally:
        for module, mode in modes:
            module.training = mode
    found = graph(x)
    off = (found - wanted).abs().max() / wanted.abs().max().clamp(min=torch.finfo(wanted.dtype).tiny)
    if not bool(off < _CLOSE):
        raise ModelError(
            f"the folded graph of {type(net).__name__} answers otherwise than the network",
            expected=f"a relative difference below {_CLOSE:g}",
            got=f"{float(off):.3g}",
        )
