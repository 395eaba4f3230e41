"""The kit's scripts as an integrator runs them: right answers pass, planted faults and damage do not."""

from __future__ import annotations

import json
import re
import shutil
import sys
import types

import cv2
import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
from kit_bundles import bundle_of, changed_spec, run, task_of, with_record

from vnvision.atomic import sha256_file
from vnvision.export.kits import write_kit
from vnvision.records import Calibration, Metric, OperatingPoint
from vnvision.runtime import load_bundle

HASH = "0" * 64


def point(scale: str, threshold: float, label: str | None) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold, scale=scale, target="fmr=1e-3", label=label, achieved=Metric(value=0.9, n=9),
        population="Hue", n=9, manifest_sha256=HASH,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    task = task_of("classification", colour="bgr", geometry="letterbox", pad_value=114)
    calibration = Calibration(temperatures=(0.0625,), abstain_below=0.95)
    points = (point("probability", 0.5, "spot"),)
    folder = tmp_path_factory.mktemp("b") / "bundle"
    return bundle_of(folder, task, calibration=calibration, operating_points=points)


@pytest.fixture(scope="module")
def kit(bundle, tmp_path_factory):
    return write_kit(bundle, "onnx", tmp_path_factory.mktemp("k") / "kit")


def pictures(folder, *sizes):
    rng = np.random.default_rng(1)
    found = [cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), size) for size in sizes]
    for index, picture in enumerate(found):
        cv2.imwrite(str(folder / f"ảnh {index}.png"), picture[..., ::-1])
    return found, [str(folder / f"ảnh {index}.png") for index in range(len(found))]


def rewritten(kit, to, **arrays):
    """A copy of a kit with other golden arrays."""
    shutil.copytree(kit, to)
    with np.load(to / "golden.npz") as file:
        golden = {name: file[name] for name in file.files}
    np.savez(to / "golden.npz", **(golden | arrays))
    return to


