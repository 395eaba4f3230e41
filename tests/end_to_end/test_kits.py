"""Every engine's kit in a process that cannot see us: proof, measurement, an answer, and planted faults."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch

from vnvision.engines.isolated import LITERT
from vnvision.errors import VnvisionError
from vnvision.export import export_bundle, golden_images
from vnvision.export.kits import write_kit
from vnvision.records import Calibration, Licences
from vnvision.runtime import load_bundle
from vnvision.spec import Label, PreprocessSpec, TaskSpec

pytestmark = pytest.mark.slow
NEEDS = {"onnx": "onnxruntime", "openvino": "openvino", "ncnn": "pnnx", "mnn": "MNN",
         "litert": "ai_edge_litert", "executorch": "executorch", "torch": "torch"}  # fmt: skip
WITH_TORCH = ("executorch", "torch")
ALONE = """
import json, runpy, sys
from pathlib import Path
blocked, script = json.loads(sys.argv[1]), sys.argv[2]
sys.path[:] = [folder for folder in sys.path if not (Path(folder) / "vnvision").exists()]
sys.path.insert(0, str(Path(script).parent))
for name in blocked:
    sys.modules[name] = None  # an import of it fails
sys.argv = sys.argv[2:]
runpy.run_path(script, run_name="__main__")
"""


class Net(torch.nn.Module):
    """A classifier with the parts ``ExplainedNet`` looks for."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, 2, 1)
        self.act = torch.nn.PReLU(8)
        self.second = torch.nn.Conv2d(8, 12, 3, 1, 1)
        self.head = torch.nn.Linear(12, 3)

    def forward_features(self, x):
        return self.second(self.act(self.first(x)))

    def forward_head(self, x, pre_logits=False):
        pooled = x.mean((2, 3))
        return pooled if pre_logits else self.head(pooled)

    def get_classifier(self):
        return self.head

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


@pytest.fixture(scope="module", params=NEEDS)
def made(request, tmp_path_factory):
    """A target's bundle and kit."""
    target, folder = request.param, tmp_path_factory.mktemp(request.param)
    if importlib.util.find_spec(NEEDS[target]) is None:
        pytest.skip(f"{NEEDS[target]} is not installed")
    if target == "litert" and not LITERT.is_whole:
        pytest.skip("LiteRT's converter is not built: python -m vnvision.export.environments litert")
    torch.manual_seed(0)
    spec = PreprocessSpec(
        size_px=(30, 34), colour="bgr", geometry="letterbox", pad_value=114, mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )  # fmt: skip
    task = TaskSpec(kind="classification", preprocess=spec, labels=tuple(Label(id=name) for name in "abc"))
    export_bundle(
        Net(), task, folder / "bundle", name="kit", targets=(target,), licences=Licences(weights="none"),
        golden_images=golden_images(None, spec, 4), calibration=Calibration(temperatures=(0.1,)),
    )  # fmt: skip
    return target, folder / "bundle", write_kit(folder / "bundle", target, folder / "kit")


def alone(kit: Path, target: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A script of the kit where importing us, pydantic or torch fails."""
    blocked = ["vnvision", "pydantic", "onnx", "PIL"] + ([] if target in WITH_TORCH else ["torch"])
    command = [sys.executable, "-I", "-B", "-c", ALONE, json.dumps(blocked), str(kit / words[0]), *words[1:]]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=300, check=False)


def test_it_proves_itself(made):
    target, _, kit = made
    done = alone(kit, target, "self_test.py", "--threads", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "PASS"
    assert [line.split()[0] for line in lines[1:4]] == ["output", "features", "cam"]


def test_it_measures_itself(made):
    target, _, kit = made
    done = alone(kit, target, "bench.py", "--json", "--threads", "1", "--repeat", "10", "--batch", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["agrees"] is True
    assert set(found["differences"]) == {"output", "features", "cam"}
    assert found["machine"]["engine_version"] != "unknown"
    assert [row["batch"] for row in found["throughput"]] == [1, 4]


def test_it_answers_as_the_bundle_does(made, tmp_path):
    target, bundle, kit = made
    picture = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8), (61, 47))
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    done = alone(kit, target, "example.py", "--json", str(tmp_path / "a.png"))
    assert done.returncode == 0, done.stderr
    right = load_bundle(bundle, target="onnx").predict(tmp_path / "a.png")
    answer = json.loads(done.stdout)
    assert answer["label"] == right.top
    np.testing.assert_allclose(list(answer["probabilities"].values()), right.probabilities, atol=1e-4)


def test_changed_means_and_wrong_answers_fail(made, tmp_path):
    target, _, kit = made
    spoilt = shutil.copytree(kit, tmp_path / "mean")
    about = json.loads((spoilt / "spec.json").read_text("utf-8"))
    about["preprocess"]["mean"] = [0.5, 0.5, 0.5]
    (spoilt / "spec.json").write_text(json.dumps(about), "utf-8")
    wrong = shutil.copytree(kit, tmp_path / "golden")
    with np.load(kit / "golden.npz") as file:
        golden = {name: file[name] for name in file.files}
    golden["cam"] = golden["cam"] * 1.1
    np.savez(wrong / "golden.npz", **golden)
    for folder in (spoilt, wrong):
        done = alone(folder, target, "self_test.py")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")


def test_damaged_files_get_one_line_and_never_reach_the_engine(made, tmp_path):
    target, _, kit = made
    files = json.loads((kit / "spec.json").read_text("utf-8"))["files"]
    for index, name in enumerate(files):
        spoilt = shutil.copytree(kit, tmp_path / str(index))
        data = bytearray((spoilt / name).read_bytes())
        data[len(data) // 2] ^= 0xFF
        (spoilt / name).write_bytes(data)
        done = alone(spoilt, target, "self_test.py")
        assert (done.returncode, done.stdout) == (2, "")
        wanted = f"self_test: {name} is not the file that was exported (SHA-256): copy the kit again"
        assert done.stderr.splitlines() == [wanted]


def test_an_engine_that_is_not_there(made):
    target, _, kit = made
    command = [json.dumps([NEEDS[target] if target != "ncnn" else "ncnn"]), str(kit / "self_test.py")]
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", ALONE, *command],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert "is not installed: pip install" in done.stderr.splitlines()[-1]


def test_every_error_of_ours_is_one_line(tmp_path):
    with pytest.raises(VnvisionError, match="is not a bundle"):
        write_kit(tmp_path, "onnx", tmp_path / "kit")
