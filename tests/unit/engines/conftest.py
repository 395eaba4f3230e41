"""A tiny model whose answer is known in numpy: mean of each channel, then a linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

WEIGHTS = np.random.default_rng(7).normal(size=(3, 4)).astype(np.float32)


@dataclass(frozen=True)
class TinyModel:
    onnx: Path
    xml: Path

    def file(self, engine: str) -> Path:
        return self.xml if engine == "openvino" else self.onnx

    @staticmethod
    def answer(batch: np.ndarray) -> np.ndarray:
        return batch.astype(np.float64).mean(axis=(2, 3)) @ WEIGHTS


def write_onnx(path: Path, shape: tuple, element: int = 1, inputs: int = 1) -> Path:
    from onnx import TensorProto, checker, helper, numpy_helper, save

    names = ["input", "second"][:inputs]
    if element == 11:  # ONNX Runtime pools float32 only
        pool = [helper.make_node("ReduceMean", ["input", "axes"], ["flat"], keepdims=0)]
    else:
        pool = [
            helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
        ]
    nodes = [
        *pool,
        helper.make_node("MatMul", ["flat", "weights"], ["output"]),
        helper.make_node("Neg", ["output"], ["negative"]),
    ]
    if inputs == 2:
        nodes.append(helper.make_node("Abs", ["second"], ["other"]))
    kind = {1: TensorProto.FLOAT, 11: TensorProto.DOUBLE}[element]
    weights = WEIGHTS.astype(np.float64 if element == 11 else np.float32)
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name in names],
        [helper.make_tensor_value_info(name, kind, ["batch", 4]) for name in ("output", "negative")],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    save(model, path)
    return path


@pytest.fixture(scope="session")
def onnx_writer():
    return write_onnx


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> TinyModel:
    from vnvision.engines.openvino import import_openvino

    folder = tmp_path_factory.mktemp("tiny")
    onnx = write_onnx(folder / "model.onnx", ("batch", 3, 5, 7))
    ov = import_openvino()
    ov.save_model(ov.Core().read_model(onnx), folder / "model.xml", compress_to_fp16=False)
    return TinyModel(onnx, folder / "model.xml")
