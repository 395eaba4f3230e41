"""After which nodes of a graph a result is rounded."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn
from torch.nn import functional

from vnvision.models.quantised.graph import LAYERS, module_of
from vnvision.models.quantised.layers import QuantisedConv2d, QuantisedLinear
from vnvision.models.quantised.options import QuantOptions

_MOVING = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten, nn.MaxPool2d)  # move numbers, make none
_MOVING_CALLS = {torch.flatten, operator.getitem, getattr, functional.dropout, functional.max_pool2d}
_MOVING_METHODS = {"flatten", "view", "reshape", "permute", "transpose", "contiguous", "size"}
_CLIPPING = (nn.ReLU, nn.ReLU6, nn.Hardtanh)
_CLIPPING_CALLS = {torch.relu, functional.relu, functional.relu6, functional.hardtanh}
AT_ZERO = {torch.relu, functional.relu}
_ACTIVATIONS = (nn.PReLU, nn.SiLU, nn.GELU, nn.Hardswish, nn.LeakyReLU, nn.Sigmoid, nn.Hardsigmoid, nn.Tanh)


def to_round(graph: fx.GraphModule, example: torch.Tensor, options: QuantOptions) -> list[fx.Node]:
    """The nodes whose result is rounded: what layers, activations, sums and poolings give.

    Left out are the network's output, what only layers in float32 read, what stands before the first layer
    unless a layer of integers reads it, and what an activation computed in the same step follows.
    """
    tensors = _Tensors(graph)
    with torch.no_grad():
        tensors.run(example[:1])
    found, begun = [], set[fx.Node]()
    for node in graph.graph.nodes:
        layer = isinstance(module_of(graph, node), LAYERS)
        if layer or any(before in begun for before in node.all_input_nodes):
            begun.add(node)
        if node not in tensors.float_nodes or node.op in ("get_attr", "output") or moves(graph, node):
            continue
        readers = [reader for reader in _readers(graph, node) if reader.op != "output"]
        if node not in begun or (layer and not is_quantised(graph, node)):
            wanted = any(is_quantised(graph, reader) for reader in readers)
        else:
            wanted = any(not _is_kept_float(graph, reader) for reader in readers)
        if wanted and not _joined(graph, node, readers, options):
            found.append(node)
    return found


class _Tensors(fx.Interpreter):
    """Finds the nodes that give a floating-point tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.float_nodes: set[fx.Node] = set()

    def run_node(self, n: fx.Node) -> object:
        result = super().run_node(n)
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            self.float_nodes.add(n)
        return result


def _readers(graph: fx.GraphModule, node: fx.Node) -> list[fx.Node]:
    """What computes with a node's result, seen through what only moves numbers."""
    out: list[fx.Node] = []
    for user in node.users:
        out += _readers(graph, user) if moves(graph, user) else [user]
    return out


def _joined(graph: fx.GraphModule, node: fx.Node, readers: list[fx.Node], options: QuantOptions) -> bool:
    """Whether the next activation is computed together with this node, and only its result rounded."""
    if all(_clips(graph, reader) for reader in readers):
        return True
    acts = all(isinstance(module_of(graph, reader), _ACTIVATIONS) for reader in readers)
    return acts and not options.pre_activation


def moves(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node only moves numbers, so that what was rounded stays so."""
    if node.op == "call_function":
        return node.target in _MOVING_CALLS
    if node.op == "call_method":
        return node.target in _MOVING_METHODS
    module = module_of(graph, node)
    return isinstance(module, _MOVING) or type(module).__name__ == "DropPath"


def _clips(graph: fx.GraphModule, node: fx.Node) -> bool:
    called = node.op == "call_function" and node.target in _CLIPPING_CALLS
    return called or isinstance(module_of(graph, node), _CLIPPING)


def is_quantised(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node calls a layer of integers."""
    return isinstance(module_of(graph, node), (QuantisedConv2d, QuantisedLinear))


def _is_kept_float(graph: fx.GraphModule, node: fx.Node) -> bool:
    return isinstance(module_of(graph, node), LAYERS) and not is_quantised(graph, node)
