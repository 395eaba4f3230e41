"""QuantizeLinear, DequantizeLinear and layers of integers, written node by node."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from vnvision.export.int8_grid import SMALLEST, Grid, channel_axis
from vnvision.export.int8_rounding import Rounded

ALIGNED = 4
"""ONNX Runtime's fast convolution in integers takes input channels by fours."""


def shared_zeros(n: int, dtype: np.dtype) -> str:
    """Name of the zero points of all layers with as many channels: a tenth of a megabyte in Lite0."""
    return f"zeros.{np.dtype(dtype).name}.{n}"


class Sheet:
    """Nodes and constants of a graph as they are written.

    Attributes:
        nodes: in order.
        arrays: constants by name.
        rounded: of a tensor that was rounded, the name under which its values are read.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.nodes: list[Any] = []
        self.arrays = dict(arrays)
        self.rounded: dict[str, str] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """One node, called as what it makes."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def round(self, name: str, grid: Grid) -> None:
        """A tensor to integers and back."""
        self.to_integers(name, name, grid)
        self.read_back(name)

    def to_integers(self, name: str, owner: str, grid: Grid) -> None:
        """A tensor to integers, on the grid that goes by ``owner``."""
        self.arrays |= {f"{owner}.step": np.asarray(grid[0]), f"{owner}.zero": np.asarray(grid[1])}
        self.add("QuantizeLinear", [name, f"{owner}.step", f"{owner}.zero"], f"{name}.q")

    def read_back(self, name: str, integers: str | None = None) -> None:
        """Let others read the integers of a tensor as its values."""
        integers = integers or f"{name}.q"
        made = f"{integers.removesuffix('.q')}.dq"
        self.add("DequantizeLinear", [integers, f"{name}.step", f"{name}.zero"], made)
        self.rounded.setdefault(name, made)

    def layer(self, node: Any, rounded: Rounded, input_step: np.float32 | None) -> None:
        """Weight and bias of a layer as integers, and the layer; in float32 where its input is."""
        axis, made = channel_axis(node), node.output[0]
        node.input[1] = self._stored(f"{made}.weight", rounded.integers, rounded.steps, axis)
        if rounded.bias is not None and input_step is None:
            self.arrays[f"{made}.bias"], node.input[2] = rounded.bias, f"{made}.bias"
        elif rounded.bias is not None and input_step is not None:
            scale = (input_step * rounded.steps).astype(np.float32)
            whole = np.rint(rounded.bias.astype(np.float64) / scale).astype(np.int32)
            node.input[2] = self._stored(f"{made}.bias", whole, scale, 0)
        self.nodes.append(node)

    def greater(
        self, layer: Any, rounded: Rounded, slopes: np.ndarray, name: str, grids: tuple[Grid, Grid]
    ) -> None:
        """PReLU with slopes up to 1: the greater of a layer's integers and of the same layer's by the slopes.

        Computing the layer twice costs less than a product in ONNX Runtime, which has no PReLU of integers,
        and neither is rounded before it is known which is the greater.

        Args:
            layer: as written.
            rounded: its weights.
            slopes: (out,).
            name: what the PReLU makes.
            grids: of the layer's input, and of what the PReLU makes.
        """
        assert rounded.bias is not None
        column = slopes.reshape(-1, *(1,) * (rounded.integers.ndim - 1))
        integers = (rounded.integers * np.sign(column)).astype(np.int8)
        steps = np.maximum(rounded.steps * np.abs(slopes), SMALLEST).astype(np.float32)
        scaled = copy.deepcopy(layer)
        scaled.name = scaled.output[0] = f"{name}.scaled"
        self.layer(scaled, Rounded(integers, steps, rounded.bias * slopes), grids[0][0])
        for one in (layer.output[0], scaled.output[0]):
            self.to_integers(one, name, grids[1])
        self.add("Max", [f"{layer.output[0]}.q", f"{name}.scaled.q"], f"{name}.q")
        self.read_back(name)

    def widened(self, name: str, channels: int) -> str:
        """Integers of a picture with channels of zeros on top, up to a multiple of four, to be read."""
        wide = f"{name}.wide"
        if f"{wide}.pads" not in self.arrays:
            self.arrays[f"{wide}.pads"] = np.array([0, 0, 0, 0, 0, -channels % ALIGNED, 0, 0], np.int64)
            self.add("Pad", [f"{name}.q", f"{wide}.pads", f"{name}.zero"], f"{wide}.q")
            self.read_back(name, f"{wide}.q")
        return f"{wide}.dq"

    def _stored(self, name: str, whole: np.ndarray, steps: np.ndarray, axis: int) -> str:
        """Keep integers and steps, and read them through a DequantizeLinear."""
        parts = {
            f"{name}.integers": whole,
            f"{name}.steps": steps,
            shared_zeros(len(steps), whole.dtype): np.zeros(len(steps), whole.dtype),
        }
        self.arrays.update(parts)
        self.add("DequantizeLinear", list(parts), name, axis=axis)
        return name
