"""The QDQ file against the rounded torch network, in ONNX Runtime and OpenVINO."""

from __future__ import annotations

import collections
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from vnvision.engines.openvino import shared_core
from vnvision.errors import ExportError, MissingExtraError, ModelError
from vnvision.export import to_onnx, to_openvino
from vnvision.export.qdq import to_qdq_onnx
from vnvision.models.quantised import QuantOptions, calibrate, quantise


class Face(torch.nn.Module):
    """Convolution, BatchNorm and PReLU, a residual sum, a linear layer: what face networks are made of."""

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.depth = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.PReLU(8))
        self.norm, self.drop = nn.BatchNorm2d(8), nn.Dropout(0.3)
        self.fc, self.features = nn.Linear(8 * 12 * 16, size), nn.BatchNorm1d(size)
        for layer in self.modules():
            if isinstance(layer, (nn.BatchNorm2d, nn.BatchNorm1d)):
                layer.running_mean.uniform_(-0.3, 0.3)
                layer.running_var.uniform_(0.5, 1.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.drop(self.norm(x + self.depth(x)))
        return self.features(self.fc(x.flatten(1)))


@pytest.fixture
def task(make):
    return make.task(kind="embedding")


def made(options=None, n=32):
    torch.manual_seed(0)
    pictures = torch.randn(n, 3, 24, 32)
    net = quantise(Face().eval(), pictures[:1], options)
    calibrate(net, [pictures])
    return net.eval(), pictures


def run(path, pictures, optimised=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": pictures.numpy()})[0]


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize(
    "options",
    [
        None,
        QuantOptions(activations="int8"),
        QuantOptions(activations="int8_symmetric"),
        QuantOptions(weight_bits=7, percentile=99.9),
        QuantOptions(pre_activation=False),
        QuantOptions(keep_float=("first",)),
        QuantOptions(keep_float=("last",)),
        QuantOptions(learned_steps=True),
    ],
    ids=["uint8", "int8", "symmetric", "7-bit", "joined", "first-float", "last-float", "learned"],
)
def test_onnx_runtime_answers_as_the_rounded_network(options, task, tmp_path):
    net, pictures = made(options)
    to_qdq_onnx(net, task, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", pictures)
    with torch.inference_mode():
        wanted = net(pictures).numpy()
    assert cosines(found, wanted).min() > 0.9999
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())


def test_onnx_runtime_computes_every_layer_in_integers(task, tmp_path):
    net, pictures = made()
    to_qdq_onnx(net, task, tmp_path / "m.onnx")
    run(tmp_path / "m.onnx", pictures, tmp_path / "optimised.onnx")
    counts = collections.Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert (counts["QLinearConv"], counts["QLinearAdd"], counts["QGemm"]) == (3, 1, 1)
    assert not {"Conv", "Gemm", "Add"} & set(counts)


def test_weights_are_stored_as_bytes(task, tmp_path):
    net, _ = made()
    to_qdq_onnx(net, task, tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph
    arrays = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    integers = {name: array.dtype for name, array in arrays.items() if name.endswith(".integers")}
    assert sorted(map(str, integers.values())) == ["int32"] * 4 + ["int8"] * 4
    largest = max(array.nbytes for array in arrays.values())
    assert largest == 8 * 12 * 16 * 4  # the linear layer, a byte a weight
    notes = {item.key: item.value for item in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert notes["vnvision.precision"] == "int8"


def test_layers_of_equal_weights_keep_their_own_biases(task, tmp_path):
    torch.manual_seed(0)
    face = Face().eval()
    twin = torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, 1, 1, groups=8), torch.nn.PReLU(8))
    twin[0].weight.data = face.depth[0].weight.data.clone()
    face.depth = torch.nn.Sequential(face.depth[0], face.depth[2], twin)
    pictures = torch.randn(8, 3, 24, 32)
    net = quantise(face, pictures[:1])
    calibrate(net, [pictures])
    to_qdq_onnx(net, task, tmp_path / "m.onnx")
    with torch.inference_mode():
        assert cosines(run(tmp_path / "m.onnx", pictures), net(pictures).numpy()).min() > 0.9999


def test_a_channel_of_zeros_with_a_bias(task, tmp_path):
    torch.manual_seed(0)
    face = Face().eval()
    face.depth[0].weight.data[3] = 0
    face.depth[0].bias.data[3] = 5.0
    pictures = torch.randn(8, 3, 24, 32)
    net = quantise(face, pictures[:1])
    calibrate(net, [pictures])
    to_qdq_onnx(net, task, tmp_path / "m.onnx")
    with torch.inference_mode():
        wanted = face(pictures).numpy()
    assert cosines(run(tmp_path / "m.onnx", pictures), wanted).min() > 0.99


def test_openvino_reads_it(task, tmp_path):
    pytest.importorskip("openvino")
    for name, options in (("both", None), ("joined", QuantOptions(pre_activation=False))):
        net, pictures = made(options)
        to_qdq_onnx(net, task, tmp_path / "m.onnx")
        xml, _ = to_openvino(tmp_path / "m.onnx", tmp_path / name)
        compiled = shared_core().compile_model(str(xml), "CPU", {"INFERENCE_NUM_THREADS": 1})
        with torch.inference_mode():
            wanted = net(pictures).numpy()
        assert cosines(compiled([pictures.numpy()])["output"], wanted).min() > 0.999, name


def test_equal_weights_give_equal_bytes_and_the_network_stays(task, tmp_path):
    net, pictures = made()
    with torch.inference_mode():
        before = net(pictures)
    for name in "ab":
        to_qdq_onnx(net, task, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with torch.inference_mode():
        assert torch.equal(net(pictures), before)


def test_a_plain_network_is_refused(task, tmp_path):
    with pytest.raises(ExportError, match="not brought to 8-bit integers: expected a QuantisedNet, got Face"):
        to_qdq_onnx(Face(), task, tmp_path / "m.onnx")


def test_a_range_never_measured_is_refused(task, tmp_path):
    net = quantise(Face().eval(), torch.zeros(1, 3, 24, 32))
    with pytest.raises(ExportError, match="the range behind x was never measured"):
        to_qdq_onnx(net, task, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_the_float_exporter_refuses_it(task, tmp_path):
    with pytest.raises(ModelError, match=r"8-bit integers is no float32 file.*to_qdq_onnx"):
        to_onnx(made()[0], task, tmp_path / "m.onnx")


def test_missing_package_names_its_extra(monkeypatch, task, tmp_path):
    net, _ = made()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"onnx is not installed.*vnvision\[export-onnx\]"):
        to_qdq_onnx(net, task, tmp_path / "m.onnx")
