"""``vnvision clinic report``: a bundle, DICOM files, a folder of results."""

from __future__ import annotations

import hashlib
import json
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import typer
from typer.testing import CliRunner

from vnvision.cli import clinic_results
from vnvision.clinic.results.batch import report_files
from vnvision.errors import BundleError, ConfigError
from vnvision.records import BundleManifest, Calibration, Licences, TargetRecord
from vnvision.runtime import Predictor
from vnvision.runtime.router import Router
from vnvision.spec import Label, PreprocessSpec, TaskSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "clinic" / "results"))
import result_scenes as scenes

app = typer.Typer()
app.command("report")(clinic_results.report)
LABELS = (
    Label(id="normal", vi="bình thường", en="normal"),
    Label(id="malignant", vi="ác tính", en="malignant"),
)


def bundle(folder: Path, *, kind: str = "classification", abstain_below: float | None = None) -> Path:
    """A model that answers the picture's mean grey, as logits: dark is normal, bright is malignant."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    folder.mkdir()
    weights = np.array([[-8.0, 8.0]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
            helper.make_node("Sub", ["mean", "half"], ["centred"]),
            helper.make_node("MatMul", ["centred", "weights"], ["output"]),
        ],
        "grey",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(np.array(0.5, np.float32), "half"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    save(model, folder / "model.onnx")
    np.savez(folder / "golden.npz", images=np.zeros((1, 8, 8, 1), np.uint8))
    spec = PreprocessSpec(size_px=(8, 8), colour="grey", mean=(0.0,), std=(1.0,))
    embeds = kind == "embedding"
    task = TaskSpec(
        kind=kind, preprocess=spec, labels=() if embeds else LABELS, embedding_dim=2 if embeds else None,
        score="cosine" if embeds else "softmax",
    )  # fmt: skip
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.onnx", "golden.npz")
    }
    target = TargetRecord(
        file="model.onnx", engine="onnxruntime", calibration=Calibration(abstain_below=abstain_below)
    )
    manifest = BundleManifest(
        name="grey-or-not", task=task, targets={"onnx": target}, files=digests,
        licences=Licences(weights="Apache-2.0"),
    )  # fmt: skip
    manifest.save(folder / "manifest.json")
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    (folder / "manifest.sha256").write_text(digest + "\n")
    return folder


def image(path: Path, level: int, number: int = 1) -> Path:
    ds = scenes.source("US", SOPInstanceUID=f"2.25.77{number}")
    ds.PixelData = bytes([level]) * (60 * 80)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    stream = BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    path.write_bytes(stream.getvalue())
    return path


def run(*words) -> object:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_each_image_gets_a_folder_named_by_its_uid(tmp_path):
    sources = [image(tmp_path / "dark.dcm", 5, 1), image(tmp_path / "bright.dcm", 250, 2)]
    result = run(bundle(tmp_path / "b"), *sources, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"2.25.771", "2.25.772"}
    findings = {}
    for name in ("2.25.771", "2.25.772"):
        assert {path.name for path in (tmp_path / "out" / name).iterdir()} == {"sr.dcm", "sc.dcm"}
        sr = pydicom.dcmread(tmp_path / "out" / name / "sr.dcm")
        findings[name] = scenes.coded(sr, "121071")[0][2]
        assert str(sr.PatientName) == "Nguyễn^Thị Ánh"
        evidence = sr.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
        assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == name
    assert findings == {"2.25.771": "Normal", "2.25.772": "Malignant"}
    assert "bình thường" in result.output
    assert result.output.splitlines()[-1] == "Chỉ dùng cho nghiên cứu, không phải thiết bị y tế"
    assert "note: the answer has no mask: no segmentation" in result.output


def test_json_gives_the_answer_and_the_files(tmp_path):
    result = run(
        bundle(tmp_path / "b"), image(tmp_path / "a.dcm", 250), "--out", tmp_path / "out", "--json",
        "--no-sc", "--language", "en",
    )  # fmt: skip
    line = json.loads(result.output)
    assert line["statement"] == "Research use, not a medical device"
    assert line["source"] == str(tmp_path / "a.dcm")
    assert line["answer"]["probabilities"][1] > 0.9
    assert line["files"]["sr"] == str(tmp_path / "out" / "2.25.771" / "sr.dcm")
    assert line["files"]["sc"] is None
    assert not (tmp_path / "out" / "2.25.771" / "sc.dcm").exists()


def test_an_unsure_model_writes_that_it_is_unsure(tmp_path):
    folder = bundle(tmp_path / "b", abstain_below=0.99)
    result = run(folder, image(tmp_path / "a.dcm", 130), "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "không chắc chắn" in result.output
    sr = pydicom.dcmread(tmp_path / "out" / "2.25.771" / "sr.dcm")
    assert scenes.coded(sr, "121071") == []
    assert [found[0] for found in scenes.coded(sr, "reason")] == ["low_confidence"]


def test_a_file_that_cannot_be_read_is_reported_and_the_others_are_written(tmp_path):
    (tmp_path / "text.dcm").write_text("this is no DICOM file, although its name says so")
    good = image(tmp_path / "good.dcm", 250)
    result = run(bundle(tmp_path / "b"), tmp_path / "text.dcm", good, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "text.dcm is not a DICOM file" in result.output
    assert (tmp_path / "out" / "2.25.771" / "sr.dcm").is_file()
    again = run(bundle(tmp_path / "b2"), good, "--out", tmp_path / "out", "--json")
    assert again.exit_code == 1
    assert "exists already" in json.loads(again.output)["error"]


def test_the_same_image_twice_is_not_written_over(tmp_path):
    one = image(tmp_path / "one.dcm", 250)
    result = run(bundle(tmp_path / "b"), one, one, "--out", tmp_path / "out", "--no-sc")
    assert result.exit_code == 1
    assert "exists already" in result.output


def test_the_heatmap_of_the_runtime_is_drawn_where_there_is_a_picture_and_an_answer(tmp_path, monkeypatch):
    source, seen = image(tmp_path / "a.dcm", 250), []
    heat = np.zeros((60, 80), np.float32)
    heat[20:40, 20:40] = 1
    monkeypatch.setattr(Predictor, "heatmap", lambda self, picture: seen.append(picture.shape) or heat)
    folder = bundle(tmp_path / "b")
    run(folder, source, "--out", tmp_path / "drawn")
    assert seen == [(60, 80, 1)]
    drawn = pydicom.dcmread(tmp_path / "drawn" / "2.25.771" / "sc.dcm").pixel_array
    assert len(np.unique(drawn.reshape(-1, 3)[:, 0] == 250)) == 2
    top = int(np.flatnonzero((drawn[:, 20] == 250).all(axis=1))[0])
    assert (drawn[top + 6 * 5, 16 + 6 * 5] == 250).all()
    assert (drawn[top + 6 * 30, 16 + 6 * 30] != 250).any()
    run(folder, source, "--out", tmp_path / "no_picture", "--no-sc")
    run(bundle(tmp_path / "unsure", abstain_below=1.0), source, "--out", tmp_path / "unsure_out")
    assert seen == [(60, 80, 1)]


@pytest.mark.parametrize(
    ("words", "error", "line"),
    [
        (["--language", "fr"], ConfigError, "unknown language: expected vi or en, got fr"),
        (
            ["--no-sr", "--no-sc", "--no-seg"],
            ConfigError,
            "nothing to write: expected one of --sr, --sc, --seg",
        ),
        (["--character-set", "TCVN3"], ConfigError, "unknown character set"),
    ],
)
def test_wrong_options(words, error, line, tmp_path):
    result = run(bundle(tmp_path / "b"), image(tmp_path / "a.dcm", 5), "--out", tmp_path / "out", *words)
    assert isinstance(result.exception, error)
    assert line in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_embeddings_have_no_dicom_result(tmp_path):
    result = run(
        bundle(tmp_path / "b", kind="embedding"), image(tmp_path / "a.dcm", 5), "--out", tmp_path / "out"
    )
    assert isinstance(result.exception, BundleError)
    assert "answers embeddings: no DICOM result can be written" in str(result.exception)


def test_auto_writes_no_dicom_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, line = image(tmp_path / "a.dcm", 250), "auto writes no DICOM results: .*; name the model instead"
    result = run("auto", source, "--out", tmp_path / "out")
    assert isinstance(result.exception, ConfigError)
    with pytest.raises(ConfigError, match=line):
        raise result.exception
    router = Router(object(), lambda name: None, ())
    with pytest.raises(ConfigError, match=line):
        next(report_files(router, [source], out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    bundle(tmp_path / "auto")
    assert run("auto", source, "--out", tmp_path / "out").exit_code == 0, "a folder of that path wins"
