"""The C++ half of an ncnn kit, as far as it can be read without a compiler (tests/end_to_end compiles it)."""

from __future__ import annotations

import importlib.util
import json
import re
import struct

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("ncnn")

from kit_bundles import STATS, bundle_of, run, task_of

from vnvision.export.kits import write_kit
from vnvision.export.kits.ncnn_cpp import golden_bin, preprocess_header
from vnvision.spec import PreprocessSpec

needs_pnnx = pytest.mark.skipif(importlib.util.find_spec("pnnx") is None, reason="pnnx is not installed")
PARAM, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    task = task_of("classification", colour="bgr", geometry="letterbox", pad_value=114)
    return bundle_of(tmp_path_factory.mktemp("b") / "bundle", task, ("onnx", "ncnn"))


@pytest.fixture(scope="module")
def kit(bundle, tmp_path_factory):
    return write_kit(bundle, "ncnn", tmp_path_factory.mktemp("k") / "kit")


@needs_pnnx
def test_what_an_ncnn_kit_holds_besides(kit, bundle):
    more = {"CMakeLists.txt", "golden.bin", "golden.h", "main.cpp", "model.h", "preprocess.h", PARAM, WEIGHTS}
    there = {item.name for item in kit.iterdir()}
    assert more <= there
    for name in (PARAM, WEIGHTS):
        assert (kit / name).read_bytes() == (bundle / "ncnn" / name).read_bytes()
    about = json.loads((kit / "spec.json").read_text("utf-8"))
    assert (about["input"], about["file"], list(about["files"])) == ("input", PARAM, [PARAM, WEIGHTS])
    text = (kit / "README.md").read_text("utf-8")
    listed = set(re.findall(r"`([\w.]+\.\w+)`", text))
    assert more <= listed
    for part in text.split("## Tiếng Việt"):
        assert "cmake --build build" in part
        assert "self_test --half" in part


@needs_pnnx
def test_the_golden_file_is_as_its_readme_says(kit, bundle):
    data = (kit / "golden.bin").read_bytes()
    golden = np.load(bundle / "golden.npz")
    assert data[:8] == b"VNVGOLD1"
    assert struct.unpack("<5I", data[8:28]) == (4, 24, 36, 3, 1)
    assert data[28:46] == b"\x06\0\0\0output\x01\0\0\0\x03\0\0\0"
    pixels = 4 * 24 * 36 * 3
    assert data[46 : 46 + pixels] == golden["images"].tobytes()
    assert np.array_equal(np.frombuffer(data[46 + pixels :], "<f4").reshape(4, 3), golden["outputs"])


def test_names_and_planes_in_the_golden_file():
    planes = {"é": np.zeros((4, 2, 3, 5), np.float32)}
    head = golden_bin(np.zeros((4, 2, 2, 1), np.uint8), planes)[28:50]
    assert head == b"\x02\0\0\0\xc3\xa9" + struct.pack("<4I", 3, 2, 3, 5)


def test_the_header_has_every_number_exactly():
    spec = PreprocessSpec(size_px=(24, 36), colour="bgr", input_range=(1, 254.5), flip_average=True, **STATS)
    facts = {"name": 'a "b" \\', "target": "ncnn", "param": "p", "bin": "b", "input": "input",
             "tolerance": {"output": 1e-3, "cam": 0.03}}  # fmt: skip
    text = preprocess_header(spec, facts)

    def numbers(name: str) -> list[float]:
        return [float(word) for word in re.search(name + r"(?:\[\])? = \{?([^;}]*)", text)[1].split(", ")]

    assert (numbers("kMean"), numbers("kStd")) == (list(STATS["mean"]), list(STATS["std"]))
    assert (numbers("kHigh"), numbers("kTolerance")) == ([254.5], [1e-3, 0.03])
    assert "kLow = 1.0," in text
    assert "kHeight = 24, kWidth = 36, kChannels = 3" in text
    assert "kSwapRedBlue = true" in text
    assert "kFlipAverage = true" in text
    assert r'kName = "a \"b\" \\";' in text
    assert 'kOutputs[] = {"output", "cam"}' in text
    grey = preprocess_header(PreprocessSpec(size_px=(8, 8), colour="grey", mean=(0.5,), std=(0.1,)), facts)
    assert "kSwapRedBlue = false" in grey
    assert "kChannels = 1" in grey


@needs_pnnx
def test_the_self_test_passes_in_python(kit):
    done = run(kit, "self_test.py")
    assert done.returncode == 0, done.stderr
    gap = float(re.search(r"output +relative difference (\S+)", done.stdout)[1])
    assert gap < 1e-4
