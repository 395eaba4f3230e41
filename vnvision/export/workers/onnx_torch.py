"""An ONNX graph of fixed input size as a torch module, for converters that read torch.

Runs under another Python: torch, onnx and numpy only. ONNX is the one form that every version of torch on
both sides agrees on; ``torch.export`` files of a newer torch are not read by an older one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_ops import OPS  # type: ignore[import-not-found]
from torch import nn

_PLAIN = ("Clip", "Pad", "Resize")
Value = Any  # a tensor that depends on the picture, or a numpy array that does not


class OnnxNet(nn.Module):
    """The graph, node by node. What does not depend on the picture is computed once, by ``onnx``.

    Args:
        model: an ONNX model with one input.
        shape: of its input, the batch among it.
        channels_last: take (N, H, W, C) instead of (N, C, H, W).
    """

    def __init__(self, model: Any, shape: tuple[int, ...], *, channels_last: bool) -> None:
        super().__init__()
        graph = model.graph
        self.channels_last = channels_last
        self.source = graph.input[0].name
        self.names = [item.name for item in graph.output]
        self.opsets = list(model.opset_import)
        self.steps = list(graph.node)
        self.known: dict[str, np.ndarray] = {"": np.zeros(0, np.float32)}
        self.known |= {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        missing = sorted({node.op_type for node in self.steps} - set(OPS) - {"Constant", "Shape"})
        self.held: dict[str, str] = {}
        self._fold(shape)
        missing = [name for name in missing if any(node.op_type == name for node in self.steps)]
        if missing:
            raise ValueError(f"no torch operation is written for ONNX's {', '.join(missing)}")
        self._hold()

    def forward(self, input: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every output by its name, a number for its place before it."""
        if self.channels_last:
            input = input.permute(0, 3, 1, 2)
        values: dict[str, Value] = {self.source: input}
        for node in self.steps:
            found = OPS[node.op_type](*self._given(node, values), **_options(node))
            for name, value in zip(
                node.output, found if isinstance(found, tuple) else (found,), strict=False
            ):
                values[name] = value
        return {f"{place:02}_{name}": values[name] for place, name in enumerate(self.names)}

    def _given(self, node: Any, values: dict[str, Value]) -> list[Value]:
        """The inputs of a node; limits, scales and paddings as plain numbers."""
        if node.op_type in _PLAIN:
            return [values[node.input[0]], *(self.known[name] if name else None for name in node.input[1:])]
        return [self._value(name, values) for name in node.input]

    def _value(self, name: str, values: dict[str, Value]) -> Value:
        if name in values:
            return values[name]
        if name in self.held:
            return getattr(self, self.held[name])
        return _tensor(self.known[name]) if name else None

    def _fold(self, shape: tuple[int, ...]) -> None:
        """Run once on zeros to know every shape; what follows from shapes alone becomes a constant."""
        values: dict[str, Value] = {self.source: torch.zeros(shape)}
        kept = []
        for node in self.steps:
            if node.op_type == "Shape" and node.input[0] in values:
                self.known[node.output[0]] = np.array(values[node.input[0]].shape, np.int64)
            elif all(name in self.known for name in node.input):
                one = helper.make_graph(
                    [node], "one", [], [helper.make_empty_tensor_value_info(n) for n in node.output]
                )
                evaluator = ReferenceEvaluator(_closed(one, node, self.known, self.opsets))
                self.known |= dict(zip(node.output, evaluator.run(None, {}), strict=True))
            elif node.op_type not in OPS:
                kept.append(node)
                break  # said by the caller
            else:
                kept.append(node)
                with torch.no_grad():
                    found = OPS[node.op_type](*self._given(node, values), **_options(node))
                values |= dict(
                    zip(node.output, found if isinstance(found, tuple) else (found,), strict=False)
                )
        self.steps = kept

    def _hold(self) -> None:
        """Floating-point constants become buffers, so that the exporter stores each once."""
        used = {name for node in self.steps if node.op_type not in _PLAIN for name in node.input if name}
        for place, name in enumerate(sorted(used & self.known.keys())):
            value = self.known[name]
            if np.issubdtype(value.dtype, np.floating) and value.ndim:
                self.held[name] = f"constant_{place}"
                self.register_buffer(f"constant_{place}", _tensor(value))


def read_net(path: str, shape: tuple[int, ...], *, channels_last: bool) -> OnnxNet:
    """The module of an ONNX file, in evaluation mode."""
    return OnnxNet(onnx.load(path), shape, channels_last=channels_last).eval()


def _closed(graph: Any, node: Any, known: dict[str, np.ndarray], opsets: list[Any]) -> Any:
    """A graph of one node with its inputs inside."""
    graph.initializer.extend(numpy_helper.from_array(known[name], name) for name in set(node.input) if name)
    return helper.make_model(graph, opset_imports=opsets)


def _options(node: Any) -> dict[str, Any]:
    options = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in options.items()}


def _tensor(value: np.ndarray | None) -> Any:
    """Floats as tensors; single numbers, shapes, axes and indices plain, as tracing needs them."""
    if value is None or not np.issubdtype(value.dtype, np.floating):
        return value
    return torch.from_numpy(np.array(value, np.float32)) if value.ndim else float(value)
