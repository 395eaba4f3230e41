"""``vnvision predict``: answers in words, and pages to print."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from vnvision.cli.predict import in_words
from vnvision.records import (
    Box,
    BundleManifest,
    Calibration,
    ClassPrediction,
    DetectionPrediction,
    Licences,
    MaskPrediction,
    TargetRecord,
)
from vnvision.spec import BoxSpec, Label, PreprocessSpec, SeveritySpec, TaskSpec

SIDE = 8
LABELS = (Label(id="dark", vi="tối", en="dark"), Label(id="light", vi="sáng", en="light"))


def write_model(path, *, temperature=1.0):
    """Mean light of the picture against one half, as two logits."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.full((3 * SIDE * SIDE, 2), 20 / (3 * SIDE * SIDE), np.float32) * np.array(
        [-1, 1], np.float32
    )
    bias = np.array([10, -10], np.float32) * temperature
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["output"]),
        ],
        "light",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


@pytest.fixture
def bundle(tmp_path):
    def make(domain="crop", **calibration):
        folder = tmp_path / f"bundle_{domain}"
        folder.mkdir()
        write_model(folder / "model.onnx")
        np.savez(folder / "golden.npz", images=np.zeros(1), outputs=np.zeros(1))
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        limits = {"n": 10, "abstain_below": 0.9} | calibration
        manifest = BundleManifest(
            name="light",
            task=TaskSpec(
                kind="classification", preprocess=PreprocessSpec(size_px=(SIDE, SIDE)), labels=LABELS
            ),
            targets={
                "onnx": TargetRecord(
                    file="model.onnx", engine="onnxruntime", calibration=Calibration(**limits)
                )
            },
            files=files,
            licences=Licences(weights="Apache-2.0"),
            provenance={"domain": domain},
        )
        manifest.save(folder / "manifest.json")
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        (folder / "manifest.sha256").write_text(digest + "\n")
        return folder

    return make


