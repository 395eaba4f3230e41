"""What a kit holds, and what is refused."""

from __future__ import annotations

import csv
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

import onnx
import onnxruntime
from kit_bundles import SCRIPTS, STATS, bundle_of, changed_spec, resign, run, task_of, with_record

from vnvision.atomic import sha256_file
from vnvision.errors import BundleError, ConfigError, ExportError
from vnvision.export.kits import write_kit
from vnvision.export.kits.tolerance import expected
from vnvision.export.result import TOLERANCES
from vnvision.imaging import Preprocessor
from vnvision.records import BundleManifest, Calibration, TargetRecord

ALWAYS = {f"{name}.py" for name in SCRIPTS} | {
    "LICENCES.txt",
    "LICENSE",
    "README.md",
    "golden.npz",
    "labels.csv",
    "spec.json",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    task = task_of("classification", colour="bgr", geometry="letterbox", pad_value=114)
    calibration = Calibration(temperatures=(0.0625,), abstain_below=0.95)
    return bundle_of(tmp_path_factory.mktemp("b") / "bundle", task, calibration=calibration, synthetic=True)


@pytest.fixture(scope="module")
def kit(bundle, tmp_path_factory):
    return write_kit(bundle, "onnx", tmp_path_factory.mktemp("k") / "kit")


def test_what_a_kit_holds(kit, bundle):
    assert {item.name for item in kit.iterdir()} == ALWAYS | {"model.onnx", "build_tensorrt.py"}
    assert (kit / "model.onnx").read_bytes() == (bundle / "model.onnx").read_bytes()
    with (kit / "labels.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["index", "id", "vi", "en"],
            ["0", "healthy", "lá khỏe", "healthy leaf"],
            ["1", "spot", "đốm, nâu", "spot"],
            ["2", "rust", "rust", "rust"],
        ]
    about = json.loads((kit / "spec.json").read_text("utf-8"))
    assert about["files"] == {"model.onnx": sha256_file(kit / "model.onnx")}
    assert (about["file"], about["outputs"], about["shape"]) == ("model.onnx", ["output"], [1, 3, 24, 36])
    assert about["tolerance"] == {"output": 1e-3}
    assert about["calibration"]["temperatures"] == [0.0625]
    assert about["calibration"]["abstain_below"] == 0.95
    assert about["bundle_sha256"] == sha256_file(bundle / "manifest.json")


def test_the_golden_pictures_and_one_of_another_size(kit, bundle):
    right, golden = np.load(bundle / "golden.npz"), np.load(kit / "golden.npz")
    for name in ("images", "outputs"):
        assert np.array_equal(golden[name], right[name])
    picture = golden["picture"]
    assert picture.shape[:2] == (33, 29)
    spec = task_of("classification", geometry="letterbox", pad_value=114).preprocess  # in RGB order
    assert np.array_equal(golden["placed"], Preprocessor(spec).geometry(picture))


def test_equal_bundles_give_equal_kits(kit, bundle, tmp_path):
    other = write_kit(bundle, "onnx", tmp_path / "other")
    for item in kit.iterdir():
        assert item.read_bytes() == (other / item.name).read_bytes(), item.name


def test_the_readme_speaks_both_languages(kit):
    text = (kit / "README.md").read_text("utf-8")
    assert not re.search(r"\$[a-z]|[{}]", text)
    english, vietnamese = text.split("## Tiếng Việt")
    fit = "Fit into 24 x 36 (height x width) with its aspect, bilinear; centre it, fill the rest with 114."
    assert fit in english
    assert "Thu vào 24 x 36 (cao x rộng), giữ tỉ lệ" in vietnamese
    numbers = "(N, 3, 24, 36) float32, channels in bgr order: ((level - 0) / 255 - mean) / deviation"
    assert numbers in english
    assert "0.485, 0.456, 0.406" in english
    assert "Trained on drawn pictures" in english
    assert "Huấn luyện bằng ảnh vẽ" in vietnamese
    assert "telemetry is switched off" in english
    for part in (english, vietnamese):
        assert "pip install numpy opencv-python onnxruntime\n" in part
        assert "self_test.py" in part
    listed = set(re.findall(r"`([\w.]+\.\w+)`", english))
    assert ALWAYS - {"README.md", "LICENSE"} | {"model.onnx"} <= listed


def test_licences_are_stated(kit):
    text = (kit / "LICENCES.txt").read_text("utf-8")
    assert "Apache-2.0" in text
    assert 'Weights (leaf "A"): CC-BY-4.0' in text
    assert "PlantVillage (CC0)" in text
    assert "Apache License" in (kit / "LICENSE").read_text("utf-8")


def test_a_file_that_normalises_inside_is_described_so(bundle, tmp_path):
    took = with_record(
        bundle, tmp_path / "b", "rknn-rk3588", engine="rknn", converter_took=("range", "normalise")
    )
    kit = write_kit(took, "rknn-rk3588", tmp_path / "kit")
    spec = json.loads((kit / "spec.json").read_text("utf-8"))["preprocess"]
    assert (spec["mean"], spec["std"], spec["input_range"]) == ([0, 0, 0], [1, 1, 1], [0, 1])
    assert spec["colour"] == "bgr"
    text = (kit / "README.md").read_text("utf-8")
    assert "(N, 24, 36, 3) uint8 levels, channels in bgr order. **Do not normalise**" in text
    assert "**Không chuẩn hóa**" in text
    assert "rknn-toolkit-lite2" in text
    assert "Rockchip's simulator" in text


def test_a_core_ml_kit_says_that_nothing_runs_it_here(bundle, tmp_path):
    apple = with_record(bundle, tmp_path / "b", "coreml", engine="coreml")
    text = (write_kit(apple, "coreml", tmp_path / "kit") / "README.md").read_text("utf-8")
    assert "No Python program runs a Core ML package off Apple" in text
    assert "Không chương trình Python nào chạy được" in text
    assert "pip install" not in text


def test_a_chip_without_python_gets_no_python_command(bundle, tmp_path):
    took = ("range", "normalise")
    board = with_record(bundle, tmp_path / "b", "rknn-rv1106-int8", engine="rknn", converter_took=took)
    text = (write_kit(board, "rknn-rv1106-int8", tmp_path / "kit") / "README.md").read_text("utf-8")
    assert "RV1106 has no Python runtime" in text
    assert "RV1106 không có phần chạy Python" in text
    assert "pip install" not in text


def test_aligned_faces_travel_with_their_landmarks(tmp_path):
    task = task_of("embedding", size_px=(28, 28), geometry="align", flip_average=True)
    kit = write_kit(bundle_of(tmp_path / "b", task), "onnx", tmp_path / "kit")
    golden = np.load(kit / "golden.npz")
    right = Preprocessor(task.preprocess).geometry(golden["picture"], golden["landmarks"])
    assert np.array_equal(golden["placed"], right)
    assert golden["placed"].std() > 10  # a picture, not its rim
    text = (kit / "README.md").read_text("utf-8")
    assert "aligned by its five landmarks" in text
    assert "run it twice" in text


def test_how_far_a_target_may_be_off():
    right = {name: np.arange(4, dtype=np.float32)[:, None] for name in ("output", "cam")}

    def of(precision, engine="onnxruntime", **parity):
        record = TargetRecord(file="f", engine=engine, precision=precision, parity=parity)
        spec = task_of("classification").preprocess
        found, limits = expected(Path("f"), record, spec, np.zeros((4, 24, 36, 3), np.uint8), right)
        assert all(found[name] is right[name] for name in right)
        return limits

    assert of("fp32") == {"output": 1e-3, "cam": 1e-3}
    assert of("fp16", max_relative=1e-4, cam_max_relative=0.5) == {"output": 2e-2, "cam": 0.75}
    for engine in ("coreml", "onnxruntime"):  # nothing runs it; the file is not there
        assert of("int8", engine) == dict.fromkeys(right, TOLERANCES["int8"].relative)


@pytest.fixture(scope="module")
def rounded(bundle, tmp_path_factory):
    """Weights moved a little stand for 8 bits."""
    folder = tmp_path_factory.mktemp("r")
    made = with_record(bundle, folder / "b", "onnx-int8", precision="int8")
    model = onnx.load(bundle / "model.onnx")
    weights = max(model.graph.initializer, key=lambda item: len(item.raw_data))
    weights.raw_data = (onnx.numpy_helper.to_array(weights) * np.float32(1.2)).tobytes()
    onnx.save(model, made / "model.onnx")
    manifest = BundleManifest.load(made / "manifest.json")
    files = manifest.files | {"model.onnx": sha256_file(made / "model.onnx")}
    resign(made, manifest.model_copy(update={"files": files}))
    return made, write_kit(made, "onnx-int8", folder / "kit")


def test_an_8_bit_file_is_compared_with_its_own_answers(bundle, rounded):
    made, kit = rounded
    golden = np.load(bundle / "golden.npz")
    floats = (golden["images"][..., ::-1] / 255.0 - STATS["mean"]) / STATS["std"]
    session = onnxruntime.InferenceSession(made / "model.onnx")
    own = session.run(None, {"input": floats.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    right = golden["outputs"]
    off = np.abs(own - right).max() / (right.max(0) - right.min(0)).max()
    assert off > 0.04
    with np.load(kit / "golden.npz") as found:
        np.testing.assert_allclose(found["exported_output"], own, atol=1e-5)
        assert np.array_equal(found["outputs"], right)
    tolerance = json.loads((kit / "spec.json").read_text("utf-8"))["tolerance"]
    assert tolerance == {"output": pytest.approx(off / 2, rel=1e-3)}
    done = run(kit, "bench.py", "--json", "--repeat", "5", "--threads", "1")
    said = json.loads(done.stdout)
    assert (done.returncode, said["agrees"]) == (0, True)
    assert said["differences"]["output"] < 1e-4
    assert said["from_original"]["output"] == pytest.approx(off, rel=1e-3)
    text = (kit / "README.md").read_text("utf-8")
    assert "as this very file\nanswered where it was exported" in text
    assert "giống như chính tệp này" in text


def test_faults_in_an_8_bit_kit_fail(rounded, tmp_path):
    _, kit = rounded
    assert run(kit, "self_test.py").returncode == 0
    for index, fault in enumerate(({"colour": "rgb"}, {"mean": [0, 0, 0]}, {"input_range": [0, 1]})):
        assert run(changed_spec(kit, tmp_path / str(index), **fault), "self_test.py").returncode == 1


def test_refusals(bundle, tmp_path):
    with pytest.raises(ConfigError, match=r"bundle leaf .* has no target 'ncnn': expected onnx"):
        write_kit(bundle, "ncnn", tmp_path / "kit")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").touch()
    with pytest.raises(ExportError, match="taken is not empty; choose another folder for the kit"):
        write_kit(bundle, "onnx", taken)
    assert [item.name for item in taken.iterdir()] == ["mine.txt"]
    spoilt = shutil.copytree(bundle, tmp_path / "spoilt")
    (spoilt / "model.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        write_kit(spoilt, "onnx", tmp_path / "kit")
    manifest = BundleManifest.load(bundle / "manifest.json")
    for change, message in (
        ({"input_dtype": "uint16", "input_range": (0, 4095)}, "got uint16, VOI window None"),
        ({"voi_window": (40.0, 400.0)}, "got uint8, VOI window"),
    ):
        spec = manifest.task.preprocess.model_copy(update=change)
        task = manifest.task.model_copy(update={"preprocess": spec})
        folder = shutil.copytree(bundle, tmp_path / str(len(message)))
        resign(folder, manifest.model_copy(update={"task": task}))
        with pytest.raises(ExportError, match=f"a kit starts from 8-bit pictures: expected .*{message}"):
            write_kit(folder, "onnx", tmp_path / "kit")
    colour = with_record(bundle, tmp_path / "colour", "odd", converter_took=("colour",))
    with pytest.raises(BundleError, match="took in preprocessing that onnxruntime cannot leave out"):
        write_kit(colour, "odd", tmp_path / "kit")
    assert not (tmp_path / "kit").exists()
    assert not [item for item in tmp_path.iterdir() if item.name.startswith(".")]


def test_means_are_not_rounded(kit):
    about = json.loads((kit / "spec.json").read_text("utf-8"))
    assert tuple(about["preprocess"]["mean"]) == STATS["mean"]


def test_tensorrt_says_what_it_needs(kit):
    command = [sys.executable, "-B", str(kit / "build_tensorrt.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(
        r"build_tensorrt: pip install tensorrt cuda-python \(No module named 'tensorrt'\)\n", done.stderr
    )
    assert not (kit / "model.engine").exists()


def test_a_bundle_with_a_single_golden_picture_has_no_kit(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "b")
    with np.load(bundle / "golden.npz") as golden:
        np.savez(tmp_path / "b" / "golden.npz", **{name: golden[name][:1] for name in golden.files})
    manifest = BundleManifest.load(bundle / "manifest.json")
    files = {**manifest.files, "golden.npz": sha256_file(tmp_path / "b" / "golden.npz")}
    resign(tmp_path / "b", manifest.model_copy(update={"files": files}))
    line = "golden pictures whose answers differ: expected 2 or more, got 1; export the model again"
    with pytest.raises(ExportError, match=line):
        write_kit(tmp_path / "b", "onnx", tmp_path / "kit")
    assert not (tmp_path / "kit").exists()
