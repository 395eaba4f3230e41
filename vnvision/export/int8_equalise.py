"""Rewrites before rounding that change nothing in float32 and much in 8-bit integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vnvision.export.int8_graph import Graph, attribute
from vnvision.export.int8_ranges import Ranges

_SMALLEST = 1e-2
_PER_OCTAVE = 8  # factors are eighths of powers of two: no rounding error of theirs shows
_SHARE = 0.75  # of the spread that weights take over; 0.5, 0.7, 0.85 and 1 were compared on validation faces


def equalise(graph: Graph, ranges: Mapping[str, Ranges]) -> int:
    """Bring the channels between two convolutions to like sizes, so that one step fits them all.

    ReLU and PReLU let a positive factor through, so channel c may be divided by a factor behind the first
    convolution and multiplied by it before the second: Nagel et al. 2019, "Data-Free Quantization Through
    Weight Equalization and Bias Correction", section 4.1. The factors here come from measured ranges, not
    from weights. Before a depthwise convolution, whose weights have a step a channel, they level the channels
    entirely; before any other the weights take over three quarters of the spread (Xiao et al. 2023,
    "SmoothQuant", equation 4): they are rounded with more care than activations can be (``int8_rounding``).
    Clipping at 6 stops it: such a layer is left alone.

    Args:
        graph: changed in place.
        ranges: of its tensors, measured before; they are stale after.

    Returns:
        How many pairs were brought to like sizes.
    """
    pairs = 0
    for first in graph.layers():
        act, second = followed(graph, first)
        if second is None:
            continue
        top = ranges[(first if act is None else act).output[0]].channel_top
        if not top.max() > 0:
            continue
        weight = graph.arrays[second.input[1]]
        factor = top / top.max()
        if attribute(second, "group", 1) == 1:
            size = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != 1))
            spread = np.maximum(size / size.max(), 1e-3) if size.max() > 0 else np.ones(len(size))
            factor = np.maximum(factor, 1e-6) ** _SHARE / spread ** (1 - _SHARE)
        factor = np.maximum(factor / factor.max(), _SMALLEST)
        _scale(graph, first, second, np.exp2(np.round(np.log2(factor) * _PER_OCTAVE) / _PER_OCTAVE))
        pairs += 1
    return pairs


def gentle_slopes(graph: Graph) -> None:
    """Bring slopes of PReLU above 1 below it, where convolutions stand before and behind.

    Of a slope s > 1, PReLU_s(x) = -PReLU_{1/s}(-s x). Slopes up to 1 make PReLU the greater of x and s x,
    which integers can compute (``int8_qdq``).
    """
    for first in graph.layers():
        act, second = followed(graph, first)
        if act is None or act.op_type != "PRelu" or second is None or act.input[1] not in graph.arrays:
            continue
        flat = graph.arrays[act.input[1]].reshape(-1)
        if len(flat) != len(graph.arrays[first.input[1]]) or not (flat > 1).any():
            continue
        steep, slopes = flat > 1, graph.own(act, 1).reshape(-1)
        turned = np.where(steep, -slopes, 1).astype(np.float32)
        _scale(graph, first, second, np.where(steep, -1.0, 1.0))
        behind = graph.own(first, 1)
        size = np.abs(turned)
        behind *= size.reshape(-1, *(1,) * (behind.ndim - 1))
        graph.own(first, 2)[...] *= size
        slopes /= size**2


def followed(graph: Graph, first: Any) -> tuple[Any | None, Any | None]:
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
