"""What integrators do to a model's graph: each planted fault as nodes behind the input of an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from vnvision.spec import PreprocessSpec

LEVELS = 255.0


def normalise_again(path: Path, spec: PreprocessSpec) -> None:
    """Normalisation inside the file, as ``Normalize`` in front of the network; it is done outside as well."""
    mean, std = _column(spec.mean), _column(spec.std)
    _affine(path, 1 / std, -mean / std)


def scale_and_normalise_again(path: Path, spec: PreprocessSpec) -> None:
    """The same with ``/ 255`` before it: normalised 0..1 is taken for levels (Frigate 22319)."""
    mean, std = _column(spec.mean), _column(spec.std)
    _affine(path, 1 / (LEVELS * std), -mean / std)


def levels_for_unit(path: Path, spec: PreprocessSpec) -> None:
    """Range 0-255 where 0-1 is due, then mean and deviation."""
    _affine(
        path, np.full_like(_column(spec.std), LEVELS), (LEVELS - 1) * _column(spec.mean) / _column(spec.std)
    )


def unit_twice(path: Path, spec: PreprocessSpec) -> None:
    """Divided by 255 twice, then mean and deviation."""
    rest = (1 / LEVELS - 1) * _column(spec.mean) / _column(spec.std)
    _affine(path, np.full_like(rest, 1 / LEVELS), rest)


def times_levels(path: Path, spec: PreprocessSpec) -> None:
    """The normalised input multiplied by 255."""
    _affine(path, np.full_like(_column(spec.std), LEVELS), None)


def over_levels(path: Path, spec: PreprocessSpec) -> None:
    """The normalised input divided by 255."""
    _affine(path, np.full_like(_column(spec.std), 1 / LEVELS), None)


def swap_channels(path: Path, spec: PreprocessSpec) -> None:
    """Blue first: the planes of the input in reverse, taken apart and put together again."""
    model = onnx.load(str(path))
    graph, entry, planes = model.graph, model.graph.input[0].name, ["planted.r", "planted.g", "planted.b"]
    for node in graph.node:
        node.input[:] = ["planted.bgr" if name == entry else name for name in node.input]
    graph.node.insert(0, helper.make_node("Split", [entry], planes, "planted.planes", axis=1, num_outputs=3))
    graph.node.insert(1, helper.make_node("Concat", planes[::-1], ["planted.bgr"], "planted.bgr", axis=1))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def swap_first_layer(path: Path, spec: PreprocessSpec) -> None:
    """Weights of a network trained blue first: the first layer's input channels in reverse."""
    model = onnx.load(str(path))
    read, first = model.graph.input[0].name, model.graph.node[0]
    while first.op_type != "Conv":  # some pad the input before it
        (first,) = (
            node for node in model.graph.node if read in node.input and node.op_type in ("Conv", "Pad")
        )
        read = first.output[0]
    (weight,) = (item for item in model.graph.initializer if item.name == first.input[1])
    flipped = np.ascontiguousarray(numpy_helper.to_array(weight)[:, ::-1])
    weight.CopyFrom(numpy_helper.from_array(flipped, weight.name))
    onnx.save(model, str(path))


def planes_as_pixels(path: Path, spec: PreprocessSpec) -> None:
    """The memory of (C, h, w) read as (h, w, C)."""
    height, width = spec.size_px
    shape = np.array([-1, height, width, spec.channels])
    _insert(path, [("Reshape", {"shape": shape}, {}), ("Transpose", {}, {"perm": [0, 3, 1, 2]})])


def pixels_as_planes(path: Path, spec: PreprocessSpec) -> None:
    """The memory of (h, w, C) read as (C, h, w)."""
    shape = np.array([-1, spec.channels, *spec.size_px])
    _insert(path, [("Transpose", {}, {"perm": [0, 2, 3, 1]}), ("Reshape", {"shape": shape}, {})])


