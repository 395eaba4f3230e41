"""What the layers of a graph read on calibration images: means and covariances of their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnvision.export.int8_graph import Graph, attribute
from vnvision.export.int8_grid import grid_of, on_grid
from vnvision.export.int8_ranges import Ranges, run_model

MOST_INPUTS = 2304
"""Numbers that one output reads, above which no covariance is taken: 3 x 3 of 256 channels."""
_PLACES = 64  # of a feature map that are looked at in an image, drawn anew for each
_MOST_NUMBERS = 2**25  # of covariances held at once: 256 MB


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of what one layer reads to compute one output, over images and places; K numbers in each of G groups.

    Attributes:
        n: how many readings.
        mean: (G, K) in float32's graph.
        rounded_mean: (G, K) of the same readings as integers give them.
        covariance: (G, K, K) of the rounded readings; None where K is above ``MOST_INPUTS``.
    """

    n: int
    mean: np.ndarray
    rounded_mean: np.ndarray
    covariance: np.ndarray | None


def moments(graph: Graph, ranges: Mapping[str, Ranges], inputs: np.ndarray) -> Iterator[tuple[Any, Moments]]:
    """Every layer that can be read place by place, with its moments.

    Args:
        graph: in float32.
        ranges: of its tensors; what is not in it is taken as not rounded.
        inputs: (N, C, H, W) float32 calibration images.
    """
    layers = [_Reading(graph, node, ranges) for node in graph.layers() if _is_plain(graph, node)]
    while layers:
        now = [layers.pop(0)]
        while layers and sum(one.numbers for one in (*now, layers[0])) <= _MOST_NUMBERS:
            now.append(layers.pop(0))
        _read(graph, now, inputs)
        yield from ((one.node, one.moments()) for one in now)


def _is_plain(graph: Graph, node: Any) -> bool:
    if node.op_type == "Conv":
        stated = attribute(node, "auto_pad", b"NOTSET") == b"NOTSET"
        return stated and graph.arrays[node.input[1]].ndim == 4
    return bool(node.op_type == "Gemm")


def _read(graph: Graph, layers: list[_Reading], inputs: np.ndarray) -> None:
    """Run the graph once, and let the layers see what they read."""
    entry, rng = graph.model.graph.input[0].name, np.random.default_rng(0)
    made = sorted({one.source for one in layers} - {entry})
    extra = [name for name in made if name not in graph.outputs]
    model = graph.written(outputs=extra).SerializeToString()
    for image, values in zip(inputs, run_model(model, inputs, made or None), strict=True):
        known = {entry: image[None], **dict(zip(made, values, strict=False))}
        for one in layers:
            one.see(known[one.source], rng)


class _Reading:
    """Sums over what one layer reads."""

    def __init__(self, graph: Graph, node: Any, ranges: Mapping[str, Ranges]) -> None:
        self.node, self.source = node, node.input[0]
        self.weight = graph.arrays[node.input[1]].shape
        self.groups = attribute(node, "group", 1) if node.op_type == "Conv" else 1
        self.inputs = int(np.prod(self.weight[1:]))
        found = ranges.get(self.source)
        self.grid = None if found is None else grid_of(found.low, found.high)
        self.squared = self.inputs <= MOST_INPUTS
        self.numbers = self.groups * self.inputs**2 if self.squared else 0
        self.n = 0
        self.sums = np.zeros((2, self.groups, self.inputs))
        self.products = np.zeros((self.groups, self.inputs, self.inputs)) if self.squared else None

    def see(self, value: np.ndarray, rng: np.random.Generator) -> None:
        """Take in one image's tensor."""
        read = _places(self.node, self.weight, self.groups, value, rng)
        rounded = read if self.grid is None else on_grid(read, self.grid)
        self.n += read.shape[2]
        self.sums += read.sum(2, dtype=np.float64), rounded.sum(2, dtype=np.float64)
        if self.products is not None:
            self.products += rounded @ rounded.transpose(0, 2, 1)

    def moments(self) -> Moments:
        """What the sums come to; they are let go."""
        mean, rounded = self.sums / self.n
        covariance, self.products = self.products, None
        if covariance is not None:
            covariance /= self.n
            covariance -= rounded[:, :, None] * rounded[:, None, :]
        return Moments(self.n, mean, rounded, covariance)


def _places(
    node: Any, weight: tuple[int, ...], groups: int, value: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(G, K, P) what a layer reads at some places of one image; padding reads zeros."""
    if node.op_type != "Conv":
        return value.reshape(1, -1, 1)
    high, wide = value.shape[2:]
    rows, columns = weight[2:]
    (down, right), (tall, broad) = attribute(node, "strides", (1, 1)), attribute(node, "dilations", (1, 1))
    top, left, bottom, end = attribute(node, "pads", (0,) * 4)
    n_down = (high + top + bottom - tall * (rows - 1) - 1) // down + 1
    n_right = (wide + left + end - broad * (columns - 1) - 1) // right + 1
    n = n_down * n_right
    at = np.arange(n) if n <= _PLACES else rng.integers(n, size=_PLACES)
    y = (at // n_right * down - top)[:, None, None] + (np.arange(rows) * tall)[:, None]
    x = (at % n_right * right - left)[:, None, None] + np.arange(columns) * broad
    inside = (y >= 0) & (y < high) & (x >= 0) & (x < wide)
    read = value[0][:, np.clip(y, 0, high - 1), np.clip(x, 0, wide - 1)] * inside
    parts = read.reshape(groups, weight[1], len(at), rows * columns).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(parts.reshape(groups, -1, len(at)), dtype=np.float32)
