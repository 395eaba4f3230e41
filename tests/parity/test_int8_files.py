"""Files in 8-bit integers against the float32 network, in ONNX Runtime and OpenVINO."""

from __future__ import annotations

import collections
import contextlib
from pathlib import Path

import numpy as np
import pytest

from vnvision.engines import open_engine
from vnvision.errors import ConfigError, ExportError
from vnvision.export import to_onnx
from vnvision.export.int8_equalise import equalise, gentle_slopes
from vnvision.export.int8_fold import read_graph
from vnvision.export.int8_onnx import Int8Options, int8_model, to_int8_onnx
from vnvision.export.int8_openvino import to_int8_openvino
from vnvision.export.int8_ranges import measured
from vnvision.export.int8_search import mean_cosine
from vnvision.spec import PreprocessSpec, TaskSpec

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
SIDE = 24
TASK = TaskSpec(
    kind="embedding", preprocess=PreprocessSpec(size_px=(SIDE, SIDE)), embedding_dim=6, score="cosine"
)


@pytest.fixture(scope="module", params=["prelu", "relu6"])
def made(request, tmp_path_factory):
    from int8_net import Net

    torch.manual_seed(0)
    net = Net(request.param).eval()
    file = tmp_path_factory.mktemp("net") / "model.onnx"
    to_onnx(net, TASK, file)
    pictures = torch.nn.functional.interpolate(torch.randn(48, 3, 6, 6), size=(SIDE, SIDE)).numpy()
    with torch.inference_mode():
        wanted = net(torch.from_numpy(pictures[32:])).numpy()
    return file, pictures[:32], pictures[32:], wanted


def answers(file, engine, pictures):
    with contextlib.closing(open_engine(file, engine, threads=1)) as opened:
        return opened.run(pictures)[0]


def in_float32(graph, pictures):
    session = ort.InferenceSession(graph.written().SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": pictures})[0]


def test_both_engines_answer_as_float32_on_pictures_not_measured(made, tmp_path):
    file, calibration, fresh, wanted = made
    found = to_int8_onnx(file, tmp_path / "m.onnx", calibration=calibration)
    to_int8_openvino(file, tmp_path / "ov", calibration=calibration)
    by_ort, by_ov = (
        answers(tmp_path / "m.onnx", "onnxruntime", fresh),
        answers(tmp_path / "ov/model.xml", "openvino", fresh),
    )
    assert found.reached
    assert mean_cosine(by_ort, wanted) > 0.99
    assert mean_cosine(by_ov, wanted) > 0.99
    assert answers(tmp_path / "m.onnx", "onnxruntime", fresh[:1]).shape == (1, 6)


def test_onnx_runtime_computes_every_layer_in_integers(made, tmp_path):
    file, calibration, _, _ = made
    to_int8_onnx(file, tmp_path / "m.onnx", calibration=calibration)
    options = ort.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "o.onnx"), 3
    ort.InferenceSession(str(tmp_path / "m.onnx"), options, providers=["CPUExecutionProvider"])
    counts = collections.Counter(node.op_type for node in onnx.load(tmp_path / "o.onnx").graph.node)
    doubled = 3 if "PRelu" in {node.op_type for node in onnx.load(file).graph.node} else 0
    assert (counts["QLinearConv"], counts["QLinearAdd"], counts["QGemm"]) == (4 + doubled, 1, 1)
    assert (counts["Max"], counts["DequantizeLinear"], counts["QuantizeLinear"]) == (doubled, 0, 1)
    assert not {"Conv", "Gemm", "PRelu", "Add", "Clip", "Relu"} & set(counts)


def test_a_picture_gets_channels_of_zeros_for_onnx_runtime_alone(made, tmp_path):
    file, calibration, _, _ = made
    written = {}
    for join_prelu in (False, True):
        model, _ = int8_model(file, calibration, Int8Options(), join_prelu=join_prelu)
        first = next(node for node in model.graph.node if node.op_type == "Conv")
        stored = {item.name: tuple(item.dims) for item in model.graph.initializer}
        written[join_prelu] = stored[f"{first.input[1]}.integers"]
    assert written == {False: (16, 4, 3, 3), True: (16, 3, 3, 3)}