@pytest.fixture
def pictures(tmp_path):
    """Two clear ones, one in doubt, one that is no picture; the first with a place and a time."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (16.0, 30.0, 0.0), 3: "E", 4: (107.0, 15.0, 0.0)})
    for name, level in (("Nguyen Van A.jpg", 250), ("b.jpg", 5), ("c.jpg", 128)):
        picture = Image.fromarray(np.full((20, 30, 3), level, np.uint8))
        picture.save(folder / name, exif=exif)
    (folder / "d.jpg").write_text("no picture")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    from vnvision.cli.main import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["vnvision", "predict", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exc:
            code = exc.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_a_batch_gets_pages_and_a_table(bundle, pictures, tmp_path, run):
    code, out, _ = run(bundle(), pictures, "--report", tmp_path / "out", "--language", "vi", "--each")
    assert code == 1  # one picture could not be read
    written = sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    )
    each = [f"cases/{n:04d}.{kind}" for n in (1, 2, 3) for kind in ("html", "pdf")]
    assert written == ["batch.csv", "batch.html", "batch.pdf", *each]
    assert all(f"wrote {tmp_path / 'out' / name}" in out for name in written)
    assert "Nguyen Van A.jpg: sáng trên 99%" in out
    assert "d.jpg is not an image" in out
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/batch.csv").read_text("utf-8-sig"))))
    assert [row["status"] for row in rows] == ["answered", "answered", "abstained", "unread"]
    assert [row["answer"] for row in rows] == ["light", "dark", "", ""]
    assert [row["reference"] for row in rows] == ["Nguyen Van A.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert {row["latitude_deg"] for row in rows} == {""}


def test_one_picture_gets_one_case(bundle, pictures, tmp_path, run):
    source, out = pictures / "b.jpg", tmp_path / "out"
    code, *_ = run(bundle(), source, "--report", out, "--no-pdf", "--heatmap", "--reference", "Thửa 4")
    assert code == 0
    assert [path.name for path in out.iterdir()] == ["case.html"]
    text = (out / "case.html").read_text("utf-8")
    assert '<html lang="en">' in text
    assert "Thửa 4" in text
    assert "b.jpg" not in text
    assert text.count("data:image/jpeg") == 2  # the picture, and where the model looked
    assert "16.5" not in text
    run(bundle("clinic"), source, "--report", out, "--no-pdf", "--csv", "--place-and-time")
    assert "16.5000, 107.2500" in (out / "case.html").read_text("utf-8")
    assert "16.5000,107.2500" in (out / "case.csv").read_text("utf-8-sig")


def test_file_names_stay_off_clinic_pages_unless_asked_for(bundle, pictures, tmp_path, run):
    model, out = bundle("clinic"), tmp_path / "out"
    run(model, pictures, "--report", out)
    for kind in ("html", "csv"):
        text = (out / f"batch.{kind}").read_text("utf-8-sig")
        assert "Nguyen" not in text
        assert "0001" in text
        assert str(tmp_path) not in text
    run(model, pictures, "--report", out, "--file-names")
    assert "Nguyen Van A.jpg" in (out / "batch.csv").read_text("utf-8-sig")
    run(bundle("crop"), pictures, "--report", out, "--no-file-names")
    assert "Nguyen" not in (out / "batch.csv").read_text("utf-8-sig")


def test_an_abstained_picture_gets_no_heatmap(bundle, pictures, tmp_path, run):
    run(bundle("clinic"), pictures / "c.jpg", "--report", tmp_path / "out", "--no-pdf", "--heatmap")
    text = (tmp_path / "out/case.html").read_text("utf-8")
    assert text.count("data:image/jpeg") == 1
    assert "Not sure" in text


def test_json_lines_stay_json(bundle, pictures, tmp_path, run):
    _, out, _ = run(bundle(), pictures, "--report", tmp_path / "out", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["source"].rsplit("/", 1)[-1] for line in lines][1:] == ["b.jpg", "c.jpg", "d.jpg"]
    plain = [json.loads(line) for line in run(bundle("clinic"), pictures, "--json")[1].splitlines()]
    assert [line.get("probabilities") for line in plain] == [line.get("probabilities") for line in lines]


def test_mistakes_are_one_line(bundle, pictures, tmp_path, run):
    model = bundle()
    code, _, err = run(model, pictures, "--heatmap")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--report DIR" in err
    code, _, err = run(model, pictures, "--report", pictures / "b.jpg")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "cannot write the report" in err
    assert "không ghi được báo cáo" in err
    code, out, _ = run(model, pictures / "d.jpg", "--report", tmp_path / "out")
    assert code == 1
    assert "is not an image" in out
    assert not (tmp_path / "out").exists()
    code, _, err = run(model, pictures / "d.jpg", pictures / "d.jpg", "--report", tmp_path / "out")
    assert code == 2
    assert "nothing to report" in err


def test_answers_in_words():
    mask = MaskPrediction(
        size_px=(10, 10), mask_rle=((0, 60), (1, 30), (2, 10)),
        areas_px={"background": 60, "leaf": 30, "lesion": 10}, severity=0.25,
    )  # fmt: skip
    labels = tuple(
        Label(id=one, vi=two) for one, two in (("background", "nền"), ("leaf", "lá"), ("lesion", "vết"))
    )
    size = PreprocessSpec(size_px=(8, 8))
    severity = SeveritySpec(diseased=("lesion",), whole=("leaf", "lesion"))
    task = TaskSpec(kind="segmentation", preprocess=size, labels=labels, severity=severity)
    assert in_words(mask, task, "en") == "25.0% diseased (leaf 30.0%, lesion 10.0%)"
    assert in_words(mask, task, "vi") == "25,0% diện tích bị bệnh (lá 30,0%, vết 10,0%)"
    bare = mask.model_copy(update={"severity": None})
    assert in_words(bare, task, "en") == "leaf 30.0%, lesion 10.0%"
    cells = TaskSpec(kind="detection", preprocess=size, labels=LABELS, score="sigmoid", boxes=BoxSpec())
    box = Box(box_xyxy_px=(0, 0, 1, 1), label="dark", score=0.9)
    found = DetectionPrediction(boxes=(box, box), counts={"dark": 2, "light": 0})
    assert in_words(found, cells, "vi") == "2 tối"
    assert in_words(DetectionPrediction(boxes=(), counts={"dark": 0}), cells, "en") == "nothing found"
    classes = TaskSpec(kind="classification", preprocess=size, labels=LABELS)
    answer = ClassPrediction(labels=("dark", "light"), probabilities=(0.6, 0.4))
    assert in_words(answer, classes, "en") == "dark 60%"
    doubt = answer.model_copy(update={"abstained": True, "reasons": ("too_dark", "low_confidence")})
    assert in_words(doubt, classes, "vi") == (
        "không chắc chắn: Ảnh quá tối. Mô hình không đủ chắc chắn để trả lời."
    )


def test_isolated_decoding_answers_the_same(bundle, pictures, run):
    plain = run(bundle(), pictures, "--json")
    isolated = run(bundle("clinic"), pictures, "--json", "--isolated")
    assert isolated[:2] == plain[:2]
