"""A network trained for 8-bit integers -> ONNX with QuantizeLinear and DequantizeLinear around every layer.

The form that ONNX Runtime, OpenVINO, TensorRT and NPU converters read as "compute this in integers".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision.errors import ExportError, MissingExtraError
from vnvision.export.fold import fold_shapes
from vnvision.export.int8_nodes import shared_zeros
from vnvision.export.onnx import OPSET, _traced, write_graph
from vnvision.export.reference import frozen_copy
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

_LAYERS = ("Conv", "Gemm")
_MOVING = ("Flatten", "Reshape", "Transpose", "MaxPool", "Squeeze", "Unsqueeze")
Integers = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray | None]]
"""By the name of a weight: int8 weight, (out,) steps, int32 bias; no bias where the input is not rounded."""


def to_qdq_onnx(
    net: torch.nn.Module, task: TaskSpec, path: str | Path, *, opset: int = OPSET, name: str = "model"
) -> None:
    """Write a quantised network as one ONNX file: weights int8, biases int32, activations as rounded.

    Input and output are those of ``to_onnx``: (batch, C, h, w) float32 in, normalised, raw float32 out. The
    file computes what ``net`` computes in evaluation mode, but that sums run in integers instead of float32:
    a number nearly halfway between two integers may become the other one. Equal weights give equal bytes.

    Args:
        net: a ``QuantisedNet``, trained or calibrated; it stays as it is.
        task: gives the input's size, and is named in the file's metadata.
        path: the file to write.
        opset: ONNX operator set, 13 or newer.
        name: what the model is called, in the file's metadata.

    Raises:
        ExportError: no quantised network, ranges that were never measured, or no valid graph.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as exc:
        raise MissingExtraError("onnx", "export-onnx") from exc
    frozen, layers = _with_constants(net)
    raw, exporter = _traced(frozen, task, opset)
    model = fold_shapes(onnx.load_model_from_string(raw))
    _round_behind_moves(model.graph)
    _store_layers(model.graph, layers)
    del model.graph.value_info[:]
    write_graph(model, task, path, name=name, notes={"exporter": exporter, "precision": "int8"})


def _with_constants(net: torch.nn.Module) -> tuple[torch.nn.Module, Integers]:
    """A copy whose grids are numbers and whose layers are plain, as the exporter needs them; the integers."""
    import torch

    from vnvision.models.quantised import QuantisedConv2d, QuantisedLinear, QuantisedNet, integers, plain

    if not isinstance(net, QuantisedNet):
        raise ExportError(
            "the network was not brought to 8-bit integers",
            expected="a QuantisedNet",
            got=type(net).__name__,
            fix="train it with qat, or use vnvision.models.quantised.quantise and calibrate",
        )
    copied: Any = frozen_copy(net)
    for name, one in copied.quantisers().items():
        if not int(one.seen):
            raise ExportError(
                f"the range behind {name.rpartition('.')[2]} was never measured",
                fix="train the network, or calibrate it on pictures",
            )
        copied.set_submodule(name, one.fixed())
    layers: Integers = {}
    found = [(n, m) for n, m in copied.named_modules() if isinstance(m, (QuantisedConv2d, QuantisedLinear))]
    for number, (name, layer) in enumerate(found):
        weight, steps, bias = integers(layer, layer.ends[0].grid()[0] if layer.ends else None)
        whole = bias.numpy().astype(np.int32) if bias is not None and layer.ends else None
        layers[f"{name}.weight"] = weight.numpy().astype(np.int8), steps.numpy(), whole
        made = plain(layer)
        # The exporter gives equal tensors one name; weights come from ``layers``, so each gets its number.
        made.weight.data = torch.full_like(made.weight, number)
        copied.set_submodule(name, made)
    return copied, layers


def _round_behind_moves(graph: Any) -> None:
    """Repeat the pair of QuantizeLinear and DequantizeLinear behind what only moves numbers.

    Runtimes look for the pair directly at a layer; it rounds nothing a second time.
    """
    from onnx import helper

    pairs = {}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "DequantizeLinear":
            pairs[node.output[0]] = list(node.input[1:])
        elif node.op_type in _MOVING and node.input[0] in pairs:
            grid, name = pairs[node.input[0]], node.output[0]
            node.output[0] = f"{name}.moved"
            nodes.append(
                helper.make_node("QuantizeLinear", [f"{name}.moved", *grid], [f"{name}.q"], f"{name}.q")
            )
            nodes.append(helper.make_node("DequantizeLinear", [f"{name}.q", *grid], [name], f"{name}.dq"))
            pairs[name] = grid
    del graph.node[:]
    graph.node.extend(nodes)


def _store_layers(graph: Any, layers: Integers) -> None:
    """Weights as int8 and biases as int32, each through a DequantizeLinear."""
    from onnx import numpy_helper

    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    nodes: list[Any] = []
    input_steps, written = {}, 0
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            input_steps[node.output[0]] = stored.get(node.input[1])
        elif node.op_type in _LAYERS and node.input[1] in layers:
            written += 1
            weight, steps, bias = layers[node.input[1]]
            nodes.append(_dequantised(graph, node, 1, weight, steps))
            step = input_steps.get(node.input[0])
            if bias is not None and step is not None:
                nodes.append(_dequantised(graph, node, 2, bias, np.float32(step) * steps))
        nodes.append(node)
    if written < len(layers):
        raise ExportError("the exporter lost layers", expected=str(len(layers)), got=str(written))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _dequantised(graph: Any, node: Any, place: int, integers: np.ndarray, steps: np.ndarray) -> Any:
    """Store integers and steps, and let an input of a node read them."""
    from onnx import helper, numpy_helper

    name = f"{node.output[0]}.{'weight' if place == 1 else 'bias'}"
    zeros = shared_zeros(len(steps), integers.dtype)
    parts = {f"{name}.integers": integers, f"{name}.steps": steps}
    if all(item.name != zeros for item in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(np.zeros(len(steps), integers.dtype), zeros))
    for key, array in parts.items():
        graph.initializer.append(numpy_helper.from_array(array, key))
    node.input[place] = name
    return helper.make_node("DequantizeLinear", [*parts, zeros], [name], name, axis=0)
