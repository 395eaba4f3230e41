from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vnvision import engines
from vnvision.engines import available_engines, open_engine
from vnvision.errors import ConfigError, MissingExtraError, ModelError

BOTH = pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])


def batch(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3, 5, 7)).astype(np.float32)


@BOTH
def test_answers_agree_with_numpy_for_any_batch_size(tiny, engine):
    model = open_engine(tiny.file(engine), engine, threads=1)
    assert model.name == engine
    assert model.path == tiny.file(engine)
    assert model.input_shape == (None, 3, 5, 7)
    assert model.output_names == ("output", "negative")
    for n in (1, 2, 7, 1, 16, 0):
        outputs = model.run(batch(n, seed=n))
        assert len(outputs) == 2
        assert outputs[0].dtype == np.float32
        np.testing.assert_allclose(outputs[0], tiny.answer(batch(n, seed=n)), atol=1e-5)
        np.testing.assert_allclose(outputs[1], -outputs[0])


def test_openvino_reads_onnx_too(tiny):
    model = open_engine(tiny.onnx, "openvino")
    np.testing.assert_allclose(model.run(batch(3))[0], tiny.answer(batch(3)), atol=1e-5)


@BOTH
def test_answers_belong_to_the_caller(tiny, engine):
    model = open_engine(tiny.file(engine), engine)
    first = model.run(batch(2))[0]
    kept = first.copy()
    model.run(batch(2, seed=5))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0  # writable


@BOTH
def test_strided_batches_are_read_right(tiny, engine):
    model = open_engine(tiny.file(engine), engine)
    flipped = batch(4)[:, ::-1, :, ::-1]
    assert not flipped.flags.c_contiguous
    np.testing.assert_allclose(model.run(flipped)[0], tiny.answer(flipped), atol=1e-5)


@BOTH
@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (np.zeros((1, 3, 5, 8), np.float32), r"\(1, 3, 5, 8\) float32"),
        (np.zeros((3, 5, 7), np.float32), r"\(3, 5, 7\) float32"),
        (np.zeros((1, 5, 7, 3), np.float32), r"\(1, 5, 7, 3\) float32"),
        (np.zeros((1, 3, 5, 7)), r"\(1, 3, 5, 7\) float64"),
        (np.zeros((1, 3, 5, 7), np.uint8), r"\(1, 3, 5, 7\) uint8"),
    ],
)
def test_a_batch_that_does_not_fit(tiny, engine, wrong, got):
    with pytest.raises(ModelError, match=rf"expected \(any, 3, 5, 7\) float32, got {got}"):
        open_engine(tiny.file(engine), engine).run(wrong)


@BOTH
def test_missing_and_damaged_files_are_named(tiny, tmp_path, engine, capfd):
    suffix = tiny.file(engine).suffix
    gone = tmp_path / f"gone{suffix}"
    with pytest.raises(ModelError, match=f"model file {gone} does not exist"):
        open_engine(gone, engine)
    whole = tiny.file(engine).read_bytes()
    for name, data in (("empty", b""), ("noise", b"\x00\x99noise" * 50), ("half", whole[: len(whole) // 2])):
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(data)
        path.with_suffix(".bin").write_bytes(tiny.xml.with_suffix(".bin").read_bytes())
        with pytest.raises(ModelError, match=f"model file {path} cannot be loaded by {engine}: got"):
            open_engine(path, engine)
    assert capfd.readouterr().out == ""


def test_openvino_weights_cut_short(tiny, tmp_path):
    path = tmp_path / "model.xml"
    path.write_bytes(tiny.xml.read_bytes())
    for weights in (b"", tiny.xml.with_suffix(".bin").read_bytes()[:-4]):
        path.with_suffix(".bin").write_bytes(weights)
        with pytest.raises(ModelError, match=f"model file {path} cannot be loaded"):
            open_engine(path, "openvino")


@BOTH
@pytest.mark.parametrize(
    ("keys", "got"),
    [
        ({"shape": ("n", 3, 5, 7), "inputs": 2}, "float32, .*float32"),
        ({"shape": ("n", 3, 5, 7), "element": 11}, "of another type"),
        ({"shape": ("n", 3, 5)}, r"\(None, 3, 5\) float32"),
    ],
)
def test_models_that_do_not_take_one_image_batch(onnx_writer, tmp_path, engine, keys, got):
    path = onnx_writer(tmp_path / "odd.onnx", **keys)
    with pytest.raises(
        ModelError, match=rf"cannot be used: expected one input \(N, C, H, W\) float32, got .*{got}"
    ):
        open_engine(path, engine)


@BOTH
def test_a_closed_engine_says_so(tiny, engine):
    model = open_engine(tiny.file(engine), engine)
    model.close()
    model.close()
    with pytest.raises(ModelError, match=f"the {engine} engine is closed; load the model again"):
        model.run(batch(1))


@BOTH
def test_many_threads_get_their_own_answers(tiny, engine):
    model = open_engine(tiny.file(engine), engine, threads=2)
    with ThreadPoolExecutor(8) as pool:
        for seed, outputs in zip(
            range(64), pool.map(lambda s: model.run(batch(2, s)), range(64)), strict=True
        ):
            np.testing.assert_allclose(outputs[0], tiny.answer(batch(2, seed)), atol=1e-5)


def test_choices(tiny, monkeypatch):
    assert available_engines()[:2] == ("openvino", "onnxruntime")
    with pytest.raises(ConfigError, match="there is no engine 'tensorrt': expected openvino or onnxruntime"):
        open_engine(tiny.onnx, "tensorrt")
    with pytest.raises(ConfigError, match="threads is wrong: expected 1 or more, or None, got 0"):
        open_engine(tiny.onnx, "onnxruntime", threads=0)
    monkeypatch.setattr(
        engines.importlib.util, "find_spec", lambda name: name if name in ("onnxruntime", "MNN") else None
    )
    assert available_engines() == ("onnxruntime", "mnn")


@pytest.mark.parametrize(("name", "extra"), [("openvino", "export-openvino"), ("onnxruntime", "all")])
def test_an_engine_that_is_not_installed_names_its_extra(tiny, monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, name, None)
    if name == "openvino":
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [Hide(name), *sys.meta_path])
    with pytest.raises(
        MissingExtraError, match=rf"{name} is not installed; install it .*vnvision\[{extra}\]"
    ):
        open_engine(tiny.onnx, name)


class Hide:
    """A finder that knows one package does not exist."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            raise ModuleNotFoundError(name)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_nothing_is_reported_to_anyone(tiny, tmp_path, engine):
    """In a fresh process with a fresh home: no telemetry package, no file in the home, no open database."""
    code = f"""
        import os, sys
        import vnvision.engines
        assert not {{"onnxruntime", "openvino", "torch"}} & set(sys.modules)
        engine = vnvision.engines.open_engine({str(tiny.file(engine))!r}, {engine!r})
        import numpy as np
        engine.run(np.zeros((1, 3, 5, 7), np.float32))
        if {engine!r} == "openvino":
            import openvino  # what comes later goes the same way
            openvino.convert_model({str(tiny.onnx)!r})
        assert "openvino_telemetry" not in sys.modules
        open_files = [os.readlink(entry) for entry in os.scandir("/proc/self/fd") if entry.is_symlink()]
        print([name for name in open_files if "onnxruntime.db" in name or "socket" in name])
    """
    keep = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=keep | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "[]\n"), result.stderr
    assert list(tmp_path.rglob("*")) == []
