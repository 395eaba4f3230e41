"""Canonical ONNX -> ncnn's model.ncnn.param and model.ncnn.bin."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vnvision import atomic
from vnvision.engines.ncnn import MAGIC, WEIGHTS_HASH, Layer, import_ncnn, parse_param
from vnvision.engines.seal import BLANK, sealed
from vnvision.errors import ExportError, MissingExtraError
from vnvision.export.graph_file import read_onnx

PARAM, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"
_LIMIT_S = 600
_NEWEST_IR = 10  # pnnx's own ONNX reader stops at 13, and nothing here needs more than 10
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TROUBLE = ("unexpected op_type", "failed", "error", "todo", "not supported")


def to_ncnn(onnx_path: str | Path, folder: str | Path, *, fp16: bool = False) -> tuple[Path, Path]:
    """Write ``model.ncnn.param`` and ``model.ncnn.bin`` into ``folder`` with the program in pnnx's wheel.

    pnnx leaves seven files and pages of text behind; it runs in a folder of its own. In its ``.param`` the
    input gets its size and the blobs the canonical names, outputs in the canonical order; the hashes of both
    files go where ncnn allows a name. Equal ONNX bytes give equal files.

    Args:
        onnx_path: the canonical ONNX file.
        folder: made if absent; nothing half-written stays on failure.
        fp16: store weights in half precision (the arithmetic of ``NcnnEngine`` stays float32).

    Returns:
        The paths of the two files.

    Raises:
        ExportError: pnnx cannot convert the graph, or ncnn has no layer for an operation, which is named.
        MissingExtraError: pnnx, ncnn or onnx is not installed.
    """
    program, source, ncnn = _program(), Path(onnx_path), import_ncnn()
    model = _loaded(source)
    sizes = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    if len(model.graph.input) != 1 or len(sizes) != 3 or min(sizes) < 1:
        raise ExportError(
            f"{source.name} cannot become an ncnn model", expected="one input (batch, C, h, w) of fixed size"
        )
    _sum_without_stacking(model.graph)
    with tempfile.TemporaryDirectory() as scratch:
        taken = Path(scratch) / "model.onnx"
        taken.write_bytes(model.SerializeToString())
        said = _converted(program, taken, sizes, fp16)
        try:
            layers = parse_param((taken.parent / PARAM).read_text("utf-8"))
            weights = (taken.parent / WEIGHTS).read_bytes()
        except (OSError, ValueError) as exc:
            raise ExportError(f"pnnx cannot convert {source.name}", got=said) from exc
    unknown = [f"{layer.kind} ({layer.name})" for layer in layers if ncnn.layer_to_index(layer.kind) < 0]
    if unknown:
        raise ExportError(f"ncnn has no layer for a part of {source.name}", got=", ".join(unknown[:3]))
    text = _named(layers, model.graph, sizes, hashlib.sha256(weights).hexdigest())
    written = atomic.write_bytes(Path(folder) / WEIGHTS, weights)
    try:
        return atomic.write_bytes(Path(folder) / PARAM, sealed(text.encode())), written
    except BaseException:
        written.unlink()
        raise


def _program() -> Path:
    """The program inside pnnx's wheel, found without importing the package: that would load torch."""
    spec = importlib.util.find_spec("pnnx")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    program = Path(folders[0]) / ("pnnx.exe" if os.name == "nt" else "pnnx") if folders else None
    if program is None or not program.is_file():
        raise MissingExtraError("pnnx", "export-ncnn")
    return program


def _loaded(source: Path) -> Any:
    """The ONNX model, in a version of the format that pnnx reads."""
    model = read_onnx(source, f"pnnx cannot convert {source.name}")
    if not model.graph.input:
        raise ExportError(f"pnnx cannot convert {source.name}", got="no ONNX graph with an input")
    model.ir_version = min(model.ir_version, _NEWEST_IR)
    return model


