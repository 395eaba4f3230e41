"""An ONNX file with block-quantised weights made one that any engine takes, and that can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vnvision.errors import MissingExtraError, ModelError


def open_graph(path: str | Path, *, any_size: bool = False) -> bytes:
    """An ONNX model with block-quantised weights -> the same in float32, for any batch.

    The published files dequantise each weight while running, by blocks (ONNX DequantizeLinear 21 with
    ``block_size``), and list weights as graph inputs; several engines refuse both. Both are folded away; the
    arithmetic stays the same to the bit, as the weights are what DequantizeLinear would have given.

    Args:
        path: the published file.
        any_size: open height and width too.

    Raises:
        ModelError: not an ONNX model, or one that this cannot fold.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as exc:
        raise MissingExtraError("onnx", "faces") from exc
    try:
        model = onnx.load(str(path))
    except (DecodeError, OSError) as exc:
        raise ModelError(f"{path} is not an ONNX model", got=str(exc)[:200]) from exc
    graph = model.graph
    values = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and set(node.input) <= values.keys():
            values[node.output[0]] = _dequantise(node, values)
        elif node.op_type == "Reshape" and set(node.input) <= values.keys():
            values[node.output[0]] = values[node.input[0]].reshape(values[node.input[1]])
        elif node.op_type == "Reshape" and node.input[1] in values:
            # (1, -1, k) becomes (0, -1, k): the batch is taken from the input.
            shape = values[node.input[1]].copy()
            shape[0] = 0
            values[node.input[1]] = shape
            kept.append(node)
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    inputs = [item for item in graph.input if item.name in used and item.name not in values]
    if len(inputs) != 1:
        raise ModelError(f"{path} is not one picture in", got=f"{len(inputs)} inputs")
    del graph.node[:], graph.initializer[:], graph.input[:]
    graph.node.extend(kept)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in values.items() if name in used
    )
    graph.input.extend(inputs)
    _open_sizes(graph, any_size)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _dequantise(node: Any, values: dict[str, np.ndarray]) -> np.ndarray:
    """What DequantizeLinear gives: (q - zero) * scale, each scale standing for a block along an axis."""
    options = {item.name: item.i for item in node.attribute}
    axis, block = options.get("axis", 1), options.get("block_size", 0)
    quantised, scale = values[node.input[0]], values[node.input[1]]
    zero = values[node.input[2]] if len(node.input) > 2 else np.zeros_like(scale, dtype=quantised.dtype)
    if block:
        scale, zero = (
            np.take(np.repeat(part, block, axis=axis), range(quantised.shape[axis]), axis=axis)
            for part in (scale, zero)
        )
    elif scale.ndim == 1 and scale.size > 1:
        shape = [-1 if i == axis else 1 for i in range(quantised.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    shifted = quantised.astype(np.int32) - zero.astype(np.int32)
    result: np.ndarray = shifted.astype(np.float32) * scale.astype(np.float32)
    return result


def _open_sizes(graph: Any, any_size: bool) -> None:
    sides = graph.input[0].type.tensor_type.shape.dim
    sides[0].dim_param = "N"
    if any_size:
        sides[2].dim_param, sides[3].dim_param = "H", "W"
    for item in graph.output:
        rows = item.type.tensor_type.shape.dim
        rows[0].dim_param = "N"
        if any_size:
            rows[1].dim_param = f"{item.name}_places"
