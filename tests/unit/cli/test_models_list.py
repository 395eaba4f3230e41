"""``vnvision models ...`` and ``vnvision predict NAME``: the door for models by name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from hub_standins import Form, stand_in

import vnvision as vv
from vnvision.errors import ConfigError, VnvisionError
from vnvision.hub import catalogue, shelf
from vnvision.hub.listing import entries


@pytest.fixture
def shelves(tmp_path, monkeypatch):
    """Mango, rice and breast ship; the user has a durian for crops, and a damaged one."""
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv(shelf.VARIABLE, str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    for name in ("mango", "rice", "breast"):
        stand_in(tmp_path / "shipped" / name, name)
    stand_in(tmp_path / "own" / "durian", "durian", Form(("healthy", "rot")))
    (tmp_path / "own" / "wreck").mkdir()
    (tmp_path / "own" / "wreck" / "manifest.json").write_text('{"name": 3}')
    cv2.imwrite(str(tmp_path / "leaf.jpg"), np.full((40, 50, 3), 90, np.uint8))
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    from vnvision.cli.main import main

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["vnvision", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def rows(**options):
    return {row.name: row for row in entries(lambda extra: extra == "faces", **options)}


def test_each_status_is_told(shelves):
    found = rows()
    assert found["mango"].status == "ready"
    assert found["rice"].status == "experimental"
    assert found["durian"].status == "yours"
    assert found["wreck"].status == "damaged"
    assert found["coffee"].status == "needs model"
    assert (found["heatmap"].status, found["heatmap"].installed) == ("needs extra", False)
    assert (found["face_verify"].status, found["face_verify"].installed) == ("ready", True)
    assert found["near_duplicates"].status == "ready"


def test_sizes_licences_and_figures_are_those_of_bundle_and_catalogue(shelves):
    found = rows()
    total = sum(
        path.stat().st_size
        for path in (shelves / "shipped" / "mango").iterdir()
        if not path.name.startswith("manifest.")
    )
    assert found["mango"].size_mb == round(total / 1e6, 2)
    assert found["mango"].licences == ("CC BY 4.0",)
    figure = catalogue.find("face_verify").figure
    assert found["face_verify"].figure == f"{figure.metric.en} 0.907 [0.867, 0.941], 752 Asian portraits"
    assert found["durian"].what == "classification, 2 labels"
    assert found["durian"].group == "crops"
    assert rows(language="vi")["durian"].what == "phân loại, 2 lớp"


def test_numbers_are_printed_as_each_language_writes_them(shelves):
    found = rows(language="vi")
    assert " 0,907 [0,867; 0,941], 752 " in found["face_verify"].figure
    assert " 0 [0; 0,0011], 3.500 " in found["dicom_deidentify"].figure
    assert " 0 [0, 0.0011], 3,500 " in rows()["dicom_deidentify"].figure


@pytest.mark.parametrize("name", ["coffee", "heatmap"])
def test_a_users_model_is_never_shown_as_ours(shelves, run, name):
    stand_in(shelves / "own" / name, name, Form(("left", "right")))
    listed = [row for row in entries(lambda extra: True) if row.name == name]
    function = catalogue.find(name)
    assert [row.path for row in listed] == [rows()["breast"].path if name == "heatmap" else None,
                                            shelves / "own" / name]  # fmt: skip
    assert listed[0].title == function.name.en
    assert (listed[1].status, listed[1].figure) == ("yours", "")
    assert listed[1].what == "classification, 2 labels"
    code, out, _ = run("models", "show", name)
    assert (code, "classification, 2 labels" in out) == (0, True)
    assert function.command not in out


def test_groups_are_parts_of_the_whole(shelves):
    parts = [set(rows(group=group)) for group in catalogue.GROUPS]
    assert set().union(*parts) == set(rows()) - {"wreck"}
    assert "durian" in parts[1]
    assert sum(map(len, parts)) == len(rows()) - 1


def test_a_damaged_model_that_ships_is_not_called_ready(shelves):
    (shelves / "shipped" / "mango" / "manifest.json").write_text("{}")
    assert rows()["mango"].status == "damaged"
    (shelves / "shipped" / "rice" / "model.onnx").unlink()
    assert rows()["rice"].status == "damaged"


def test_the_list_as_json_and_as_a_table(shelves, run):
    code, out, _ = run("models", "list", "--json")
    assert code == 0
    listed = {row["name"]: row for row in json.loads(out)}
    assert set(listed) == set(rows())
    assert listed["mango"]["path"] == str(shelves / "shipped" / "mango")
    assert {row.name for row in vv.models()} == set(listed)
    code, out, _ = run("models", "list", "--group", "crops", "--language", "vi")
    assert code == 0
    assert "durian" in out
    assert "của bạn" in out
    assert "face_verify" not in out


def test_wrong_options_are_one_line(shelves, run):
    for words, said in (
        (("--group", "cats"), "unknown group: expected faces, crops, clinic, data, got cats"),
        (("--language", "fr"), "unknown language: expected vi or en, got 'fr'"),
    ):
        code, out, err = run("models", "list", *words)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1


def test_show_gives_examples_and_the_card(shelves, run):
    code, out, _ = run("models", "show", "mango", "--language", "vi")
    assert code == 0
    assert "bệnh lá xoài" in out
    assert 'vv.load_bundle("mango").predict("leaf.jpg")' in out
    assert "vnvision predict mango leaf.jpg" in out
    code, out, _ = run("models", "show", "near_duplicates")
    assert code == 0
    assert "vnvision data duplicates pictures" in out
    code, out, _ = run("models", "show", "durian")
    assert (code, "classification, 2 labels" in out) == (0, True)


def test_show_of_nothing(shelves, run):
    code, out, err = run("models", "show", "mangoes")
    assert (code, out) == (2, "")
    assert "there is no model called mangoes" in err
    assert "such as mango" in err
    code, _, err = run("models", "show", "../x")
    assert code == 2
    assert "a model cannot have this name" in err


def test_show_of_a_damaged_model_is_an_error(shelves, run):
    (shelves / "shipped" / "mango" / "model.onnx").write_bytes(b"no model")
    for name, said in (("mango", "model.onnx"), ("wreck", "wreck")):
        code, out, err = run("models", "show", name)
        assert code == 2
        assert said in err
        assert err.count("\n") == 1
        assert "vnvision:" not in out


def test_add_predict_remove(shelves, run):
    source = stand_in(shelves / "exported", "jackfruit", Form(("healthy", "rot")))
    code, out, _ = run("models", "add", source)
    assert code == 0
    assert out.splitlines()[0] == f"model  {shelves / 'own' / 'jackfruit'}"
    code, out, _ = run("predict", "jackfruit", "leaf.jpg", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["labels"] == ["healthy", "rot"]
    assert answer["probabilities"] == pytest.approx(vv.load_bundle(source).predict("leaf.jpg").probabilities)
    code, out, err = run("models", "add", source)
    assert (code, out) == (2, "")
    assert "there is a model called jackfruit already" in err
    assert run("models", "add", source, "--replace")[0] == 0
    assert run("models", "add", source, "--name", "mit")[0] == 0
    code, out, _ = run("models", "remove", "jackfruit")
    assert (code, out) == (0, f"removed  {shelves / 'own' / 'jackfruit'}\n")
    code, _, err = run("predict", "jackfruit", "leaf.jpg")
    assert code == 2
    assert "there is no model called jackfruit" in err
    assert err.count("\n") == 1


def test_mistakes_at_the_door(shelves, run):
    for words, said in (
        (("add", shelves / "none"), "is not a bundle"),
        (("add", shelves / "own" / "durian", "--name", "mango"), "mango ships with vnvision"),
        (("add", shelves / "own" / "durian", "--name", "heatmap"), "heatmap is the name of a function"),
        (("add", shelves / "own" / "durian", "--name", "Sầu riêng"), "a model cannot have this name"),
        (("remove", "mango"), "mango ships with vnvision and is not removed"),
        (("remove", "nothing"), "there is no model called nothing"),
    ):
        code, out, err = run("models", *words)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1


def test_predict_takes_a_folder_before_a_name(shelves, run):
    stand_in(shelves / "mango", "mango", Form(("left", "right")))
    code, out, _ = run("predict", "mango", "leaf.jpg", "--json")
    assert (code, json.loads(out)["labels"]) == (0, ["left", "right"])


def test_a_name_can_be_evaluated_and_a_run_of_that_name_goes_first(shelves):
    from vnvision import api

    predictor, data = api.open_predictor("durian")
    assert (predictor.name, data) == ("durian", None)
    (shelves / "durian").mkdir()
    (shelves / "durian" / "run.json").write_text("{}")
    with pytest.raises(VnvisionError, match="durian"):
        api.open_predictor("durian")
    with pytest.raises(
        ConfigError, match=r"nothing is neither a run nor a bundle: .* or a name of models list"
    ):
        api.open_predictor("nothing")


def test_auto_writes_no_pages(shelves, run):
    code, _, err = run("predict", "auto", "leaf.jpg", "--report", "pages")
    assert code == 2
    assert "auto writes no pages: each expert has its own; name the model instead" in err


def test_auto_says_which_expert_answered(shelves, run):
    stand_in(shelves / "shipped" / "router", "router", Form(("mango", "other"), gate=True))
    code, out, _ = run("predict", "auto", "leaf.jpg", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["kind"] == "routed"
    router = vv.load_bundle("auto")
    assert (told["expert"], told["reasons"]) == (
        router.predict("leaf.jpg").expert,
        list(router.predict("leaf.jpg").reasons),
    )


def test_backbones_are_listed_too(run):
    pytest.importorskip("timm")
    code, out, _ = run("models", "backbones", "--json")
    assert code == 0
    assert {row["backbone"] for row in json.loads(out)} >= {"tf_efficientnet_lite0"}


def test_vv_models_is_a_verb_also_where_the_networks_are_loaded(shelves):
    pytest.importorskip("timm")
    import vnvision.models

    assert vnvision.models.build_backbone
    assert {row.name for row in vv.models(group="data")} == set(rows(group="data"))
    with pytest.raises(ConfigError, match="unknown group"):
        vv.models(group="cats")
