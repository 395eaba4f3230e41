"""A float32 graph and its ranges -> the same graph with QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from vnvision.export.int8_equalise import SCALED
from vnvision.export.int8_graph import LAYERS, MOVING, Graph
from vnvision.export.int8_ranges import Ranges

_CLIPPING = ("Relu", "Clip")
_BETWEEN = ("Add", "GlobalAveragePool", "AveragePool", "Concat", "Mul")  # engines have them in integers
_LIMIT, _LEVELS = 127, 255
_SMALLEST = 1e-8
_LARGEST_BIAS = 2**30  # the sum of products still fits into int32 beside it
Grid = tuple[np.float32, np.uint8]


def quantised(
    graph: Graph, ranges: Mapping[str, Ranges], *, in_float: Collection[str] = (), join_prelu: bool = False
) -> Any:
    """The graph as an ``onnx.ModelProto`` whose layers compute in integers.

    Weights are symmetric int8 with a step a channel, biases int32, activations uint8 with a zero point and
    one step a tensor. Convolutions whose result is an output of the graph stay in float32.

    Args:
        graph: as ``read_graph`` gives it; left as it is.
        ranges: of every tensor.
        in_float: layers to leave in float32, by the tensor they make.
        join_prelu: round a convolution's result only behind its PReLU, as OpenVINO computes the two at once.
    """
    return _Writer(graph, ranges, in_float, join_prelu).model()


def weights_only(graph: Graph, *, in_float: Collection[str] = ()) -> Any:
    """The graph with int8 weights, a quarter of the size, and float32 arithmetic."""
    made = Graph(graph.written())
    nodes: list[Any] = []
    for node in made.nodes:
        if made.is_layer(node) and node.output[0] not in in_float:
            nodes.append(_stored_weight(made.arrays, node, _steps(made.arrays[node.input[1]], _axis(node))))
        nodes.append(node)
    made.nodes = nodes
    return made.written()


class _Writer:
    def __init__(
        self, graph: Graph, ranges: Mapping[str, Ranges], in_float: Collection[str], join_prelu: bool
    ) -> None:
        self.graph, self.joins = graph, (*_CLIPPING, "PRelu") if join_prelu else _CLIPPING
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
        self.maxima = {
            node.output[0]: node
            for node in graph.nodes
            if node.op_type == "Max" and list(node.input[1:]) == [node.output[0] + SCALED]
            and node.input[0] in self.grids
        }  # fmt: skip
        for made, node in self.maxima.items():  # one grid for all three, so that integers can be compared
            self.grids[made] = self.grids[made + SCALED] = self.grids[node.input[0]]
        self.arrays = dict(graph.arrays)
        self.nodes: list[Any] = []
        self.rounded: dict[str, str] = {}

    def _leaves(self, name: str) -> bool:
        """Whether a tensor, or what an activation or a move makes of it, is an output."""
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
            if after is not None and after.op_type in self.joins:
                return False
            return kind == "Conv" or self._feeds(name)
        return self._feeds(name)

    def _feeds(self, name: str) -> bool:
        """Whether integers read a tensor: a layer, or what stands between layers of integers."""
        readers, maker = self._readers(name), self.graph.maker(name)
        if any(self._is_active(node) for node in readers):
            return True
        if maker is None or not any(node.op_type in _BETWEEN for node in readers):
            return False
        source = maker
        if maker.op_type in self.joins:
            source = self.graph.maker(maker.input[0]) or maker
        return source.op_type in _BETWEEN or self._is_active(source)

    def _is_active(self, node: Any) -> bool:
        return node.op_type in LAYERS and node.output[0] in self.active

    def model(self) -> Any:
        """Write every node, with its roundings."""
        if self.entry in self.grids:
            self._round(self.entry)
        for original in self.graph.nodes:
            node, name = copy.deepcopy(original), original.output[0]
            if name in self.maxima:
                self._maximum(name)
                continue
            source = self.rounded.get(node.input[0], "") if node.input else ""
            node.input[:] = [self.rounded.get(one, one) for one in node.input]
            if name in self.active:
                self._layer(node, source)
            elif name.endswith(SCALED) and name in self.grids:
                self._slope(node)
            self.nodes.append(node)
            if name in self.grids:
                self._round(name)
            elif node.op_type in MOVING and source and name not in self.graph.outputs:
                self.grids[name] = self.grids[original.input[0]]  # engines look for the pair at the layer
                self._round(name)
        made = Graph(self.graph.written())
        made.nodes, made.arrays = self.nodes, self.arrays
        return made.written()

    def _round(self, name: str) -> None:
        from onnx import helper

        step, zero = self.grids[name]
        self.arrays |= {f"{name}.step": np.asarray(step), f"{name}.zero": np.asarray(zero)}
        grid = [f"{name}.step", f"{name}.zero"]
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *grid], [f"{name}.q"], name=f"{name}.q"))
        if not name.endswith(SCALED):
            self._read_back(name)

    def _read_back(self, name: str) -> None:
        from onnx import helper

        parts = [f"{name}.q", f"{name}.step", f"{name}.zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", parts, [f"{name}.dq"], name=f"{name}.dq"))
        self.rounded[name] = f"{name}.dq"

    def _maximum(self, name: str) -> None:
        """The greater of two tensors of integers on one grid."""
        from onnx import helper

        parts = [f"{self.maxima[name].input[0]}.q", f"{name}{SCALED}.q"]
        self.nodes.append(helper.make_node("Max", parts, [f"{name}.q"], name=f"{name}.q"))
        step, zero = self.grids[name]
        self.arrays |= {f"{name}.step": np.asarray(step), f"{name}.zero": np.asarray(zero)}
        self._read_back(name)

    def _layer(self, node: Any, source: str) -> None:
        """Weight and bias as integers."""
        steps = _steps(self.arrays[node.input[1]], _axis(node))
        whole = len(node.input) > 2 and bool(source)
        if whole:
            bias = self.arrays[node.input[2]].astype(np.float64)
            step = float(self.grids[source.removesuffix(".dq")][0])
            steps = np.maximum(steps, np.abs(bias) / (step * _LARGEST_BIAS)).astype(np.float32)
        self.nodes.append(_stored_weight(self.arrays, node, steps))
        if whole:
            scale = (np.float32(step) * steps).astype(np.float32)
            self.nodes.append(_stored(self.arrays, node, 2, np.rint(bias / scale).astype(np.int32), scale, 0))

    def _slope(self, node: Any) -> None:
        """The slopes of a PReLU on a grid of their own."""
        slope = self.arrays[node.input[1]]
        step, zero = grid_of(float(slope.min()), float(slope.max()))
        whole = np.clip(np.rint(slope / step) + zero, 0, _LEVELS).astype(np.uint8)
        self.nodes.append(_stored(self.arrays, node, 1, whole, np.asarray(step), 0, zero=np.asarray(zero)))


def grid_of(low: float, high: float) -> Grid:
    """Step and zero point of uint8 that hold 0 and both ends."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _SMALLEST:
        return np.float32(_SMALLEST), np.uint8(0)
    zero = round(-low / (high - low) * _LEVELS)
    step = max(-low / max(zero, 0.5), high / max(_LEVELS - zero, 0.5), _SMALLEST)
    return np.float32(step), np.uint8(zero)


