"""A float32 graph, its ranges and its rounded weights -> QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from vnvision.export.int8_graph import LAYERS, MOVING, Graph, attribute
from vnvision.export.int8_grid import grid_of
from vnvision.export.int8_nodes import ALIGNED, Sheet
from vnvision.export.int8_ranges import Ranges
from vnvision.export.int8_rounding import Rounded

_CLIPPING = ("Relu", "Clip")
_BETWEEN = ("Add", "GlobalAveragePool", "AveragePool", "Concat", "Mul")  # engines have them in integers
_FEW = 16  # channels; below, those that were added to make a multiple of four are worth it


def quantised(
    graph: Graph, ranges: Mapping[str, Ranges], rounded: Mapping[str, Rounded], *,
    in_float: Collection[str] = (), join_prelu: bool = False,
) -> Any:  # fmt: skip
    """The graph as an ``onnx.ModelProto`` whose layers compute in integers.

    Weights are symmetric int8 with a step a channel, biases int32, activations uint8 with a zero point and
    one step a tensor. Convolutions whose result is an output of the graph stay in float32. A convolution's
    result is rounded behind its ReLU, ReLU6 or PReLU only.

    Args:
        graph: as ``read_graph`` gives it; left as it is.
        ranges: of every tensor.
        rounded: of every layer.
        in_float: layers to leave in float32, by the tensor they make.
        join_prelu: leave PReLU as it is, as OpenVINO computes it with its convolution; else it is written as
            the greater of two convolutions of integers, for ONNX Runtime.
    """
    return _Writer(graph, ranges, rounded, in_float, join_prelu).model()


def weights_only(graph: Graph, rounded: Mapping[str, Rounded], *, in_float: Collection[str] = ()) -> Any:
    """The graph with int8 weights, a quarter of the size, and float32 arithmetic."""
    sheet = Sheet(graph.arrays)
    for original in graph.nodes:
        node = copy.deepcopy(original)
        if graph.is_layer(node) and node.output[0] not in in_float:
            sheet.layer(node, rounded[node.output[0]], None)
        else:
            sheet.nodes.append(node)
    return _graph_of(graph, sheet)


def _graph_of(graph: Graph, sheet: Sheet) -> Any:
    """A sheet as a model, without what nobody reads."""
    made = Graph(graph.written())
    read = {name for node in sheet.nodes for name in node.input}
    unread = [one for one in sheet.nodes if one.op_type == "DequantizeLinear" and one.output[0] not in read]
    made.nodes = [node for node in sheet.nodes if node not in unread]
    made.arrays = sheet.arrays
    return made.written()


class _Writer:
    def __init__(
        self, graph: Graph, ranges: Mapping[str, Ranges], rounded: Mapping[str, Rounded],
        in_float: Collection[str], join_prelu: bool,
    ) -> None:  # fmt: skip
        self.graph, self.rounded, self.join_prelu = graph, rounded, join_prelu
        self.active = {
            node.output[0]
            for node in graph.layers()
            if node.output[0] not in in_float
            and not (node.op_type == "Conv" and self._leaves(node.output[0]))
        }
        self.entry = graph.model.graph.input[0].name
        names = [self.entry, *(name for node in graph.nodes for name in node.output)]
        self.grids = {
            name: grid_of(ranges[name].low, ranges[name].high)
            for name in names
            if name in ranges and self._wanted(name)
        }
        self.sheet = Sheet(graph.arrays)
        self.layers: dict[str, Any] = {}

    def _leaves(self, name: str) -> bool:
        """Whether a tensor, or what a move makes of it, is an output."""
        if name in self.graph.outputs:
            return True
        return any(self._leaves(one.output[0]) for one in self.graph.readers(name) if one.op_type in MOVING)

    def _readers(self, name: str) -> list[Any]:
        """What computes with a tensor, seen through what only moves numbers."""
        found = []
        for node in self.graph.readers(name):
            through = node.op_type in MOVING and node.input[0] == name
            found += self._readers(node.output[0]) if through else [node]
        return found

    def _wanted(self, name: str) -> bool:
        """Whether a tensor is rounded."""
        maker = self.graph.maker(name)
        kind = "" if maker is None else maker.op_type
        if name in self.graph.outputs or kind in MOVING:
            return False
        if name in self.active:
            after = self.graph.only_reader(name)
            if after is not None and self._joins(after):
                return False
            return kind == "Conv" or self._feeds(name)
        return self._feeds(name)

    def _joins(self, node: Any) -> bool:
        """Whether an activation is computed along with the convolution before it."""
        if node.op_type != "PRelu" or self.join_prelu:
            return node.op_type in (*_CLIPPING, "PRelu")
        first, slopes = self.graph.maker(node.input[0]), self.graph.arrays.get(node.input[1])
        if first is None or slopes is None or self.graph.only_reader(first.output[0]) is not node:
            return False
        outputs = len(self.graph.arrays.get(first.input[1], ())) if first.op_type == "Conv" else 0
        return first.output[0] in self.active and slopes.size in (1, outputs) and bool((slopes <= 1).all())

    def _feeds(self, name: str) -> bool:
        """Whether integers read a tensor: a layer, or what stands between layers of integers."""
        readers, maker = self._readers(name), self.graph.maker(name)
        if any(self._is_active(node) for node in readers):
            return True
        if maker is None or not any(node.op_type in _BETWEEN for node in readers):
            return False
        source = maker
        if self._joins(maker):
            source = self.graph.maker(maker.input[0]) or maker
        return source.op_type in _BETWEEN or self._is_active(source)

    def _is_active(self, node: Any) -> bool:
        return node.op_type in LAYERS and node.output[0] in self.active

    def model(self) -> Any:
        """Write every node, with its roundings."""
        sheet = self.sheet
        if self.entry in self.grids:
            sheet.round(self.entry, self.grids[self.entry])
        for original in self.graph.nodes:
            node, name = copy.deepcopy(original), original.output[0]
            node.input[:] = [sheet.rounded.get(one, one) for one in node.input]
            if name in self.active:
                self._layer(node, original.input[0])
            elif (
                name in self.grids
                and node.op_type == "PRelu"
                and not self.join_prelu
                and self._joins(original)
            ):
                self._prelu(original)
                continue
            else:
                sheet.nodes.append(node)
            if name in self.grids:
                sheet.round(name, self.grids[name])
            elif (
                node.op_type in MOVING and original.input[0] in self.grids and name not in self.graph.outputs
            ):
                self.grids[name] = self.grids[original.input[0]]  # engines look for the pair at the layer
                sheet.round(name, self.grids[name])
        return _graph_of(self.graph, sheet)

    def _layer(self, node: Any, source: str) -> None:
        """A layer of integers; of a picture's few channels, with channels of zeros added."""
        rounded, grid = self.rounded[node.output[0]], self.grids.get(source)
        channels = rounded.integers.shape[1]
        plain = node.op_type == "Conv" and attribute(node, "group", 1) == 1 and rounded.integers.ndim == 4
        if not self.join_prelu and grid is not None and plain and channels < _FEW and channels % ALIGNED:
            node.input[0] = self.sheet.widened(source, channels)
            rounded = _with_zeros(rounded, -channels % ALIGNED)
        self.layers[node.output[0]] = node, rounded, grid
        self.sheet.layer(node, rounded, None if grid is None else grid[0])

    def _prelu(self, node: Any) -> None:
        layer, rounded, grid = self.layers[node.input[0]]
        slopes = self.graph.arrays[node.input[1]].reshape(-1)
        slopes = np.broadcast_to(slopes, len(rounded.steps))
        self.sheet.greater(layer, rounded, slopes, node.output[0], (grid, self.grids[node.output[0]]))


def _with_zeros(rounded: Rounded, more: int) -> Rounded:
    whole = np.pad(rounded.integers, ((0, 0), (0, more), (0, 0), (0, 0)))
    return Rounded(whole, rounded.steps, rounded.bias)
