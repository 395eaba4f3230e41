"""From folders to a model: what is learnt, told, written and withheld."""

from __future__ import annotations

import json
import shutil
import sys

import cv2
import numpy as np
import pytest
from drawn_photos import HEALTHY, PHOTOS, RUST, leaf, save

import vnvision as vv
from vnvision.errors import ConfigError, ExportError
from vnvision.hub import shelf
from vnvision.hub.cards import card_text
from vnvision.imaging import read
from vnvision.records import EvalReport
from vnvision.runtime import open_bundle
from vnvision.teach import STAGES, teach


def test_the_model_answers_at_once(taught, leaves):
    model = vv.load_bundle(taught.folder)
    new = model.predict(leaf("rust", 500))
    assert new.labels == ("benh_gi_sat", "la_khoe")
    right = [
        model.predict(leaf(kind, 600 + n)).probabilities[place] > 0.5
        for place, kind in enumerate(("rust", "healthy"))
        for n in range(8)
    ]
    assert np.mean(right) >= 0.8
    assert [label.vi for label in model.task.labels] == [RUST, HEALTHY]
    heat = model.heatmap(leaves / RUST / "00.jpg", method="cam")
    assert heat.shape == (112, 112)


def test_the_score_is_measured_out_of_fold_and_told_whole(taught):
    assert taught.n == 2 * PHOTOS
    assert taught.accuracy.n == taught.balanced_accuracy.n == taught.n
    assert taught.accuracy.low <= taught.accuracy.value <= taught.accuracy.high
    assert taught.guessing == 0.5
    assert sum(map(sum, taught.confusion)) == taught.n
    assert taught.verdict.code in ("better", "wide")
    assert [row.distinct for row in taught.rows] == [PHOTOS, PHOTOS]
    assert "same_place" in {note.code for note in taught.warnings}
    report = EvalReport.load(taught.folder / "report.json")
    assert report.split == "cross-validation"
    assert report.metrics["accuracy"] == taught.accuracy


