"""Options, UIDs, and files that are whole or absent."""

import subprocess
import sys

import pydicom
import pytest
import result_scenes as scenes

from vnvision import atomic
from vnvision.clinic.results import ModelFacts
from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.records import BundleManifest, EmbeddingPrediction, Licences, TargetRecord

ANSWER = scenes.class_answer(0.1, 0.8, 0.1)
OTHER_LABELS = ANSWER.model_copy(update={"labels": ("a", "b", "c")})
OTHER_COUNT = scenes.BOXES.model_copy(update={"counts": {"cat": 1}})


def uids(path):
    """Every UID in a file but those of classes and syntaxes, and those that the source has."""
    source = scenes.source("CT")
    known = {str(element.value) for element in source.iterall() if element.VR == "UI"}
    found = set()
    for element in pydicom.dcmread(path).iterall():
        if element.VR == "UI" and not str(element.value).startswith("1.2.840.10008"):
            found.add(str(element.value))
    return found - known


def test_the_same_seed_and_moment_give_the_same_bytes(tmp_path):
    first = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path / "a")
    again = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path / "b")
    for kind, path in scenes.paths(first).items():
        assert path.read_bytes() == getattr(again, kind).read_bytes(), kind


@pytest.mark.parametrize(
    "change",
    [
        {"uid_seed": "other"},
        {"uid_seed": None},
        {"language": "en"},
        {"answer": scenes.mask_answer(scenes.mask() * 0)},
        {"model": scenes.MODEL.model_copy(update={"version": "9"})},
    ],
    ids=["seed", "no seed", "language", "answer", "model"],
)
def test_whatever_differs_has_uids_of_its_own(change, tmp_path):
    """The device's UID alone stays, where the model is the same."""
    answer = change.pop("answer", scenes.mask_answer(scenes.mask()))
    first = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path / "a")
    other = scenes.write(scenes.source("CT"), answer, tmp_path / "b", **change)
    for kind, path in scenes.paths(first).items():
        device = {
            item.UID for item in scenes.items(pydicom.dcmread(path)) if scenes.code(item)[0] == "121012"
        }
        assert not (uids(path) & uids(getattr(other, kind))) - device


def test_own_uids_are_under_the_root_of_uuids_and_short_enough(tmp_path):
    files = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path, uid_seed=None)
    for path in scenes.paths(files).values():
        ds = pydicom.dcmread(path)
        for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID):
            assert uid.startswith("2.25.")
            assert pydicom.uid.UID(uid).is_valid
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert all(len(uid) <= 64 for uid in uids(path))


def test_the_moment_is_in_every_file(tmp_path):
    files = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path)
    for path in scenes.paths(files).values():
        ds = pydicom.dcmread(path)
        assert (ds.ContentDate, ds.ContentTime, ds.SeriesDate) == ("20260102", "030405", "20260102")
        assert (ds.InstanceCreationDate, ds.InstanceCreationTime) == ("20260102", "030405")


@pytest.mark.parametrize("kind", ["sr", "sc", "seg"])
def test_a_file_that_is_there_is_never_replaced_and_nothing_else_is_written(kind, tmp_path):
    (tmp_path / f"{kind}.dcm").write_bytes(b"a result of before")
    with pytest.raises(DataError, match=f"{kind}.dcm exists already: .* results are not replaced") as found:
        scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path)
    assert "kết quả cũ không bị ghi đè" in found.value.in_both()
    assert [path.name for path in tmp_path.iterdir()] == [f"{kind}.dcm"]
    assert (tmp_path / f"{kind}.dcm").read_bytes() == b"a result of before"


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_disk_that_fills_up_leaves_nothing_behind(broken, tmp_path, monkeypatch):
    real, calls = atomic.write_bytes, []

    def failing(path, data):
        calls.append(path)
        if len(calls) == broken:
            raise OSError(28, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(atomic, "write_bytes", failing)
    with pytest.raises(DataError, match="cannot write the results: got No space left on device"):
        scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("no folder")
    with pytest.raises(DataError, match="cannot write the results"):
        scenes.write(scenes.source("CT"), ANSWER, tmp_path / "out")


@pytest.mark.parametrize("kinds", [("sr",), ("sc",), ("seg",), ("seg", "sr")])
def test_only_what_was_asked_for(kinds, tmp_path):
    files = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path, kinds=kinds)
    assert set(scenes.paths(files)) == set(kinds)
    assert {path.name for path in tmp_path.iterdir()} == {f"{kind}.dcm" for kind in kinds}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"kinds": ()}, "kinds of result: expected some of sr, sc, seg, got none"),
        ({"kinds": ("sr", "pdf")}, "kinds of result: .* got sr, pdf"),
        ({"language": "fr"}, "unknown language: expected vi or en, got fr"),
        ({"probability": scenes.mask() / 2}, "probability does not fit the prediction"),
    ],
)
def test_wrong_options(keys, line, tmp_path):
    with pytest.raises(ConfigError, match=line):
        scenes.write(scenes.source("CT"), ANSWER, tmp_path / "out", **keys)