def _sum_without_stacking(graph: Any) -> None:
    """Turn "stack maps along a new axis, sum over it" into plain additions, in the same order.

    The feature pyramid of segmentation-models-pytorch merges its levels so. Stacked maps have five
    dimensions; ncnn has four, and no batch.
    """
    from onnx import helper, numpy_helper

    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}

    def axes(node: Any) -> list[int]:
        plain = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        given = values.get(node.input[1]) if len(node.input) > 1 else None
        return list(plain.get("axes", [])) if given is None else given.reshape(-1).tolist()

    kept = []
    for node in graph.node:
        parts = _stacked(node, makers, axes)
        if len(parts) < 2:
            kept.append(node)
            continue
        total = parts[0]
        for index, part in enumerate(parts[1:], 1):
            name = node.output[0] if index == len(parts) - 1 else f"{node.output[0]}.{index}"
            kept.append(helper.make_node("Add", [total, part], [name], name))
            total = name
    del graph.node[:]
    graph.node.extend(kept)


def _stacked(node: Any, makers: Mapping[str, Any], axes: Callable[[Any], list[int]]) -> list[str]:
    """Names of what a node stacks along a new axis and sums over; none where it does something else."""
    stack = makers.get(node.input[0]) if node.op_type == "ReduceSum" else None
    if stack is None or stack.op_type != "Concat":
        return []
    parts = [makers.get(name) for name in stack.input]
    axis = [stack.attribute[0].i]
    keeps = next((item.i for item in node.attribute if item.name == "keepdims"), 1)
    if keeps or axes(node) != axis:
        return []
    if any(part is None or part.op_type != "Unsqueeze" or axes(part) != axis for part in parts):
        return []
    return [part.input[0] for part in parts if part is not None]


def _converted(program: Path, source: Path, sizes: list[int], fp16: bool) -> str:
    """Run pnnx beside the file; the line that tells what went wrong, or its last."""
    shape = ",".join(map(str, (1, *sizes)))
    command = [str(program), source.name, f"inputshape=[{shape}]f32", f"fp16={int(fp16)}"]
    settings = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}  # it carries an ONNX Runtime
    try:
        done = subprocess.run(
            command, cwd=source.parent, env=settings, capture_output=True, timeout=_LIMIT_S, check=False
        )
    except (subprocess.TimeoutExpired, OSError) as exc:
        raise ExportError(f"pnnx could not run on {source.name}", got=str(exc)[-200:]) from exc
    text = _COLOUR.sub("", (done.stdout + done.stderr).decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line[line.index(word) :] for line in lines for word in _TROUBLE if word in line]
    return (telling or lines or [f"exit status {done.returncode}"])[0 if telling else -1][:300]


def _named(layers: list[Layer], graph: Any, sizes: list[int], weights_sha256: str) -> str:
    """The ``.param`` with canonical names: the input's size and the file's hash go into its first layer.

    ncnn tells outputs in the order of layers, which is not the model's; a last layer for each, which does
    nothing, puts them right and has a name that is free for the hash of the weights.
    """
    ours = [f"out{index}" for index in range(len(graph.output))]
    made = [name for layer in layers for name in layer.tops]
    taken = {name for layer in layers for name in layer.bottoms}
    if made.count("in0") != 1 or sorted(set(made) - taken) != sorted(ours):
        raise ExportError(
            "pnnx lost an input or an output",
            expected=f"in0 and {', '.join(ours)}",
            got=", ".join(sorted(set(made) - taken)),
        )
    channels, height, width = map(str, sizes)
    lines = []
    for layer in layers:
        if layer.kind == "Input":
            layer = layer._replace(name=BLANK, numbers=(f"0={width}", f"1={height}", f"2={channels}"))
        lines.append(_line(layer, {"in0": graph.input[0].name}))
    for index, name in enumerate(ours):
        last = graph.output[index].name
        title = last if index else f"{WEIGHTS_HASH}{weights_sha256}"
        lines.append(_line(Layer("Noop", title, (name,), (last,), ()), {}))
    counts = f"{len(lines)} {len(made) + len(ours)}"
    return "\n".join([MAGIC, counts, *lines]) + "\n"


def _line(layer: Layer, names: dict[str, str]) -> str:
    blobs = [names.get(name, name) for name in (*layer.bottoms, *layer.tops)]
    counts = [str(len(layer.bottoms)), str(len(layer.tops))]
    return " ".join([f"{layer.kind:<24}", f"{layer.name:<24}", *counts, *blobs, *layer.numbers])