def test_the_self_test_passes(kit):
    done = run(kit, "self_test.py", "--threads", "1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == 'model      leaf "A", target onnx, 4 golden pictures'
    gap = float(re.fullmatch(r"output +relative difference (\S+) \(at most 0\.001\) ok", lines[1])[1])
    assert gap < 1e-5
    assert lines[2].startswith("size       largest difference 0 of 255 levels (at most 2), OpenCV")
    assert lines[-1] == "PASS"


@pytest.mark.parametrize(
    "fault",
    [
        {"colour": "rgb"},  # the channels swapped
        {"mean": [0, 0, 0], "std": [1, 1, 1]},  # not normalised
        {"mean": [0.485, 0.456, 0.5]},  # one mean changed
        {"input_range": [0, 1]},  # range left out
        {"interpolation": "nearest"},  # pictures of another size come otherwise
        {"geometry": "squash"},
    ],
)
def test_a_fault_in_preprocessing_fails(kit, tmp_path, fault):
    done = run(changed_spec(kit, tmp_path / "kit", **fault), "self_test.py")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")
    assert "WRONG" in done.stdout


def test_wrong_golden_answers_fail(kit, tmp_path):
    with np.load(kit / "golden.npz") as golden:
        right = golden["outputs"]
    spread = float((right.max(0) - right.min(0)).max())
    one_off = right.copy()
    one_off[3, 2] += 0.01 * spread
    for index, wrong in enumerate((one_off, right[::-1], np.full_like(right, np.nan))):
        done = run(rewritten(kit, tmp_path / str(index), outputs=wrong), "self_test.py")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")


def test_swapped_weights(kit, tmp_path):
    """Other weights are refused by their hash, and fail by their answers where the hash was changed too."""
    swapped = shutil.copytree(kit, tmp_path / "kit")
    model = onnx.load(kit / "model.onnx")
    weights = max(model.graph.initializer, key=lambda item: len(item.raw_data))
    weights.raw_data = onnx.numpy_helper.to_array(weights)[::-1].tobytes()
    onnx.save(model, swapped / "model.onnx")
    done = run(swapped, "self_test.py")
    assert done.returncode == 2
    assert "model.onnx is not the file that was exported (SHA-256): copy the kit again" in done.stderr
    about = json.loads((swapped / "spec.json").read_text("utf-8"))
    about["files"] = {"model.onnx": sha256_file(swapped / "model.onnx")}
    (swapped / "spec.json").write_text(json.dumps(about), "utf-8")
    done = run(swapped, "self_test.py")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")


def test_damage_gets_one_line(kit, tmp_path):
    golden, spec = (kit / "golden.npz").read_bytes(), (kit / "spec.json").read_text("utf-8")
    cases = {
        "model.onnx": (
            (kit / "model.onnx").read_bytes()[:-9],
            "model.onnx is not the file that was exported",
        ),
        "golden.npz": (golden[: len(golden) // 2], "golden.npz is missing or damaged"),
        "spec.json": (spec[:100].encode(), "spec.json is missing or damaged"),
    }
    for index, (name, (data, message)) in enumerate(cases.items()):
        for content in (data, b"", None):
            folder = tmp_path / f"{index}{content and len(content)}"
            shutil.copytree(kit, folder)
            (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
            wanted = "model.onnx cannot be read" if (name, content) == ("model.onnx", None) else message
            for script in ("self_test.py", "bench.py"):
                done = run(folder, script)
                assert (done.returncode, done.stdout) == (2, ""), (name, script, done)
                (line,) = done.stderr.splitlines()
                assert line.startswith(f"{script[:-3]}: {wanted}")


def test_a_part_that_is_missing_gets_one_line(kit, tmp_path):
    def spoilt(name, change):
        folder = shutil.copytree(kit, tmp_path / name)
        about = json.loads((folder / "spec.json").read_text("utf-8"))
        change(about)
        (folder / "spec.json").write_text(json.dumps(about), "utf-8")
        return run(folder, "self_test.py")

    cases = {
        "list": (lambda about: about["preprocess"].pop("mean"), "spec.json is damaged: 'mean'"),
        "key": (lambda about: about.pop("tolerance"), "spec.json is missing or damaged: 'tolerance'"),
        "output": (lambda about: about.update(outputs=["nothing"]), "inference failed in onnxruntime"),
    }
    for name, (change, message) in cases.items():
        done = spoilt(name, change)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"self_test: {message}"), line


def test_numbers_below_one_are_refused(kit):
    for script in ("self_test.py", "bench.py"):
        with pytest.raises(SystemExit) as stopped:
            run(kit, script, "--threads", "0")
        assert stopped.value.code == 2


def test_a_file_that_an_engine_refuses(kit, tmp_path):
    folder = shutil.copytree(kit, tmp_path / "kit")
    (folder / "model.onnx").write_bytes(b"not a model")
    about = json.loads((folder / "spec.json").read_text("utf-8"))
    about["files"] = {"model.onnx": sha256_file(folder / "model.onnx")}
    (folder / "spec.json").write_text(json.dumps(about), "utf-8")
    done = run(folder, "self_test.py")
    assert done.returncode == 2
    assert re.fullmatch(r"self_test: onnxruntime cannot load model\.onnx: .*\n", done.stderr)


def test_an_engine_that_is_not_installed_says_what_to_install(kit, tmp_path):
    folder = shutil.copytree(kit, tmp_path / "kit")
    about = json.loads((folder / "spec.json").read_text("utf-8"))
    for engine, message in (
        ("rknn", "rknn is not installed: pip install rknn-toolkit-lite2"),
        ("coreml", "no Python program runs coreml here: see README.md"),
    ):
        (folder / "spec.json").write_text(json.dumps(about | {"engine": engine}), "utf-8")
        done = run(folder, "self_test.py")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"self_test: {message}")
        assert len(done.stderr.splitlines()) == 1


class Board:
    """rknn-toolkit-lite2 from outside: a model that takes (1, h, w, C) uint8 and normalises inside."""

    def __init__(self, verbose):
        assert verbose is False

    def load_rknn(self, path):
        self.session = onnxruntime.InferenceSession(path)
        return 0

    def init_runtime(self):
        return 0

    def inference(self, inputs):
        (pixels,) = inputs
        assert (pixels.dtype, pixels.shape) == (np.uint8, (1, 24, 36, 3))
        spec = task_of("classification", colour="bgr").preprocess
        floats = (pixels / np.float64(255) - spec.mean) / spec.std
        return self.session.run(None, {"input": floats.transpose(0, 3, 1, 2).astype(np.float32)})


def test_a_board_gets_pixels_in_the_models_colour_order(bundle, tmp_path, monkeypatch):
    took = ("range", "normalise")
    folder = with_record(bundle, tmp_path / "b", "rknn-rk3588", engine="rknn", converter_took=took)
    kit = write_kit(folder, "rknn-rk3588", tmp_path / "kit")
    monkeypatch.setitem(sys.modules, "rknnlite", types.ModuleType("rknnlite"))
    monkeypatch.setitem(sys.modules, "rknnlite.api", types.SimpleNamespace(RKNNLite=Board))
    done = run(kit, "self_test.py")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASS"), done
    assert run(kit, "bench.py", "--repeat", "5", "--threads", "1", "--json").returncode == 0
    assert run(changed_spec(kit, tmp_path / "rgb", colour="rgb"), "self_test.py").returncode == 1


CASES = {
    "squash": ("classification", {"interpolation": "area"}),
    "grey": ("multilabel", {"colour": "grey", "mean": (0.4,), "std": (0.3,)}),
    "crop": ("segmentation", {"geometry": "crop", "crop_pct": 0.875, "interpolation": "bicubic"}),
    "letterbox": ("detection", {"geometry": "letterbox", "pad_value": 10}),
    "flip": ("embedding", {"flip_average": True, "colour": "bgr"}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_example_answers_as_the_bundle_does(tmp_path, name):
    kind, spec = CASES[name]
    folder = bundle_of(tmp_path / "bundle", task_of(kind, **spec))
    kit = write_kit(folder, "onnx", tmp_path / "kit")
    assert run(kit, "self_test.py").returncode == 0
    predictor = load_bundle(folder, target="onnx")
    images, files = pictures(tmp_path, (47, 61), (90, 40), (36, 24))
    done = run(kit, "example.py", "--json", "--out", str(tmp_path / "masks"), *files)
    assert done.returncode == 0, done.stderr
    for line, picture in zip(done.stdout.splitlines(), images, strict=True):
        got, right = json.loads(line), predictor.predict(picture)
        if kind == "embedding":
            np.testing.assert_allclose(got["embedding"], right.embedding, atol=1e-5)
        elif kind == "segmentation":
            drawn = cv2.imdecode(np.fromfile(got["mask_file"], np.uint8), cv2.IMREAD_UNCHANGED)
            assert (drawn != right.mask()).mean() < 1e-3  # ties at the edges
            assert sum(got["areas_px"].values()) == drawn.size
        elif kind == "detection":
            assert len(got["boxes"]) == len(right.boxes) > 0
            assert got["counts"] == right.counts
            for one, other in zip(got["boxes"], right.boxes, strict=True):
                assert one["label"] == other.label
                assert one["score"] == pytest.approx(other.score, abs=1e-5)
                np.testing.assert_allclose(one["box_xyxy_px"], other.box_xyxy_px, atol=1e-2)
        else:
            np.testing.assert_allclose(list(got["probabilities"].values()), right.probabilities, atol=1e-5)
    told = run(kit, "example.py", files[0])
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"{files[0]}: ")


def test_the_example_is_unsure_where_the_bundle_abstains(kit, bundle, tmp_path):
    predictor, seen = load_bundle(bundle, target="onnx"), set()
    _, files = pictures(tmp_path, *[(40, 30)] * 12)
    done = run(kit, "example.py", "--json", *files)
    told = run(kit, "example.py", *files).stdout
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        right = predictor.predict(answer["picture"])
        assert answer["unsure"] == right.abstained
        assert (answer["label"], answer["probability"]) == (
            right.top,
            pytest.approx(right.confidence, abs=1e-5),
        )
        (reached,) = answer["points"]
        assert reached["reached"] == (right.probabilities[1] >= 0.5)
        seen.add(right.abstained)
    assert len(done.stdout.splitlines()) == 12
    assert seen == {True, False}
    assert told.count("không chắc / not sure: ") == sum(
        json.loads(x)["unsure"] for x in done.stdout.splitlines()
    )
    assert "đốm, nâu / spot" in told or "lá khỏe / healthy leaf" in told or "rust / rust" in told


def test_two_faces_and_the_bundles_threshold(tmp_path):
    task = task_of("embedding", size_px=(28, 28), geometry="align")
    points = (point("cosine", 0.5, None), point("cosine", 0.9999, None))
    folder = bundle_of(tmp_path / "bundle", task, operating_points=points)
    kit = write_kit(folder, "onnx", tmp_path / "kit")
    images, files = pictures(tmp_path, (40, 50), (40, 50))
    marks = [
        [[12, 20], [26, 19], [19, 27], [14, 35], [25, 34]],
        [[10, 18], [28, 20], [20, 26], [12, 36], [26, 37]],
    ]
    names = {f"ảnh {index}.png": points for index, points in enumerate(marks)}
    (tmp_path / "marks.json").write_text(json.dumps(names), "utf-8")
    done = run(kit, "example.py", "--json", "--landmarks", str(tmp_path / "marks.json"), *files)
    assert done.returncode == 0, done.stderr
    predictor = load_bundle(folder, target="onnx")
    right = [
        np.array(predictor.predict(image, landmarks_px=mark).embedding)
        for image, mark in zip(images, marks, strict=True)
    ]
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["cosine"] == pytest.approx(right[0] @ right[1], abs=1e-5)
    assert [one["match"] for one in last["points"]] == [last["cosine"] >= 0.5, last["cosine"] >= 0.9999]
    uncut = run(kit, "example.py", *files)
    assert uncut.returncode == 2
    assert "must be 28 x 28 (height x width) already, it is 50 x 40" in uncut.stderr


def test_bad_input_gets_one_line(kit, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    done = run(kit, "example.py", str(tmp_path / "text.png"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"example: cannot read {tmp_path / 'text.png'}: it is no picture")
    assert len(done.stderr.splitlines()) == 1
    done = run(kit, "example.py", "--landmarks", str(tmp_path / "none.json"), str(tmp_path / "text.png"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