def test_rewrites_change_nothing_in_float32(made):
    file, calibration, fresh, wanted = made
    graph = read_graph(file)
    kinds = {node.op_type for node in graph.nodes}
    assert not {"BatchNormalization", "Pad", "Cast", "Identity"} & kinds
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(in_float32(graph, fresh), wanted, atol=1e-5 * scale)
    names = ["input", *(node.output[0] for node in graph.nodes if node.op_type in ("Conv", "PRelu", "Clip"))]
    pairs = equalise(graph, measured(graph, names, calibration))
    assert pairs == (2 if "PRelu" in kinds else 0)
    gentle_slopes(graph)
    np.testing.assert_allclose(in_float32(graph, fresh), wanted, atol=1e-5 * scale)
    if "PRelu" in kinds:
        ranges = measured(graph, names, calibration)
        wide = next(node for node in graph.layers() if len(graph.arrays[node.input[1]]) == 32)
        act = graph.only_reader(wide.output[0])
        top = ranges[act.output[0]].channel_top
        slopes = [graph.arrays[node.input[1]] for node in graph.nodes if node.op_type == "PRelu"]
        assert max(slope.max() for slope in slopes) <= 1
        assert top.max() / top.min() < 1.3  # before a depthwise layer, level


def test_equal_inputs_give_equal_bytes(made, tmp_path):
    file, calibration, _, _ = made
    for name in ("a", "b"):
        to_int8_onnx(file, tmp_path / f"{name}.onnx", calibration=calibration)
        to_int8_openvino(file, tmp_path / name, calibration=calibration)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    for part in ("model.xml", "model.bin"):
        assert (tmp_path / "a" / part).read_bytes() == (tmp_path / "b" / part).read_bytes()


def test_weights_only(made, tmp_path):
    file, calibration, fresh, wanted = made
    options = Int8Options(weights_only=True)
    to_int8_onnx(file, tmp_path / "m.onnx", calibration=calibration, options=options)
    to_int8_openvino(file, tmp_path / "ov", calibration=calibration, options=options)
    assert mean_cosine(answers(tmp_path / "m.onnx", "onnxruntime", fresh), wanted) > 0.999
    assert mean_cosine(answers(tmp_path / "ov/model.xml", "openvino", fresh), wanted) > 0.999
    assert (tmp_path / "m.onnx").stat().st_size < 0.5 * file.stat().st_size
    assert (tmp_path / "ov/model.bin").stat().st_size < 0.4 * file.stat().st_size


def test_costly_layers_stay_in_float32(made, tmp_path):
    file, calibration, fresh, wanted = made
    plain = to_int8_onnx(
        file, tmp_path / "p.onnx", calibration=calibration, options=Int8Options(least_cosine=0)
    )
    options = Int8Options(least_cosine=1, float_share=0.5)
    kept = to_int8_onnx(file, tmp_path / "k.onnx", calibration=calibration, options=options)
    assert plain.in_float == ()
    assert 0 < len(kept.in_float) <= 2
    assert kept.cosine > kept.before
    assert not kept.reached
    stored = {item.name for item in onnx.load(tmp_path / "k.onnx").graph.initializer}
    assert not any(f"{name}.weight.integers" in stored for name in kept.in_float)
    assert mean_cosine(answers(tmp_path / "k.onnx", "onnxruntime", fresh), wanted) > 0.99


def test_nncf(made, tmp_path):
    pytest.importorskip("nncf")
    file, calibration, fresh, wanted = made
    found = to_int8_openvino(
        file, tmp_path / "n", calibration=calibration, method="nncf", preset="performance"
    )
    answer = answers(tmp_path / "n" / "model.xml", "openvino", fresh)
    assert found.cosine > 0.98
    assert mean_cosine(answer, wanted) > 0.98


def test_refusals(made, tmp_path):
    file, calibration, _, _ = made
    for none in (None, calibration[:0]):
        for write in (to_int8_onnx, to_int8_openvino):
            with pytest.raises(ExportError, match=r"^8-bit integers need calibration images: expected"):
                write(file, tmp_path / "x", calibration=none)
    with pytest.raises(ExportError, match=r"calibration images are wrong: expected .* float64"):
        to_int8_onnx(file, tmp_path / "x", calibration=calibration.astype(np.float64))
    with pytest.raises(ExportError, match=r"do not fit the model: expected \[3, 24, 24\], got \(3, 12, 24\)"):
        to_int8_onnx(file, tmp_path / "x", calibration=calibration[:, :, :12].copy())
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xff no model")
    with pytest.raises(ExportError, match=r"is not an ONNX model"):
        to_int8_onnx(tmp_path / "bad.onnx", tmp_path / "x", calibration=calibration)
    with pytest.raises(ConfigError, match=r"least_cosine is wrong: expected 0..1, got 2"):
        Int8Options(least_cosine=2)
    with pytest.raises(ConfigError, match=r"method or preset is wrong"):
        to_int8_openvino(file, tmp_path / "x", calibration=calibration, method="other")
    assert not Path(tmp_path / "x").exists()
