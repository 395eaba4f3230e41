"""Rewrites before rounding that change nothing in float32 and much in 8-bit integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vnvision.export.int8_graph import Graph, attribute
from vnvision.export.int8_ranges import Ranges

SCALED = ".scaled"
_SMALLEST = 1e-2
_PER_OCTAVE = 8  # factors are eighths of powers of two: no rounding error of theirs shows


def equalise(graph: Graph, ranges: Mapping[str, Ranges]) -> int:
    """Bring the channels between two convolutions to like sizes, so that one step fits them all.

    ReLU and PReLU let a positive factor through, so channel c may be divided by a factor behind the first
    convolution and multiplied by it before the second: Nagel et al. 2019, "Data-Free Quantization Through
    Weight Equalization and Bias Correction", section 4.1. The factors here come from measured ranges, not
    from weights. Before a depthwise convolution, whose weights have a step a channel, they level the channels
    entirely; before any other the square root shares the spread with the weights (Xiao et al. 2023,
    "SmoothQuant", equation 4 with 0.5). Clipping at 6 stops it: such a layer is left alone.

    Args:
        graph: changed in place.
        ranges: of its tensors, measured before; they are stale after.

    Returns:
        How many pairs were brought to like sizes.
    """
    pairs = 0
    for first in graph.layers():
        act, second = _followed(graph, first)
        if second is None:
            continue
        top = ranges[first.output[0]].channel_top
        if act is not None:
            top = np.maximum(top, ranges[act.output[0]].channel_top)
        if not top.max() > 0:
            continue
        weight = graph.arrays[second.input[1]]
        if attribute(second, "group", 1) == 1:
            size = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != 1))
            factor = np.sqrt(np.maximum(top / top.max(), 1e-6) / np.maximum(size / size.max(), 1e-3))
        else:
            factor = top / top.max()
        factor = np.maximum(factor / factor.max(), _SMALLEST)
        _scale(graph, first, second, np.exp2(np.round(np.log2(factor) * _PER_OCTAVE) / _PER_OCTAVE))
        pairs += 1
    return pairs


def prelu_as_max(graph: Graph) -> None:
    """Write PReLU as max(x, slope * x), which ONNX Runtime computes in integers.

    Right for slopes up to 1. A channel with a steeper one is negated behind the convolution before and
    before the one behind: max(-x, -slope * x) is its negative. Where there are no such two, its PReLU stays.
    """
    for node in [one for one in graph.nodes if one.op_type == "PRelu" and one.input[1] in graph.arrays]:
        slope = graph.arrays[node.input[1]]
        steep = slope.reshape(-1) > 1
        if steep.any():
            maker = graph.maker(node.input[0])
            first = maker if maker is not None and graph.is_layer(maker) else None
            act, second = (None, None) if first is None else _followed(graph, first)
            if second is None or act is not node or len(steep) != len(graph.arrays[first.input[1]]):  # type: ignore[union-attr]
                continue
            _scale(graph, first, second, np.where(steep, -1.0, 1.0))
        _replace(graph, node)


def _replace(graph: Graph, node: Any) -> None:
    from onnx import helper

    source, made = node.input[0], node.output[0]
    at = graph.nodes.index(node)
    graph.nodes[at : at + 1] = [
        helper.make_node("Mul", [source, node.input[1]], [made + SCALED], name=made + SCALED),
        helper.make_node("Max", [source, made + SCALED], [made], name=made),
    ]


def _followed(graph: Graph, first: Any) -> tuple[Any | None, Any | None]:
    """What stands between a convolution and the next: (activation or None, the next); else (None, None)."""
    if first.op_type != "Conv":
        return None, None
    act, after = None, graph.only_reader(first.output[0])
    if after is not None and after.op_type in ("PRelu", "Relu", "LeakyRelu"):
        act, after = after, graph.only_reader(after.output[0])
    if after is None or after.op_type != "Conv" or not graph.is_layer(after):
        return None, None
    source = first if act is None else act
    channels, groups = len(graph.arrays[first.input[1]]), attribute(after, "group", 1)
    depthwise = groups == channels == len(graph.arrays[after.input[1]])
    fits = after.input[0] == source.output[0] and (groups == 1 or depthwise)
    return (act, after) if fits else (None, None)


def _scale(graph: Graph, first: Any, second: Any, factor: np.ndarray) -> None:
    """Divide what ``first`` makes by (C,) factors, and let ``second`` multiply by them."""
    behind, bias, before = graph.own(first, 1), graph.own(first, 2), graph.own(second, 1)
    column = factor.astype(np.float32)
    behind /= column.reshape(-1, *(1,) * (behind.ndim - 1))
    bias /= column
    axis = 1 if attribute(second, "group", 1) == 1 else 0
    before *= column.reshape([-1 if i == axis else 1 for i in range(before.ndim)])
