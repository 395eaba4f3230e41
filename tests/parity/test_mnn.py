"""MNN answers as torch does; its files repeat, and damaged ones are refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("MNN")

import engine_manners
from exported_nets import HEAVY, IN_HALF, LIGHT, case

from vnvision.engines.mnn import MnnEngine
from vnvision.engines.seal import sealed
from vnvision.errors import ConfigError, ExportError, MissingExtraError, ModelError
from vnvision.export.mnn import to_mnn

NETWORKS = [*LIGHT, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    """Canonical ONNX files by the network's name, each written once."""
    made = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = case(name).onnx(tmp_path_factory.mktemp(name))
        return made[name]

    return of


@pytest.fixture(scope="module")
def small(onnx, tmp_path_factory):
    return to_mnn(onnx("small"), tmp_path_factory.mktemp("small"))[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_mnn_equals_torch(onnx, tmp_path, name):
    wanted = case(name)
    engine = MnnEngine(to_mnn(onnx(name), tmp_path)[0], threads=1)
    assert engine.output_names == wanted.names
    assert engine.input_shape == (None, 3, wanted.size, wanted.size)
    for batch in (5, 1, 3):
        wanted.check(engine.run(wanted.inputs[:batch]))


@pytest.mark.parametrize(
    "name", [item for item in NETWORKS if getattr(item, "values", (item,))[0] in IN_HALF]
)
def test_half_precision_equals_torch(onnx, tmp_path, name):
    wanted = case(name)
    answers = MnnEngine(to_mnn(onnx(name), tmp_path, fp16=True)[0], threads=1).run(wanted.inputs)
    wanted.check(answers, "fp16")
    assert max(wanted.errors(answers)) < 0.01  # MNN's own way to halves gave 0.017 and 0.046


def test_weights_in_8_bits_are_a_quarter_and_close(onnx, tmp_path):
    wanted = case("small")
    sizes = {}
    for key, options in {"fp32": {}, "fp16": {"fp16": True}, "int8": {"int8_weights": True}}.items():
        (path,) = to_mnn(onnx("mobilenetv3_small_100"), tmp_path / key, **options)
        sizes[key] = path.stat().st_size
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    assert sizes["int8"] < 0.3 * sizes["fp32"]
    (path,) = to_mnn(onnx("small"), tmp_path, int8_weights=True)
    assert 1e-5 < wanted.errors(MnnEngine(path).run(wanted.inputs))[0] < 0.05


def test_manners(small):
    inputs = case("small").inputs
    engine = MnnEngine(small, threads=1)
    engine_manners.any_batch_size_and_strides(engine, inputs, 1e-6)
    engine_manners.wrong_batches_are_refused(engine, inputs)
    engine_manners.no_image_is_no_answer(engine, inputs)
    engine_manners.threads_agree(engine, inputs)
    engine_manners.closed_says_so(engine, inputs)


def test_two_threads_give_what_one_gives(small):
    wanted = case("small")
    wanted.check(MnnEngine(small, threads=2).run(wanted.inputs))
    wanted.check(MnnEngine(small).run(wanted.inputs))


def test_damage_is_named(small, tmp_path, capfd):
    def open_file(data: bytes) -> MnnEngine:
        (tmp_path / "bad.mnn").write_bytes(data)
        return MnnEngine(tmp_path / "bad.mnn")

    engine_manners.damage_is_named(open_file, small.read_bytes())
    with pytest.raises(ModelError, match=r"gone\.mnn does not exist"):
        MnnEngine(tmp_path / "gone.mnn")
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_one_changed_bit_anywhere_is_refused_before_mnn_reads_it(small, tmp_path):
    data = small.read_bytes()
    for place in np.random.default_rng(3).choice(len(data), 200, replace=False):
        changed = bytearray(data)
        changed[place] ^= 4
        (tmp_path / "bad.mnn").write_bytes(changed)
        if re.search(rb"vnvision:[0-9a-f]{27}", changed):  # the seal itself can only be broken, not faked
            with pytest.raises(ModelError, match="its bytes are not those that were exported"):
                MnnEngine(tmp_path / "bad.mnn")


def test_equal_onnx_gives_equal_files(onnx, small, tmp_path):
    again = to_mnn(onnx("small"), tmp_path)[0]
    assert again.read_bytes() == small.read_bytes()
    assert sealed(small.read_bytes()) == small.read_bytes()


def test_a_graph_that_mnn_does_not_know(tmp_path):
    from onnx import TensorProto, helper, save

    value = helper.make_tensor_value_info
    node = helper.make_node("Unheard", ["input"], ["output"], domain="nowhere")
    sides = [value(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("input", "output")]
    graph = helper.make_graph([node], "odd", sides[:1], sides[1:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("nowhere", 1)]
    save(helper.make_model(graph, opset_imports=opsets), tmp_path / "odd.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    for name in ("odd.onnx", "text.onnx"):
        with pytest.raises(ExportError, match=f"MNN cannot convert {name}: got .+"):
            to_mnn(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_precision_only(tmp_path):
    with pytest.raises(ConfigError, match="weights are stored in one precision"):
        to_mnn(tmp_path / "model.onnx", tmp_path, fp16=True, int8_weights=True)


def test_a_missing_package_names_its_extra(monkeypatch, small, tmp_path):
    monkeypatch.setitem(sys.modules, "MNN", None)
    with pytest.raises(MissingExtraError, match=r"vnvision\[export-mnn\]"):
        MnnEngine(small)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"vnvision\[export-mnn\]"):
        to_mnn(small, tmp_path)


def test_runs_without_torch_and_keeps_standard_output_clean(small):
    code = (
        "import sys, json, pathlib, numpy as np\n"
        "from vnvision.engines.mnn import MnnEngine\n"
        f"engine = MnnEngine(pathlib.Path({str(small)!r}))\n"
        "answer = engine.run(np.zeros((2, 3, 32, 32), np.float32))[0]\n"
        "bad = sorted({'torch', 'aliyun', 'MNN.tools', 'requests'} & set(sys.modules))\n"
        "print(json.dumps([answer.shape, bad]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [[2, 4], []]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_converter_and_the_engine_open_no_connection(onnx, small, tmp_path):
    run = (
        "import pathlib, numpy as np\n"
        "from vnvision.engines.mnn import MnnEngine\n"
        "from vnvision.export.mnn import to_mnn\n"
        f"path, = to_mnn({str(onnx('small'))!r}, {str(tmp_path)!r})\n"
        "MnnEngine(path).run(np.zeros((1, 3, 32, 32), np.float32))"
    )
    trace = tmp_path / "trace.txt"
    command = ["strace", "-f", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace), sys.executable]
    subprocess.run([*command, "-c", run], check=True, timeout=300)
    calls = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
    assert calls == []
