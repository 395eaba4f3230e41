"""The C++ kit compiles against ncnn and gives the golden outputs; faults fail it.

Needs CMake, a C++ compiler and ncnn's library with headers where CMake finds it (``ncnn_DIR``).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("ncnn")

import torch

from vnvision.export import export_bundle, golden_images
from vnvision.export.kits import write_kit
from vnvision.export.ncnn import WEIGHTS
from vnvision.records import Licences
from vnvision.spec import Label, PreprocessSpec, TaskSpec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("pnnx") is None, reason="pnnx is not installed"),
    pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed"),
]
SPECS = {
    "classification": {"size_px": (30, 34), "colour": "bgr", "mean": (0.485, 0.456, 0.406)},
    "segmentation": {"size_px": (32, 32), "colour": "grey", "mean": (0.4,), "std": (0.3,)},
}


class Net(torch.nn.Module):
    """A classifier with the parts ``ExplainedNet`` looks for, or three planes."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.first = torch.nn.Conv2d(channels, 8, 3, 2, 1)
        self.act = torch.nn.PReLU(8)
        self.second = torch.nn.Conv2d(8, 3 if kind == "segmentation" else 12, 3, 1, 1)
        self.head = torch.nn.Linear(12, 3)

    def forward_features(self, x):
        return self.second(self.act(self.first(x)))

    def forward_head(self, x, pre_logits=False):
        pooled = x.mean((2, 3))
        return pooled if pre_logits else self.head(pooled)

    def get_classifier(self):
        return self.head

    def forward(self, x):
        x = self.forward_features(x)
        return x if self.kind == "segmentation" else self.forward_head(x)


def kit_of(folder, kind: str):
    """A bundle with an ncnn target, and its kit."""
    torch.manual_seed(0)
    spec = PreprocessSpec(**({"std": (0.229, 0.224, 0.225)} | SPECS[kind]))
    task = TaskSpec(kind=kind, preprocess=spec, labels=tuple(Label(id=name) for name in "abc"))
    bundle = folder / "bundle"
    export_bundle(
        Net(kind, spec.channels), task, bundle, name="kit", targets=("ncnn",),
        golden_images=golden_images(None, spec, 4), licences=Licences(weights="none"),
    )  # fmt: skip
    return write_kit(bundle, "ncnn", folder / "kit")


def built(kit):
    """The compiled self-test; every warning is an error here."""
    configure = ["cmake", "-S", str(kit), "-B", str(kit / "build"), "-DCMAKE_CXX_FLAGS=-Werror"]
    done = subprocess.run(configure, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode and re.search(r"ncnnConfig\.cmake|CMAKE_CXX_COMPILER", done.stderr):
        pytest.skip("no C++ compiler, or no ncnn library: set ncnn_DIR to its lib/cmake/ncnn")
    assert done.returncode == 0, done.stderr
    command = ["cmake", "--build", str(kit / "build")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return kit / "build" / "self_test"


def run(program, *words: str):
    return subprocess.run(
        [str(program), *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module", params=SPECS)
def compiled(request, tmp_path_factory):
    kit = kit_of(tmp_path_factory.mktemp(request.param), request.param)
    return kit, built(kit)


def test_it_gives_the_golden_outputs(compiled):
    kit, program = compiled
    done = run(program, kit, "--repeat", "5")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "PASS"
    gaps = dict(re.findall(r"(\w+) +relative difference (\S+) \(at most 0\.001\) ok", done.stdout))
    wanted = ["output"] if "segmentation" in str(kit) else ["output", "features", "cam"]
    assert list(gaps) == wanted
    assert all(float(gap) < 1e-4 for gap in gaps.values())
    assert re.search(r"time +p50 [\d.]+ ms, p95 [\d.]+ ms; 5 runs, 1 thread,", done.stdout)
    assert run(program, kit, "--threads", "2").returncode == 0


def test_ctest_runs_it(compiled):
    kit, _ = compiled
    done = subprocess.run(
        ["ctest", "--test-dir", str(kit / "build")], capture_output=True, text=True, check=False
    )
    assert "100% tests passed" in done.stdout


def test_wrong_answers_and_wrong_files(compiled, tmp_path):
    kit, program = compiled
    spoilt = shutil.copytree(kit, tmp_path / "kit")
    golden, weights = (spoilt / "golden.bin").read_bytes(), (spoilt / WEIGHTS).read_bytes()
    last = np.frombuffer(golden[-4:], "<f4")
    for bad in (last + np.float32(0.5), np.float32([np.nan])):
        (spoilt / "golden.bin").write_bytes(golden[:-4] + bad.astype("<f4").tobytes())
        done = run(program, spoilt)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")
        assert "WRONG" in done.stdout
    for data, message in ((golden[:-1], "damaged"), (golden + b"\0", "damaged"), (b"", "damaged")):
        (spoilt / "golden.bin").write_bytes(data)
        done = run(program, spoilt)
        assert done.returncode == 2
        assert message in done.stderr
    huge = bytearray(golden)
    huge[8:12] = b"\xff\xff\xff\x7f"
    (spoilt / "golden.bin").write_bytes(huge)
    assert run(program, spoilt).returncode == 2
    (spoilt / "golden.bin").write_bytes(golden)
    (spoilt / WEIGHTS).write_bytes(weights[: len(weights) // 2])
    done = run(program, spoilt)
    assert done.returncode == 2
    assert "cannot load" in done.stderr
    (spoilt / "golden.bin").unlink()
    assert "cannot open" in run(program, spoilt).stderr
    assert "usage" in run(program, "--thread", "2").stderr


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("kSwapRedBlue = false", "kSwapRedBlue = true"),
        ("kHigh = 1.0", "kHigh = 255.0"),
        ("kMean[] = {0.0, 0.0, 0.0}", "kMean[] = {0.485, 0.456, 0.406}"),
    ],
)
def test_a_fault_in_preprocessing_fails(compiled, tmp_path, wrong, right):
    kit, _ = compiled
    if "segmentation" in str(kit):
        pytest.skip("tried on the coloured model")
    spoilt = shutil.copytree(kit, tmp_path / "kit", ignore=shutil.ignore_patterns("build"))
    header = (spoilt / "preprocess.h").read_text()
    assert right in header
    (spoilt / "preprocess.h").write_text(header.replace(right, wrong))
    done = run(built(spoilt), spoilt)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")
