from __future__ import annotations

import copy
import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from vnvision.errors import ExportError
from vnvision.export import onnx as export_onnx
from vnvision.export import to_onnx
from vnvision.export.fold import fold_shapes


def answers(path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["output"], {"input": x})[0]


def test_file_is_canonical(net, task, tmp_path):
    path = tmp_path / "model.onnx"
    assert to_onnx(net, task, path, name="leaf") is None
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    (entry,), (out,) = model.graph.input, model.graph.output
    dims = [d.dim_param or d.dim_value for d in entry.type.tensor_type.shape.dim]
    assert (entry.name, dims) == ("input", ["batch", 3, 24, 32])
    assert out.name == "output"
    assert out.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert out.type.tensor_type.shape.dim[1].dim_value == 4
    assert entry.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert model.opset_import[0].version == 18
    notes = {item.key: item.value for item in model.metadata_props}
    assert notes["vnvision.name"] == "leaf"
    assert notes["vnvision.spec"] == task.fingerprint()
    assert notes["vnvision.preprocess"] == task.preprocess.fingerprint()
    assert [item.name for item in tmp_path.iterdir()] == ["model.onnx"]  # no external data, no leftovers
    assert all(item.data_location == onnx.TensorProto.DEFAULT for item in model.graph.initializer)


def test_answers_equal_torch_for_any_batch(net, task, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    for n in (1, 2, 5):
        x = rng.normal(size=(n, 3, 24, 32)).astype(np.float32)
        with torch.inference_mode():
            expected = copy.deepcopy(net).eval()(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(answers(tmp_path / "m.onnx", x), expected, atol=1e-5)


def test_batchnorm_is_folded_and_dropout_gone(net, task, tmp_path):
    to_onnx(net.train(), task, tmp_path / "m.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert not kinds & {"BatchNormalization", "Dropout", "Identity", "Constant"}


def test_module_state_is_untouched(net, task, tmp_path):
    net.train()
    net.body[1].eval()  # a mixture of modes survives
    net.half()
    net.head.weight.grad = torch.ones_like(net.head.weight)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    modes = [layer.training for layer in net.modules()]
    to_onnx(net, task, tmp_path / "m.onnx")
    assert [layer.training for layer in net.modules()] == modes
    assert net.head.weight.dtype == torch.float16
    assert net.head.weight.requires_grad
    assert net.head.weight.grad is not None
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in before.items())


def test_equal_weights_give_equal_bytes(net, task, tmp_path):
    to_onnx(net, task, tmp_path / "a.onnx")
    to_onnx(copy.deepcopy(net).to(memory_format=torch.channels_last), task, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_is_silent(net, task, tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(net, task, tmp_path / "m.onnx")
    assert capfd.readouterr() == ("", "")


def test_module_that_cannot_be_traced_is_named(net, task, tmp_path, monkeypatch):
    def broken(*args, dynamo, **kwargs):
        raise RuntimeError("graph says no\nand more") if dynamo else TypeError("trace says no")

    monkeypatch.setattr("vnvision.export.onnx._export", broken)
    with pytest.raises(
        ExportError, match="torchscript: trace says no; dynamo: graph says no; its forward must"
    ):
        to_onnx(net, task, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_graph_exporter_takes_over_where_tracing_fails(net, task, tmp_path, monkeypatch):
    def graph_only(*args, dynamo, **kwargs):
        if not dynamo:
            raise RuntimeError("gone from torch")
        real(*args, dynamo=True, **kwargs)

    real = export_onnx._export
    to_onnx(net, task, tmp_path / "traced.onnx")
    monkeypatch.setattr(export_onnx, "_export", graph_only)
    to_onnx(net, task, tmp_path / "graph.onnx")
    notes = {item.key: item.value for item in onnx.load(tmp_path / "graph.onnx").metadata_props}
    assert notes["vnvision.exporter"] == "dynamo"
    x = np.random.default_rng(0).normal(size=(5, 3, 24, 32)).astype(np.float32)
    first, second = (answers(tmp_path / name, x) for name in ("traced.onnx", "graph.onnx"))
    np.testing.assert_allclose(first, second, atol=1e-5)


class Padded(torch.nn.Module):
    """Padding computed from the input's shape, as TensorFlow's "same" is; pooled over the batch's shape."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, x):
        h, w = x.shape[-2:]
        need = [max((-(-size // 2) - 1) * 2 + 3 - size, 0) for size in (h, w)]
        y = torch.nn.functional.pad(
            x, [need[1] // 2, need[1] - need[1] // 2, need[0] // 2, need[0] - need[0] // 2]
        )
        return self.conv(y).reshape(x.shape[0], -1)


def test_shape_arithmetic_becomes_constants(tmp_path):
    buffer = io.BytesIO()
    net, x = Padded().eval(), torch.randn(2, 3, 24, 32)
    axes = {"input": {0: "batch"}, "output": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (x,), buffer, dynamo=False, input_names=["input"], output_names=["output"],
            dynamic_axes=axes, opset_version=18,
        )  # fmt: skip
    raw = onnx.load_model_from_string(buffer.getvalue())
    folded = fold_shapes(raw)
    onnx.checker.check_model(folded, full_check=True)
    count = [sum(node.op_type == "Shape" for node in model.graph.node) for model in (raw, folded)]
    assert count[0] >= 3
    assert count[1] == 1  # the batch's own size stays
    assert len(folded.graph.node) < len(raw.graph.node) / 3
    (tmp_path / "f.onnx").write_bytes(folded.SerializeToString())
    for n in (1, 5):
        x = torch.randn(n, 3, 24, 32)
        np.testing.assert_allclose(
            answers(tmp_path / "f.onnx", x.numpy()), net(x).detach().numpy(), atol=1e-5
        )


def test_fold_leaves_control_flow_alone():
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["input"], ["y"])], "b", [],
        [onnx.helper.make_tensor_value_info("y", 1, None)],
    )  # fmt: skip
    nodes = [
        onnx.helper.make_node("Constant", [], ["yes"], value=onnx.helper.make_tensor("t", 9, [], [True])),
        onnx.helper.make_node("If", ["yes"], ["output"], then_branch=branch, else_branch=branch),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("input", 1, ["batch", 1, 2, 2])],
        [onnx.helper.make_tensor_value_info("output", 1, None)],
    )  # fmt: skip
    model = onnx.helper.make_model(graph)
    assert fold_shapes(model) == model
