"""An ONNX graph made ready for integers: what can be folded is folded, exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vnvision.errors import ExportError
from vnvision.export.graph_file import read_onnx
from vnvision.export.int8_graph import FLOAT, LAYERS, Graph, attribute, set_attribute


def read_graph(path: str | Path) -> Graph:
    """Open a canonical ONNX file, with all folded that does not change what it computes.

    BatchNorm goes into the layer before it, or into the matrix product behind it; zero padding into its
    convolution; every layer has a bias; casts from float32 to float32 go.

    Raises:
        ExportError: not an ONNX file, or no layer in it to bring to integers.
        MissingExtraError: onnx is not installed.
    """
    model = read_onnx(path, f"{path} is not an ONNX model")
    try:
        graph = Graph(model)
    except ValueError as exc:
        raise ExportError(f"{path} is not an ONNX model", got=str(exc)[:200]) from exc
    for node in list(graph.nodes):
        if node.op_type == "Identity" or (node.op_type == "Cast" and _to_float(graph, node)):
            graph.remove(node)
    for node in list(graph.nodes):
        if node.op_type == "Pad":
            _fold_pad(graph, node)
    for node in graph.layers():
        _bring_to_form(graph, node)
    for node in list(graph.nodes):
        if node.op_type == "BatchNormalization":
            _fold_norm(graph, node)
    if not graph.layers():
        raise ExportError(
            f"{Path(path).name} has nothing to bring to 8-bit integers",
            expected="a convolution or matrix product with a constant weight",
            got="none",
        )
    return graph


def _to_float(graph: Graph, node: Any) -> bool:
    """A cast to float32 of what a float32 layer or activation made."""
    maker = graph.maker(node.input[0])
    kinds = (*LAYERS, "PRelu", "Relu", "Clip", "BatchNormalization", "Add", "Flatten", "GlobalAveragePool")
    return attribute(node, "to") == FLOAT and maker is not None and maker.op_type in kinds


def _fold_pad(graph: Graph, node: Any) -> None:
    """Zeros around a picture, into the convolutions that read it."""
    readers, known = graph.readers(node.output[0]), all(n in graph.arrays for n in node.input[1:] if n)
    zero = len(node.input) < 3 or not node.input[2] or (known and not graph.arrays[node.input[2]].any())
    plain = attribute(node, "mode", b"constant") == b"constant" and len(node.input) < 4 and known and zero
    if not plain or node.output[0] in graph.outputs:
        return
    sides = graph.arrays[node.input[1]].tolist()
    fits = len(sides) == 8 and min(sides) >= 0 and not any(sides[i] for i in (0, 1, 4, 5))
    if not fits or not readers or any(
        reader.op_type != "Conv" or attribute(reader, "auto_pad", b"NOTSET") != b"NOTSET"
        or reader.input[0] != node.output[0] for reader in readers
    ):  # fmt: skip
        return
    for reader in readers:
        before = attribute(reader, "pads", [0] * 4)
        set_attribute(reader, "pads", [a + sides[i] for a, i in zip(before, (2, 3, 6, 7), strict=True)])
    graph.remove(node)


def _bring_to_form(graph: Graph, node: Any) -> None:
    """A bias for every convolution and Gemm; the weight of a Gemm as (out, in)."""
    if node.op_type == "MatMul":
        return
    if node.op_type == "Gemm" and not attribute(node, "transB", 0):
        name = f"{node.output[0]}.transposed"
        graph.arrays[name] = np.ascontiguousarray(graph.arrays[node.input[1]].T)
        node.input[1] = name
        set_attribute(node, "transB", 1)
    if len(node.input) < 3 or not node.input[2]:
        name = f"{node.output[0]}.zero_bias"
        graph.arrays[name] = np.zeros(len(graph.arrays[node.input[1]]), np.float32)
        node.input[:] = [*node.input[:2], name]


def _fold_norm(graph: Graph, node: Any) -> None:
    """One BatchNorm into its neighbour, where nothing else stands between."""
    scale, shift, mean, variance = (graph.arrays[name].astype(np.float64) for name in node.input[1:5])
    scale = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    shift = shift - mean * scale
    before = graph.maker(node.input[0])
    if before is not None and graph.is_layer(before) and before.op_type != "MatMul":
        if graph.only_reader(node.input[0]) is node:
            weight, bias = graph.own(before, 1), graph.own(before, 2)
            bias[...] = bias * scale + shift
            weight *= scale.reshape(-1, *(1,) * (weight.ndim - 1)).astype(np.float32)
            graph.remove(node)
        return
    after = graph.only_reader(node.output[0])
    if after is not None and after.op_type == "Flatten":
        after = graph.only_reader(after.output[0])
    if after is not None and after.op_type == "Gemm" and graph.is_layer(after):
        weight, bias = graph.own(after, 1), graph.own(after, 2)
        each = weight.shape[1] // len(scale)
        wide = weight.astype(np.float64)
        bias[...] = bias + wide @ np.repeat(shift, each)
        weight[...] = wide * np.repeat(scale, each)
        graph.remove(node)
