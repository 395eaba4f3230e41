"""Every verb once, in this process, with the network blocked; and what each says to bad input."""

import csv
import json
import shutil
import sys

import cv2
import numpy as np
import pytest

from vnvision.cli import main as cli


def call(monkeypatch, capsys, *words):
    """Exit code, stdout, stderr of ``vnvision words``."""
    monkeypatch.setattr(sys, "argv", ["vnvision", *(str(word) for word in words)])
    code = 0
    try:
        cli.main()
    except SystemExit as exc:
        code = exc.code or 0
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def vnvision(monkeypatch, capsys):
    return lambda *words: call(monkeypatch, capsys, *words)


def test_train_leaves_the_contracted_run_folder(vnvision, leaves, config_file, tmp_path):
    code, out, err = vnvision(
        "train", config_file, f"data={leaves}", f"output={tmp_path / 'run'}", "epochs=1"
    )
    assert code == 0, err
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert set(report["metrics"]["accuracy"]) >= {"value", "low", "high", "n"}
    assert "auroc" in report["metrics"]
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / ".latest").resolve() == (tmp_path / "run").resolve()
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    assert len(rows) == 1
    assert float(rows[0]["val_accuracy"]) >= 0
    assert "report" in out

    code, _, err = vnvision("train", config_file, f"data={leaves}", f"output={tmp_path / 'run'}", "epochs=1")
    assert code == 2
    assert "is not empty; choose another output, or add resume=true" in err

    words = ("train", config_file, f"data={leaves}", f"output={tmp_path / 'run'}", "resume=true", "epochs=2")
    code, _, err = vnvision(*words)
    assert code == 2
    assert "epochs=2 (was 1)" in err


def test_print_config_trains_nothing(vnvision, leaves, config_file, tmp_path):
    code, out, _ = vnvision("train", config_file, f"data={leaves}", "lr=1e-4", "--print-config")
    assert code == 0
    assert "lr: 0.0001" in out
    code, _, err = vnvision("train", config_file, f"data={leaves}", "lrr=1", "epoch=3")
    assert code == 2
    assert "lrr: unknown key" in err
    assert "epoch: unknown key" in err
    assert len(err.strip().splitlines()) == 1


def test_eval_of_run_and_bundle_agree(vnvision, run, bundle, leaves, tmp_path):
    code, out, err = vnvision("eval", run, "--json")
    assert code == 0, err
    from_run = json.loads(out)
    code, out, err = vnvision(
        "eval", bundle, "--data", leaves, "--split", "test", "--out", tmp_path / "e", "--json"
    )
    assert code == 0, err
    from_bundle = json.loads(out)
    assert from_run["metrics"]["accuracy"] == from_bundle["metrics"]["accuracy"]
    assert from_run["metrics"]["nll"]["value"] == pytest.approx(
        from_bundle["metrics"]["nll"]["value"], abs=1e-4
    )
    assert json.loads((tmp_path / "e" / "report.json").read_text())["n"] == from_bundle["n"]
    code, _, err = vnvision("eval", bundle, "--data", leaves, "--split", "tset")
    assert code == 2
    assert "tset" in err
    code, _, err = vnvision("eval", tmp_path, "--data", leaves)
    assert code == 2
    assert "neither a run nor a bundle" in err


def test_export_refuses_what_is_not_a_run_or_is_taken(vnvision, run, bundle, tmp_path):
    code, out, err = vnvision("export", run, "--target", "onnx", "--out", tmp_path / "b")
    assert code == 0, err
    assert "onnx" in out
    code, _, err = vnvision("export", run, "--target", "onnx", "--out", tmp_path / "b")
    assert code == 2
    code, _, err = vnvision("export", tmp_path, "--out", tmp_path / "c")
    assert code == 2
    assert "no trained model" in err
    code, _, err = vnvision("export", run, "--target", "abacus", "--out", tmp_path / "d")
    assert code == 2
    assert "abacus" in err
    assert not (tmp_path / "d").exists()


def test_predict_files_folders_and_broken_ones(vnvision, bundle, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), picture)
    cv2.imwrite(str(tmp_path / "b.png"), picture)
    (tmp_path / "c.jpg").write_bytes(b"%PDF-1.7 not a picture")
    code, out, _ = vnvision("predict", bundle, tmp_path, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1, "one picture could not be read"
    assert [line["source"].rsplit("/")[-1] for line in lines] == ["a.jpg", "b.png", "c.jpg"]
    assert sum(lines[0]["probabilities"]) == pytest.approx(1)
    assert "PDF" in lines[2]["error"]
    code, out, _ = vnvision("predict", bundle, tmp_path / "a.jpg", "--language", "vi")
    assert code == 0
    assert "synthetic" in out
    code, _, err = vnvision("predict", bundle, tmp_path / "missing.jpg")
    assert code == 1
    code, _, err = vnvision("predict", bundle, tmp_path / "a.jpg", "--engine", "tensorrt")
    assert code == 2
    assert "tensorrt" in err


def test_data_verbs(vnvision, leaves, tmp_path):
    code, out, _ = vnvision("data", "check", leaves)
    assert code == 0, out
    folder = tmp_path / "own"
    shutil.copytree(leaves.parent / "images", folder)
    code, out, err = vnvision("data", "import", folder, "--out", folder, "--licence", "Apache-2.0")
    assert code == 0, err
    manifest = folder / "manifest.csv"
    code, out, err = vnvision("data", "split", manifest, "--out", folder / "split.csv")
    assert code == 0, err
    code, out, _ = vnvision("data", "card", folder / "split.csv")
    assert code == 0
    assert "Apache-2.0" in out
    victim = next(folder.rglob("*.jpg"), None) or next(folder.rglob("*.png"))
    victim.unlink()
    code, out, _ = vnvision("data", "check", folder / "split.csv", "--json")
    assert code == 1
    assert json.loads(out)
    code, _, err = vnvision("data", "check", tmp_path / "none.csv")
    assert code == 2
    assert "none.csv" in err


def test_doctor_models_version_and_help(vnvision):
    code, out, _ = vnvision("doctor")
    assert code == 0
    assert "onnxruntime" in out
    code, out, _ = vnvision("doctor", "--json")
    assert json.loads(out)["extras"]["train"]["ready"]
    code, out, _ = vnvision("models", "--json")
    assert {row["backbone"] for row in json.loads(out)} >= {"tf_efficientnet_lite0"}
    code, out, _ = vnvision("--version")
    assert out.strip() == "0.1.0"
    verbs = ("quickstart", "train", "eval", "predict", "export", "models", "doctor", "data")
    _, out, _ = vnvision("--help")
    assert all(verb in out for verb in verbs)
    for verb in verbs:
        code, out, _ = vnvision(verb, "--help")
        assert code == 0
        assert "--help" in out


def test_a_damaged_bundle_is_refused_naming_the_file(vnvision, bundle, leaves, tmp_path):
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    path = copy / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, _, err = vnvision("predict", copy, leaves.parent / "images")
    assert code == 2
    assert "model.onnx" in err


@pytest.mark.slow
def test_quickstart(vnvision, tmp_path):
    code, out, err = vnvision("quickstart", "--out", tmp_path / "out", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["accuracy"] > 0.95
    assert result["synthetic"] is True
    code, _, err = vnvision("quickstart", "--out", tmp_path / "out")
    assert code == 2
    assert "is not empty" in err
