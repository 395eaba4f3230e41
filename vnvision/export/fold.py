"""Shape arithmetic out of an ONNX graph: what does not depend on the batch becomes a constant.

Tracing writes padding, resizing and position tables as sums over ``Shape`` nodes (TensorFlow-style "same"
padding alone is 35 nodes a layer). Height and width are fixed, so these sums are too; NPU converters refuse
them, and people cannot read them. They are not re-derived here but *measured*: the graph runs once with two
images and once with three, and a sum with the same value both times is a constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vnvision.engines.onnxruntime import import_onnxruntime

PROBE_BATCHES = (2, 3)


def fold_shapes(model: Any) -> Any:
    """Return an equivalent ``onnx.ModelProto`` without constant shape arithmetic.

    Graphs without ``Shape`` nodes only lose their idle ``Identity`` nodes; graphs with control flow are
    returned as they are. The parity gate runs after this, so a wrong fold could not ship.

    Args:
        model: a checked model whose first input is (batch, C, h, w) float32, all but the batch fixed.
    """
    import onnx

    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    if any(item.type in (item.GRAPH, item.GRAPHS) for node in folded.graph.node for item in node.attribute):
        return folded
    _inline_constants(folded.graph)
    frontier = _shape_frontier(folded.graph)
    if frontier:
        for name, value in _measured(folded, frontier).items():
            _make_constant(folded.graph, name, value)
    _drop_unused(folded.graph)
    return folded


def _inline_constants(graph: Any) -> None:
    """Turn ``Constant`` nodes into initializers, and read initializers directly, not through ``Identity``."""
    stored = {item.name for item in graph.initializer}
    outputs = {item.name for item in graph.output}
    alias: dict[str, str] = {}
    for node in list(graph.node):
        name = node.output[0] if node.output else ""
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = name
            stored.add(name)
            graph.node.remove(node)
        elif node.op_type == "Identity" and node.input[0] in stored and name not in outputs:
            alias[name] = alias.get(node.input[0], node.input[0])
            stored.add(name)
            graph.node.remove(node)
    for node in graph.node:
        node.input[:] = [alias.get(name, name) for name in node.input]


def _shape_frontier(graph: Any) -> list[str]:
    """Outputs of pure shape arithmetic that some other node, such as ``Pad``, takes in."""
    constant = {item.name for item in graph.initializer} | {""}
    of_shape: set[str] = set()
    rest = []
    for node in graph.node:  # ONNX keeps nodes in topological order
        pure = all(name in constant or name in of_shape for name in node.input)
        if node.op_type in ("Shape", "Size") or (pure and of_shape.intersection(node.input)):
            of_shape.update(node.output)
        else:
            rest.append(node)
    taken = {name for node in rest for name in node.input}
    return sorted(of_shape & taken)


def _measured(model: Any, names: list[str]) -> dict[str, np.ndarray]:
    """The values of ``names`` that are the same for every probed batch size."""
    import onnx

    onnxruntime = import_onnxruntime()
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    entry = session.get_inputs()[0]
    runs = []
    for batch in PROBE_BATCHES:
        zeros = np.zeros((batch, *entry.shape[1:]), np.float32)
        runs.append(session.run(names, {entry.name: zeros}))
    return {
        name: first for name, first, second in zip(names, *runs, strict=True) if np.array_equal(first, second)
    }


def _make_constant(graph: Any, name: str, value: np.ndarray) -> None:
    from onnx import numpy_helper

    constant = f"{name}.constant"
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), constant))
    for node in graph.node:
        node.input[:] = [constant if entry == name else entry for entry in node.input]


def _drop_unused(graph: Any) -> None:
    """Remove nodes and initializers nothing reads, and shape notes, which may name tensors that are gone."""
    needed = {item.name for item in graph.output}
    kept = []
    for node in reversed(list(graph.node)):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [item for item in graph.initializer if item.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
