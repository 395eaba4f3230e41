"""PReLU written so that ONNX Runtime keeps its blocked layout, in which it is some 2.5 times as fast."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from vnvision import atomic

# Part of the file's name: raise it when what is written changes.
_VERSION = 1


def for_onnxruntime(path: Path) -> Path:
    """The same model with ``split_prelu``, kept beside it.

    Where onnx is not installed or the folder cannot be written, ``path`` itself: slower, same answers.

    ONNX Runtime has no PReLU for its blocked layout (NCHWc): it leaves and enters that layout around each
    one, and its own PReLU is slow. Two thirds of SFace's time went there.
    """
    made = path.with_name(f"{path.stem}-prelu{_VERSION}.onnx")
    if not made.is_file():
        if importlib.util.find_spec("onnx") is None:
            return path
        try:
            atomic.write_bytes(made, split_prelu(path))
        except OSError:  # a read-only or full disk is no PermissionError
            return path
    return made


def split_prelu(path: Path) -> bytes:
    """An ONNX model whose PReLUs with a slope a channel became ReLUs and 1 x 1 depthwise convolutions.

    PReLU(x) = max(x, 0) + a min(x, 0) = ReLU(x) - a ReLU(-x) (He et al. 2015, "Delving Deep into Rectifiers",
    equation 1). The same numbers are multiplied and nothing is rounded more often, so the result is equal.
    """
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    slopes = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    nodes: list[Any] = []
    for node in graph.node:
        slope = slopes.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or slope.ndim != 3 or slope.shape[1:] != (1, 1):
            nodes.append(node)
            continue
        weights = {"flip": -np.ones_like(slope), "slope": -slope}
        for name, value in weights.items():
            tensor = onnx.numpy_helper.from_array(value[:, None], f"{node.output[0]}_{name}")
            graph.initializer.append(tensor)
        nodes += _parts(node.input[0], node.output[0], len(slope))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _parts(source: str, target: str, channels: int) -> list[Any]:
    from onnx.helper import make_node

    depthwise = {"group": channels, "kernel_shape": [1, 1]}
    return [
        make_node("Relu", [source], [f"{target}_above"]),
        make_node("Conv", [source, f"{target}_flip"], [f"{target}_flipped"], **depthwise),
        make_node("Relu", [f"{target}_flipped"], [f"{target}_below"]),
        make_node("Conv", [f"{target}_below", f"{target}_slope"], [f"{target}_scaled"], **depthwise),
        make_node("Add", [f"{target}_above", f"{target}_scaled"], [target]),
    ]