def _axis(node: Any) -> int:
    return 1 if node.op_type == "MatMul" else 0


def _steps(weight: np.ndarray, axis: int) -> np.ndarray:
    """(out,) step of each channel: its largest magnitude is 127."""
    largest = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis))
    steps: np.ndarray = np.maximum(largest / _LIMIT, _SMALLEST).astype(np.float32)
    return steps


def _stored_weight(arrays: dict[str, np.ndarray], node: Any, steps: np.ndarray) -> Any:
    weight, axis = arrays[node.input[1]], _axis(node)
    column = steps.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    whole = np.clip(np.rint(weight / column), -_LIMIT, _LIMIT).astype(np.int8)
    return _stored(arrays, node, 1, whole, steps, axis)


def _stored(
    arrays: dict[str, np.ndarray], node: Any, place: int, whole: np.ndarray, steps: np.ndarray, axis: int,
    *, zero: np.ndarray | None = None,
) -> Any:  # fmt: skip
    """Keep integers and steps, and let an input of a node read them through a DequantizeLinear."""
    from onnx import helper

    name = f"{node.output[0]}.{'weight' if place == 1 else 'bias'}"
    zeros = np.zeros(len(steps), whole.dtype) if zero is None else zero
    parts = {f"{name}.integers": whole, f"{name}.steps": steps, f"{name}.zeros": zeros}
    arrays.update(parts)
    node.input[place] = name
    extra = {"axis": axis} if zero is None else {}
    return helper.make_node("DequantizeLinear", list(parts), [name], name=name, **extra)