def in_float(path: Path, out: Path) -> None:
    """A QDQ file computed in float32: values are rounded and cut off as 8-bit integers have them.

    ncnn's own 8-bit converter is a program that this project does not carry; so its arithmetic is put into a
    float32 file, which then goes the ordinary way.
    """
    model = onnx.load(str(path))
    graph = model.graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    _without_idle_channels(graph, values)
    kept: list[Any] = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            kept += _rounded(node, values)
        elif node.op_type == "DequantizeLinear" and node.input[0] in values:
            axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
            whole, step = values[node.input[0]].astype(np.float64), values[node.input[1]]
            sides = [-1 if step.ndim and i == axis else 1 for i in range(whole.ndim)]
            zero = values[node.input[2]].astype(np.float64).reshape(sides)
            values[node.output[0]] = ((whole - zero) * step.reshape(sides)).astype(np.float32)
        elif node.op_type == "DequantizeLinear":
            step, zero = (values[name].astype(np.float32).reshape(1) for name in node.input[1:])
            names = [f"{node.output[0]}.{part}" for part in ("minus", "by", "off")]
            values |= {names[0]: zero, names[1]: step}
            kept.append(helper.make_node("Sub", [node.input[0], names[0]], [names[2]], names[2]))
            kept.append(helper.make_node("Mul", [names[2], names[1]], list(node.output), node.output[0]))
        else:
            kept.append(node)
    _replace(graph, kept, values)
    del graph.value_info[:]
    onnx.save(model, str(out))


def _without_idle_channels(graph: Any, values: dict[str, np.ndarray]) -> None:
    """Take away the zero channels that a QDQ file may add to its input for speed: ncnn cannot add any."""
    makers = {name: node for node in graph.node for name in node.output}
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        source = makers.get(pad.input[0])
        if source is None or source.op_type != "QuantizeLinear":
            continue
        idle = int(values[pad.input[1]][5])  # behind the last channel
        read = [node for node in graph.node if pad.output[0] in node.input]
        for conv in (node for node in graph.node if node.input[0] in {r.output[0] for r in read}):
            weight = makers[conv.input[1]].input[0]
            values[weight] = values[weight][:, :-idle]
        for node in read:
            node.input[0] = pad.input[0]
        graph.node.remove(pad)


def _rounded(node: Any, values: dict[str, np.ndarray]) -> list[Any]:
    """QuantizeLinear to uint8, the integers kept as float32."""
    name = node.output[0]
    step, zero = (values[one].astype(np.float32).reshape(1) for one in node.input[1:])
    parts = {f"{name}.per": 1 / step, f"{name}.plus": zero}
    parts |= {f"{name}.low": np.float32(0), f"{name}.high": np.float32(LEVELS)}
    values |= {key: np.asarray(value, np.float32) for key, value in parts.items()}
    per, plus, low, high = parts
    return [
        helper.make_node("Mul", [node.input[0], per], [f"{name}.steps"], f"{name}.steps"),
        helper.make_node("Round", [f"{name}.steps"], [f"{name}.whole"], f"{name}.whole"),
        helper.make_node("Add", [f"{name}.whole", plus], [f"{name}.moved"], f"{name}.moved"),
        helper.make_node("Clip", [f"{name}.moved", low, high], [name], name),
    ]


def _replace(graph: Any, nodes: list[Any], values: dict[str, np.ndarray]) -> None:
    """Nodes and those constants that they read."""
    read = {name for node in nodes for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    kept = {name: value for name, value in values.items() if name in read}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in kept.items())


def _column(values: tuple[float, ...]) -> np.ndarray:
    return np.asarray(values, np.float64).reshape(1, -1, 1, 1)


def _affine(path: Path, factor: np.ndarray, offset: np.ndarray | None) -> None:
    """``x * factor + offset`` behind the input."""
    parts: list[tuple[str, dict[str, np.ndarray], dict[str, Any]]]
    parts = [("Mul", {"factor": factor.astype(np.float32)}, {})]
    if offset is not None:
        parts.append(("Add", {"offset": offset.astype(np.float32)}, {}))
    _insert(path, parts)


def _insert(path: Path, parts: list[tuple[str, dict[str, np.ndarray], dict[str, Any]]]) -> None:
    """Put operations between the input and whatever reads it."""
    model = onnx.load(str(path))
    graph, entry = model.graph, model.graph.input[0].name
    last = f"planted.{len(parts) - 1}"
    for node in graph.node:
        node.input[:] = [last if name == entry else name for name in node.input]
    before = entry
    for index, (kind, constants, options) in enumerate(parts):
        for name, value in constants.items():
            graph.initializer.append(numpy_helper.from_array(value, f"planted.{name}"))
        names = [before, *(f"planted.{name}" for name in constants)]
        before = f"planted.{index}"
        graph.node.insert(index, helper.make_node(kind, names, [before], before, **options))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
