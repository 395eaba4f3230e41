"""Whole folders: originals untouched, places apart, nothing half done, a report that names nobody."""

import csv
import hashlib
import json
import os
import stat

import pytest
from raw_dicom import Raw
from searching import everything

from vnvision.clinic.deidentify import Options, deidentify_file, deidentify_folder
from vnvision.errors import ConfigError, DataError

NAMES = ("HUE-0047118", "Nguyễn", "Tèo", "1.2.3.4.1", "SECRETDIR", "scan_of_teo")


def study(folder):
    raw = Raw()
    where = folder / "SECRETDIR"
    where.mkdir(parents=True)
    for number in range(3):
        sop = f"1.2.3.4.5.{number}"
        elements = raw.image() | {0x00080018: raw.text(0x00080018, "UI", sop)}
        (where / f"scan_of_teo_{number}.dcm").write_bytes(raw.file(elements, sop=sop))
    (where / "scan_of_teo_copy.dcm").write_bytes((where / "scan_of_teo_0.dcm").read_bytes())
    (where / "notes of Teo.txt").write_text("Teo, HUE-0047118")
    (where / "broken_HUE-0047118.dcm").write_bytes((where / "scan_of_teo_1.dcm").read_bytes()[:-40])
    return folder


def hashes(folder):
    return {
        path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_with_files_of_all_kinds(tmp_path, key):
    source = study(tmp_path / "in")
    before, calls = hashes(source), []
    done = deidentify_folder(source, tmp_path / "out", Options(), key, lambda *call: calls.append(call))
    assert hashes(source) == before
    assert (done.files, len(done.outcomes), done.repeated, len(done.failures), done.patients) == (
        6,
        3,
        1,
        2,
        1,
    )
    assert calls == [(i, 6) for i in range(1, 7)]
    reasons = {failure.reason for failure in done.failures}
    assert reasons == {
        "not a DICOM file, a file that starts as PS3.10 says expected",
        "the pixel data are cut short, 128 bytes expected",
    }
    out = everything(tmp_path / "out")
    for name in NAMES:
        assert name.encode() not in out
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix == ".tmp"]


def test_the_report_says_what_was_done(tmp_path, key):
    options = Options(retain={"device"}, clean={"descriptors"}, blank_px=((0, 0, 2, 2),))
    done = deidentify_folder(study(tmp_path / "in"), tmp_path / "out", options, key)
    report = json.loads((tmp_path / "out" / "deidentification.json").read_text(encoding="utf-8"))
    assert (report["retain"], report["clean"], report["blank_px"]) == (
        ["device"],
        ["descriptors"],
        [[0, 0, 2, 2]],
    )
    assert (report["files"], report["written"], report["repeated"], report["patients"]) == (6, 3, 1, 1)
    assert sum(report["not_processed"].values()) == 2
    assert report["warnings"] == {"blanked-not-checked": 3}
    with (tmp_path / "out" / "deidentification.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == [outcome.file for outcome in done.outcomes]
    assert all((tmp_path / "out" / row["file"]).is_file() for row in rows)
    assert all(int(row["removed"]) + int(row["replaced"]) + int(row["uids"]) > 0 for row in rows)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_linkage_file_is_private_and_complete(tmp_path, key):
    linkage = tmp_path / "who" / "linkage.csv"
    done = deidentify_folder(study(tmp_path / "in"), tmp_path / "out", Options(), key, linkage=linkage)
    assert stat.S_IMODE(linkage.stat().st_mode) == 0o600
    with linkage.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == done.files
    good = [row for row in rows if not row["error"]]
    assert {row["patient_id"] for row in good} == {"HUE-0047118"}
    assert {row["patient"] for row in good} == {done.outcomes[0].patient}
    assert {row["sop_uid"] for row in good} == {f"1.2.3.4.5.{n}" for n in range(3)}


@pytest.mark.parametrize("where", ["in", "in/out", "."])
def test_the_output_lies_apart_from_the_originals(tmp_path, key, where):
    study(tmp_path / "in")
    with pytest.raises(ConfigError, match="the output folder must lie apart from the originals") as caught:
        deidentify_folder(tmp_path / "in", tmp_path / where, Options(), key)
    assert "phải nằm riêng" in str(caught.value.vietnamese)


def test_one_file_is_not_written_beside_the_original(tmp_path, key):
    source = study(tmp_path / "in") / "SECRETDIR" / "scan_of_teo_0.dcm"
    with pytest.raises(ConfigError, match="the output folder must lie apart from the originals"):
        deidentify_file(source, source.parent, Options(), key)
    assert len(list(source.parent.iterdir())) == 6


def test_a_link_into_the_originals_is_no_way_around(tmp_path, key):
    study(tmp_path / "in")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "in" / "SECRETDIR")
    with pytest.raises(ConfigError, match="must lie apart"):
        deidentify_folder(tmp_path / "in", tmp_path / "elsewhere" / "out", Options(), key)


