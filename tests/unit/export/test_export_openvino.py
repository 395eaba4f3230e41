from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from vnvision.engines.openvino import shared_core
from vnvision.errors import ExportError, MissingExtraError
from vnvision.export import to_onnx, to_openvino

pytest.importorskip("openvino")


def test_writes_fp32_files_that_answer_as_torch(net, task, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    files = to_openvino(tmp_path / "m.onnx", tmp_path / "openvino")
    assert [file.name for file in files] == ["model.xml", "model.bin"]
    assert sorted(p.name for p in (tmp_path / "openvino").iterdir()) == ["model.bin", "model.xml"]
    model = shared_core().compile_model(str(files[0]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    x = np.random.default_rng(0).normal(size=(3, 3, 24, 32)).astype(np.float32)
    with torch.inference_mode():
        expected = net.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(model([x])["output"], expected, atol=1e-5)


def test_fp16_halves_the_weights(net, task, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    _, full = to_openvino(tmp_path / "m.onnx", tmp_path / "a")
    _, half = to_openvino(tmp_path / "m.onnx", tmp_path / "b", fp16=True)
    assert half.stat().st_size < 0.6 * full.stat().st_size


def test_equal_onnx_gives_equal_files_in_any_process(net, task, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    code = "import sys; from vnvision.export.openvino import to_openvino as f; f(sys.argv[1], sys.argv[2])"
    to_openvino(tmp_path / "m.onnx", tmp_path / "a")
    to_openvino(tmp_path / "m.onnx", tmp_path / "b")
    subprocess.run([sys.executable, "-c", code, tmp_path / "m.onnx", tmp_path / "c"], check=True)
    for name in ("model.xml", "model.bin"):
        contents = {(tmp_path / folder / name).read_bytes() for folder in "abc"}
        assert len(contents) == 1, name
    assert str(tmp_path).encode() not in (tmp_path / "a" / "model.xml").read_bytes()


def test_unreadable_graph_leaves_nothing(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"not a graph")
    with pytest.raises(ExportError, match=r"OpenVINO cannot read m\.onnx"):
        to_openvino(tmp_path / "m.onnx", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_missing_package_names_its_extra(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "openvino")
    monkeypatch.setattr(sys, "meta_path", [])  # nothing new can be imported
    with pytest.raises(MissingExtraError, match=r"openvino is not installed.*vnvision\[export-openvino\]"):
        to_openvino(tmp_path / "m.onnx", tmp_path)


def test_nothing_reports_home(net, task, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    code = (
        "import sys; from vnvision.export.openvino import to_openvino as f; f(sys.argv[1], sys.argv[2]);"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "m.onnx", tmp_path / "c"], check=True)