@pytest.mark.parametrize(
    ("answer", "kind", "line"),
    [
        (EmbeddingPrediction(embedding=(1.0, 0.0)), "classification", "a mask or boxes, got embedding"),
        (ANSWER, "multilabel", "prediction and task disagree: expected multilabel, got classification"),
        (scenes.BOXES, "segmentation", "prediction and task disagree"),
        (OTHER_LABELS, "classification", "other labels: expected background, .* got a, b, c"),
        (OTHER_COUNT, "detection", "labels that the task has not: .* got cat"),
    ],
)
def test_an_answer_that_is_not_this_tasks(answer, kind, line, tmp_path):
    with pytest.raises(DataError, match=line):
        scenes.write(scenes.source("CT"), answer, tmp_path / "out", task=scenes.task(kind))
    assert not (tmp_path / "out").exists()


def test_a_header_that_highdicom_cannot_take_is_one_line_without_the_patients_name(tmp_path, monkeypatch):
    from vnvision.clinic.results import contents

    def failing(*_):
        raise ValueError("the name 'Nguyen^Thi Anh' is wrong")

    monkeypatch.setattr(contents, "build_report", failing)
    with pytest.raises(
        DataError, match="the sr cannot be made from the source's header: got ValueError"
    ) as found:
        scenes.write(scenes.source("CT"), ANSWER, tmp_path / "out")
    assert "Nguyen" not in str(found.value)
    assert not (tmp_path / "out").exists()


def test_the_facts_of_a_bundle():
    digest = "0" * 64
    manifest = BundleManifest(
        name="busi", task=scenes.task(), files={"golden.npz": digest, "model.onnx": digest},
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime")},
        licences=Licences(weights="Apache-2.0"),
    )  # fmt: skip
    facts = ModelFacts.of(manifest)
    assert facts.name == "busi"
    assert facts.version == facts.sha256[:16]
    assert facts == ModelFacts.of(manifest)
    changed = manifest.model_copy(update={"files": {"golden.npz": digest, "model.onnx": "1" * 64}})
    assert ModelFacts.of(changed).sha256 != facts.sha256
    stated = manifest.model_copy(update={"provenance": {"version": "2.1", "dataset": "BUSI"}})
    assert (ModelFacts.of(stated).version, ModelFacts.of(stated).trained_on) == ("2.1", "BUSI")


@pytest.mark.parametrize("name", ["", "a\\b", "x" * 65, "two\nlines", "   "])
def test_a_model_name_that_dicom_cannot_hold(name):
    with pytest.raises(ValueError, match="name"):
        ModelFacts(name=name, version="1", sha256="0" * 64)


def test_importing_loads_no_dicom_package_and_a_missing_one_names_its_extra(tmp_path, monkeypatch):
    code = (
        "import sys, vnvision.clinic.results, vnvision.cli.clinic_results\n"
        "loaded = {'pydicom', 'highdicom', 'torch'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingExtraError, match=r"highdicom is not installed; .*vnvision\[clinic\]"):
        scenes.write(scenes.source("CT"), ANSWER, tmp_path)


def test_every_standard_code_that_dicom_lists_has_dicoms_meaning():
    """Independent table: pydicom's, made from PS3.16."""
    from pydicom.sr._concepts_dict import concepts

    from vnvision.clinic.results import codes

    listed: dict[tuple[str, str], set[str]] = {}
    for scheme, names in concepts.items():
        for found in names.values():
            for value, (meaning, _) in found.items():
                listed.setdefault((scheme, value), set()).add(meaning.casefold())
    own = [
        code for known in codes.KNOWN.values() for code in (known.finding, known.category, known.kind) if code
    ]
    own += [*codes.PROCEDURES.values(), codes.PROCEDURE, codes.CERTAINTY, codes.AREA, codes.COMMENT]
    own += [codes.YES, codes.NO, codes.PERCENT, codes.SQUARE_MM, codes.NO_UNIT]
    checked = 0
    for code in own:
        if (code.scheme_designator, code.value) in listed:
            checked += 1
            assert code.meaning.casefold() in listed[code.scheme_designator, code.value], code
    assert checked >= 20
    unlisted = {code.meaning for code in own if (code.scheme_designator, code.value) not in listed}
    assert unlisted <= {"Pneumonia", "Malaria", "Leukocyte", "Erythrocyte", "Platelet"}
