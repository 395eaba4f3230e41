"""Pseudonyms, UIDs and dates: one patient stays one patient, references point to what they pointed to."""

import hmac

import pydicom
import pytest
from raw_dicom import Raw

from vnvision.clinic.deidentify import Options, deidentify_file, deidentify_folder
from vnvision.clinic.deidentify.identity import Identity, exact
from vnvision.errors import ConfigError, DataError


def write(folder, name, patient="HUE-0047118", study="1.2.3.4.1", sop="1.2.3.4.5", more=None):
    raw = Raw()
    elements = raw.image() | {
        0x00100020: raw.text(0x00100020, "LO", patient),
        0x0020000D: raw.text(0x0020000D, "UI", study),
        0x00080018: raw.text(0x00080018, "UI", sop),
    }
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(raw.file(elements | (more or {}), sop=sop))


def outputs(folder, options, key, out):
    done = deidentify_folder(folder, out, options, key)
    assert not done.failures
    return {o.file: pydicom.dcmread(out / o.file) for o in done.outcomes}


def test_one_patient_has_one_pseudonym_across_studies_and_runs(tmp_path, key):
    write(tmp_path / "in", "a", study="1.2.1", sop="1.2.1.1")
    write(tmp_path / "in", "b", study="1.2.2", sop="1.2.2.1", patient="HUE-0047118  ")
    write(tmp_path / "in", "c", study="1.2.3", sop="1.2.3.1", patient="HUE-0047119")
    made = outputs(tmp_path / "in", Options(), key, tmp_path / "out").values()
    expected = hmac.digest(key, b"vnvision patient\0HUE-0047118", "sha256").hex()[:32]
    assert sorted(str(m.PatientID) == expected for m in made) == [False, True, True]
    assert all(m.PatientName == m.PatientID for m in made)
    again = outputs(tmp_path / "in", Options(), key, tmp_path / "again")
    assert again.keys() == outputs(tmp_path / "in", Options(), key, tmp_path / "third").keys()
    other = outputs(tmp_path / "in", Options(), bytes(32), tmp_path / "other")
    assert not set(other) & set(again)
    assert not {m.PatientID for m in other.values()} & {m.PatientID for m in again.values()}


def test_patients_without_a_number_are_told_apart_by_study(tmp_path, key):
    for number, study in enumerate(["1.2.1", "1.2.1", "1.2.2"]):
        write(tmp_path / "in", str(number), patient="", study=study, sop=f"1.2.9.{number}")
    made = outputs(tmp_path / "in", Options(), key, tmp_path / "out").values()
    assert len({m.PatientID for m in made}) == 2
    assert len({m.StudyInstanceUID for m in made}) == 2


def test_uids_are_new_and_references_between_instances_stay(tmp_path, key):
    raw = Raw()
    item = raw.text(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2") + raw.text(0x00081155, "UI", "1.2.77.1")
    frame_of_reference = {0x00200052: raw.text(0x00200052, "UI", "1.2.77.52")}
    write(tmp_path / "in", "a", sop="1.2.77.1", more=frame_of_reference)
    write(
        tmp_path / "in",
        "b",
        sop="1.2.77.2",
        more={0x00082112: raw.sequence(0x00082112, [item])} | frame_of_reference,
    )
    made = outputs(tmp_path / "in", Options(), key, tmp_path / "out").values()
    first, second = sorted(made, key=lambda m: "SourceImageSequence" in m)
    assert second.SourceImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.SourceImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID != "1.2.77.52"
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID != second.SOPInstanceUID
    number = int(hmac.digest(key, b"vnvision uid\x001.2.77.1", "sha256").hex()[:32], 16)
    assert first.SOPInstanceUID == f"2.25.{number}"
    for uid in (first.SOPInstanceUID, first.StudyInstanceUID, first.SeriesInstanceUID):
        assert uid.is_valid
        assert uid.startswith("2.25.")


def test_dates_are_moved_together_and_differently_for_each_patient(tmp_path, key):
    raw = Raw()

    def dates(study, series):
        return {
            0x00080020: raw.text(0x00080020, "DA", study),
            0x00080021: raw.text(0x00080021, "DA", series),
            0x00080030: raw.text(0x00080030, "TM", "101500.25"),
            0x0008002A: raw.text(0x0008002A, "DT", f"{series}093000+0700"),
            0x00100030: raw.text(0x00100030, "DA", "19870312"),
        }

    write(tmp_path / "in", "a", sop="1.2.1", study="1.1", more=dates("20240229", "20240301"))
    write(tmp_path / "in", "b", sop="1.2.2", study="1.2", more=dates("20250301", "20250301"))
    write(tmp_path / "in", "c", sop="1.2.3", study="1.3", patient="other", more=dates("20240229", "20240301"))
    made = outputs(tmp_path / "in", Options(retain={"shifted-dates"}), key, tmp_path / "out").values()
    by_patient = {}
    for m in made:
        assert m.LongitudinalTemporalInformationModified == "MODIFIED"
        assert m.StudyTime == "101500.25"
        assert m.PatientBirthDate == ""
        by_patient.setdefault(m.PatientID, []).append(m)
    pair, (single,) = sorted(by_patient.values(), key=len, reverse=True)
    first, later = sorted(pair, key=lambda m: m.StudyDate)
    day = pydicom.valuerep.DA
    assert (day(later.StudyDate) - day(first.StudyDate)).days == 366
    assert (day(first.SeriesDate) - day(first.StudyDate)).days == 1
    assert first.AcquisitionDateTime == f"{first.SeriesDate}093000+0700"
    moved = (day("20240229") - day(first.StudyDate)).days
    assert 365 <= moved <= 3650
    assert moved != (day("20240229") - day(single.StudyDate)).days


@pytest.mark.parametrize(
    ("text", "vr", "right"),
    [
        ("20240229", "DA", True), ("20230229", "DA", False), ("2024-02-2", "DA", False),
        ("NGUYENTE", "DA", False),
        ("101500", "TM", True), ("10", "TM", True), ("1015000", "TM", False), ("250000", "TM", False),
        ("106100", "TM", False), ("101500.123456", "TM", True), ("20240229101500+0700", "DT", True),
        ("20240229256100", "DT", False), ("2024", "DT", False), ("20240229101500+07OO", "DT", False),
    ],
)  # fmt: skip
def test_only_real_dates_and_times_may_stay(text, vr, right):
    assert exact(text, vr) == (text if right else None)


def test_dates_that_leave_the_calendar_are_dropped(key):
    identity = Identity.of("x", "", b"", key)
    assert identity.moved("00010101", "DA") is None


def test_a_short_key_is_refused(tmp_path):
    write(tmp_path / "in", "a")
    with pytest.raises(ConfigError, match="the pseudonym key is too short: expected 16 bytes or more, got 5"):
        deidentify_file(tmp_path / "in" / "a", tmp_path / "out", Options(), b"short")


def test_a_file_without_uids_is_refused(tmp_path, key):
    raw = Raw()
    elements = {tag: value for tag, value in raw.image().items() if tag not in (0x00080016, 0x00080018)}
    (tmp_path / "a.dcm").write_bytes(raw.file(elements))
    with pytest.raises(DataError, match="the file says neither what it is nor which one"):
        deidentify_file(tmp_path / "a.dcm", tmp_path / "out", Options(), key)
    elements[0x00080016] = raw.image()[0x00080016]
    (tmp_path / "a.dcm").write_bytes(raw.file(elements))
    with pytest.raises(DataError, match="the file has no SOP Instance UID"):
        deidentify_file(tmp_path / "a.dcm", tmp_path / "out", Options(), key)
