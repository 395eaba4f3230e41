"""Canonical ONNX -> ONNX in 8-bit integers for ONNX Runtime (QDQ)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision import atomic
from vnvision.errors import ConfigError, ExportError
from vnvision.export.int8_equalise import equalise, gentle_slopes
from vnvision.export.int8_fold import read_graph
from vnvision.export.int8_graph import Graph
from vnvision.export.int8_qdq import quantised, weights_only
from vnvision.export.int8_ranges import Ranges, measured, run_model
from vnvision.export.int8_rounding import rounded_layers
from vnvision.export.int8_search import Fidelity, search

_JUDGED = 64  # calibration images that the search looks at


@dataclass(frozen=True, slots=True)
class Int8Options:
    """How a trained network is brought to 8-bit integers, without training.

    Attributes:
        weights_only: integers only in the file; arithmetic in float32.
        equalise: bring channels to like sizes first (``int8_equalise``).
        compensate: round weights with regard to what the layers read, and let biases make up for what is
            left (``int8_rounding``): fitted to pictures like the calibration images. Else each weight goes to
            the nearest integer.
        least_cosine: mean cosine to float32, on the calibration images, below which the costliest layers
            are left in float32.
        float_share: the part of the layers that may be.

    Raises:
        ConfigError: an option out of range.
    """

    weights_only: bool = False
    equalise: bool = True
    compensate: bool = True
    least_cosine: float = 0.99
    float_share: float = 0.25

    def __post_init__(self) -> None:
        for name in ("least_cosine", "float_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is wrong", expected="0..1", got=str(getattr(self, name)))


def to_int8_onnx(
    onnx_path: str | Path, path: str | Path, *, calibration: np.ndarray, options: Int8Options | None = None
) -> Fidelity:
    """Write a QDQ file: weights int8 with a step a channel, activations uint8, sums and biases int32.

    Equal inputs give equal bytes on one machine. PReLU is written as the greater of two convolutions of
    integers, since ONNX Runtime has no kernel for it in integers and a slow one in float32; the weights of
    such a layer are stored twice.

    Args:
        onnx_path: the canonical ONNX file.
        path: the file to write; whole or absent.
        calibration: (N, C, H, W) float32, normalised as the model takes them; see ``calibration_set``.
        options: see ``Int8Options``.

    Returns:
        How near it is to float32, and what stayed in float32.

    Raises:
        ExportError: no calibration images, not an ONNX model, no layer in it, or an invalid result.
        MissingExtraError: onnx is not installed.
    """
    model, found = int8_model(onnx_path, calibration, options or Int8Options(), join_prelu=False)
    atomic.write_bytes(path, model.SerializeToString(deterministic=True))
    return found


def int8_model(
    onnx_path: str | Path, calibration: np.ndarray, options: Int8Options, *, join_prelu: bool
) -> tuple[Any, Fidelity]:
    """The ``onnx.ModelProto`` of integers, and how near it is.

    Args:
        onnx_path: the canonical ONNX file.
        calibration: (N, C, H, W) float32.
        options: see ``Int8Options``.
        join_prelu: for engines that compute a convolution and its PReLU at once.
    """
    graph, inputs = read_graph(onnx_path), checked(calibration)
    _check_fits(graph, inputs)
    wanted = _first_output(graph.written(), inputs[:_JUDGED])
    ranges: dict[str, Ranges] = {} if options.weights_only else _prepared(graph, inputs, options)
    rounded = rounded_layers(graph, ranges, inputs if options.compensate else None)

    def model(in_float: Sequence[str]) -> Any:
        if options.weights_only:
            return weights_only(graph, rounded, in_float=in_float)
        return quantised(graph, ranges, rounded, in_float=in_float, join_prelu=join_prelu)

    layers = [node.output[0] for node in graph.layers()]
    found = search(
        layers, lambda names: _first_output(model(names), inputs[:_JUDGED]), wanted,
        least_cosine=options.least_cosine, most=int(options.float_share * len(layers)),
    )  # fmt: skip
    return _finished(model(found.in_float)), found


def checked(calibration: np.ndarray | None) -> np.ndarray:
    """Calibration images as they are needed.

    Raises:
        ExportError: there are none, or they are no (N, C, H, W) float32.
    """
    if calibration is None or not len(calibration):
        raise ExportError(
            "8-bit integers need calibration images",
            expected="(N, C, H, W) float32 of training or validation images",
            got="none",
            fix="pass calibration=MANIFEST (--calibration MANIFEST)",
        )
    if calibration.ndim != 4 or calibration.dtype != np.float32 or not np.isfinite(calibration).all():
        raise ExportError(
            "calibration images are wrong",
            expected="(N, C, H, W) float32, finite",
            got=f"{calibration.shape} {calibration.dtype}",
        )
    return calibration


def _check_fits(graph: Graph, inputs: np.ndarray) -> None:
    sides = [side.dim_value for side in graph.model.graph.input[0].type.tensor_type.shape.dim][1:]
    if len(sides) != 3 or any(a not in (0, b) for a, b in zip(sides, inputs.shape[1:], strict=True)):
        raise ExportError(
            "calibration images do not fit the model", expected=str(sides), got=str(inputs.shape[1:])
        )


def _prepared(graph: Graph, inputs: np.ndarray, options: Int8Options) -> dict[str, Ranges]:
    """Rewrite the graph, exactly, and measure it."""
    if options.equalise:
        equalise(graph, measured(graph, _tensors(graph), inputs))
    gentle_slopes(graph)
    return measured(graph, _tensors(graph), inputs)


def _tensors(graph: Graph) -> list[str]:
    """The input, and every float32 tensor made of it."""
    import onnx

    known = onnx.shape_inference.infer_shapes(graph.written()).graph
    kinds = {item.name: item.type.tensor_type.elem_type for item in (*known.value_info, *known.output)}
    made = [name for node in graph.nodes for name in node.output if kinds.get(name) == onnx.TensorProto.FLOAT]
    return [graph.model.graph.input[0].name, *made]


def _first_output(model: Any, inputs: np.ndarray) -> np.ndarray:
    first = model.graph.output[0].name
    return np.concatenate([out[0] for out in run_model(model.SerializeToString(), inputs, [first])])


def _finished(model: Any) -> Any:
    import onnx

    notes = {item.key: item.value for item in model.metadata_props} | {"vnvision.precision": "int8"}
    onnx.helper.set_model_props(model, notes)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        raise ExportError("the graph of integers is not valid ONNX", got=str(exc)[:300]) from exc
    return model