@pytest.mark.parametrize("kind", ["noise", "text", "flat"])
def test_strangers_are_turned_away(taught, kind):
    rng = np.random.default_rng(0)
    picture = np.full((224, 224, 3), 255, np.uint8)
    if kind == "noise":
        picture = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    elif kind == "text":
        for row in range(20, 220, 20):
            cv2.putText(picture, "Hoa don so 12345", (5, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1)
    assert vv.load_bundle(taught.folder).predict(picture).abstained


def test_the_bundle_tells_where_it_comes_from(taught):
    bundle = open_bundle(taught.folder)
    told = bundle.manifest.provenance
    assert bundle.manifest.name == "la_nha_toi"
    assert told["title"] == "Lá nhà tôi"
    assert told["domain"] == "crop"
    assert told["trunk"]["name"] == taught.trunk
    assert told["trunk"]["data"][0]["licence"] in bundle.manifest.licences.training_data
    assert "scope.npz" in bundle.manifest.files
    card = card_text(taught.folder, "vi")
    assert HEALTHY in card
    assert told["trunk"]["data"][0]["title"] in card
    whole = bundle.manifest.to_json() + (taught.folder / "MODEL_CARD.md").read_text("utf-8")
    assert str(taught.folder) not in whole


def test_golden_answers_hold_and_no_photograph_travels(taught):
    with np.load(taught.folder / "golden.npz") as golden:
        model = vv.load_bundle(taught.folder, engine="onnxruntime")
        np.testing.assert_allclose(model.logits_of_crops(golden["images"]), golden["outputs"], atol=1e-4)
        assert golden["images"].shape[0] == 1


def test_progress_goes_from_start_to_end(taught, told):
    shares, stages = zip(*told, strict=True)
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1.0
    assert list(dict.fromkeys(stages)) == list(STAGES)


def test_equal_photographs_give_equal_bundles(taught, leaves, tmp_path):
    again = teach(leaves, tmp_path / "again", name="Lá nhà tôi", reader=read, threads=1)
    one, other = (folder / "manifest.json" for folder in (taught.folder, again.folder))
    assert json.loads(one.read_text("utf-8")) == json.loads(other.read_text("utf-8"))


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_cancelled_run_leaves_nothing(leaves, tmp_path, stage):
    class Stop(Exception):  # noqa: N818
        pass

    def progress(share: float, now: str) -> None:
        if now == stage:
            raise Stop

    with pytest.raises(Stop):
        teach(leaves, tmp_path / "x" / "bundle", name="mine", reader=read, threads=1, progress=progress)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_labels_that_mean_nothing_are_not_better_than_guessing(tmp_path):
    for number in range(40):
        save(tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg", leaf("healthy", 100 + number))
    result = teach(tmp_path / "photos", tmp_path / "b", name="nothing", reader=read, threads=1)
    assert result.verdict.code == "not_better"
    assert "đoán mò" in result.verdict.vi


def test_a_taught_model_is_a_trunk_whose_sources_are_credited_again(taught, leaves, tmp_path):
    again = teach(leaves, tmp_path / "c", name="on_top", reader=read, threads=1, trunk=taught.folder)
    first, second = (open_bundle(one.folder).manifest.provenance["trunk"] for one in (taught, again))
    assert second["name"] == "la_nha_toi"
    assert second["data"] == first["data"]


def test_what_is_there_stays(leaves, taught):
    with pytest.raises(ExportError, match="not empty"):
        teach(leaves, taught.folder, name="mine", reader=read)
    with pytest.raises(ExportError, match="not overwritten"):
        teach(leaves, leaves, name="mine", reader=read, overwrite=True)


def test_names_of_ours_and_unknown_domains_are_refused(leaves, tmp_path):
    with pytest.raises(ConfigError, match="vnvision's own"):
        teach(leaves, tmp_path / "b", name="Mango", reader=read)
    with pytest.raises(ConfigError, match="domain"):
        teach(leaves, tmp_path / "b", name="mine", reader=read, domain="face")


def test_a_clinic_model_names_no_file_and_groups_by_folder(leaves, tmp_path, monkeypatch):
    for package in ("torch", "onnx"):  # what a clinic's PC does not have
        monkeypatch.setitem(sys.modules, package, None)
    root = tmp_path / "scans"
    for name in (HEALTHY, RUST):
        for number in range(PHOTOS):
            target = root / name / f"benh nhan {number // 3}" / f"Nguyen Van {number}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(leaves / name / f"{number:02d}.jpg", target)
    save(root / RUST / "Tran Thi 5.jpg", leaf("healthy", 5), quality=60)  # of the other class, saved again
    result = vv.teach(
        root, tmp_path / "b", name="scans", domain="clinic", by_folder=True, reader=read, threads=1
    )
    assert result.n_groups == 16
    alike = next(note for note in result.warnings if note.code == "alike_across")
    assert "Tran Thi 5.jpg" in alike.en
    for file in ("report.json", "manifest.json", "MODEL_CARD.md"):
        text = (result.folder / file).read_text("utf-8")
        assert "Nguyen Van" not in text
        assert "Tran Thi" not in text
    assert "không phải thiết bị y tế" in card_text(result.folder, "vi")


def test_the_default_reader_decodes_apart_and_cli_adds_the_model(leaves, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from vnvision.cli.main import app

    monkeypatch.setenv("VNVISION_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(shelf.VARIABLE, raising=False)
    save(tmp_path / "photos" / HEALTHY / "00.jpg", leaf("healthy", 0))
    shutil.copytree(leaves, tmp_path / "photos", dirs_exist_ok=True)
    (tmp_path / "photos" / RUST / "broken.jpg").write_bytes(b"no picture")
    asked = ["teach", str(tmp_path / "photos"), "--out", str(tmp_path / "mine"), "--add", "--language", "vi"]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "tỉ lệ đúng" in done.output
    assert "broken.jpg" in done.output
    assert "mine" in shelf.model_names()
    assert vv.load_bundle("mine").task.label_ids == ("benh_gi_sat", "la_khoe")