def test_an_output_folder_in_use_is_refused(tmp_path, key):
    study(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("x")
    with pytest.raises(
        ConfigError, match=r"the output folder .* is not empty: expected a new or empty folder"
    ):
        deidentify_folder(tmp_path / "in", tmp_path / "out", Options(), key)


def test_other_places_that_are_wrong(tmp_path, key):
    with pytest.raises(DataError, match=r"nowhere does not exist; check the path"):
        deidentify_folder(tmp_path / "nowhere", tmp_path / "out", Options(), key)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no files: expected DICOM files"):
        deidentify_folder(tmp_path / "empty", tmp_path / "out", Options(), key)
    study(tmp_path / "in")
    with pytest.raises(ConfigError, match="the linkage file would lie in the output folder"):
        deidentify_folder(
            tmp_path / "in", tmp_path / "out", Options(), key, linkage=tmp_path / "out" / "a" / "b.csv"
        )
    assert not (tmp_path / "out").exists()


def test_two_contents_under_one_uid_are_not_mixed_up(tmp_path, key):
    raw = Raw()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(raw.file(raw.image()))
    (tmp_path / "in" / "b").write_bytes(raw.file(raw.image() | {0x00200013: raw.text(0x00200013, "IS", "8")}))
    done = deidentify_folder(tmp_path / "in", tmp_path / "out", Options(), key)
    assert len(done.outcomes) == 1
    assert "two files with different content have the same SOP Instance UID" in done.failures[0].detail


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, key, monkeypatch):
    source = study(tmp_path / "in") / "SECRETDIR" / "scan_of_teo_0.dcm"

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vnvision.atomic.os.fsync", full)
    with pytest.raises(DataError, match="the output cannot be written: got No space left on device"):
        deidentify_file(source, tmp_path / "out", Options(), key)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_the_last_look_refuses_a_file_that_still_holds_a_name(tmp_path, key):
    raw = Raw()
    elements = raw.image() | {0x00080080: raw.text(0x00080080, "LO", "Clinic of HUE-0047118")}
    (tmp_path / "a.dcm").write_bytes(raw.file(elements))
    with pytest.raises(
        DataError, match="PatientID of the original would still be in the output, so it was not"
    ):
        deidentify_file(tmp_path / "a.dcm", tmp_path / "out", Options(retain={"institution"}), key)
    assert not list((tmp_path / "out").rglob("*.dcm")) if (tmp_path / "out").exists() else True


def test_formulas_in_the_linkage_file_are_text(tmp_path, key):
    raw = Raw()
    (tmp_path / "in").mkdir()
    elements = raw.image() | {0x00100020: raw.text(0x00100020, "LO", "=HYPERLINK(1)")}
    (tmp_path / "in" / "a").write_bytes(raw.file(elements))
    deidentify_folder(tmp_path / "in", tmp_path / "out", Options(), key, linkage=tmp_path / "who.csv")
    assert ",'=HYPERLINK(1)," in (tmp_path / "who.csv").read_text(encoding="utf-8-sig")
