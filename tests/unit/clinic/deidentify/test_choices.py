"""The options of PS3.15 Annex E: what each of them keeps, and what it still takes away."""

import struct

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from raw_dicom import CT_IMAGE, Raw

from vnvision.clinic.deidentify import Options, deidentify_file
from vnvision.errors import ConfigError

RAW = Raw()
TEXTS = {
    0x00080070: ("LO", "SIEMENS"),
    0x00080080: ("LO", "BV Trung uong Hue"),
    0x00081010: ("SH", "CT-ROOM-3"),
    0x00181000: ("LO", "SN-88123"),
    0x00080020: ("DA", "20240229"),
    0x00080030: ("TM", "101500"),
    0x00100040: ("CS", "F"),
    0x00101010: ("AS", "093Y"),
    0x00101030: ("DS", "52.5"),
    0x00100030: ("DA", "19310312"),
    0x00081030: ("LO", "CT chest Mrs Nguyen axial 5mm 47118"),
    0x0008103E: ("LO", "Bụng có tiêm thuốc bà Tèo"),
    0x00080060: ("CS", "CT"),
    0x00180015: ("CS", "KNEE OF MR TEO"),
}


def run(tmp_path, key, more=None, **choices):
    elements = RAW.image() | {0x00080005: RAW.text(0x00080005, "CS", "ISO_IR 192")}
    elements |= {tag: RAW.text(tag, vr, value) for tag, (vr, value) in TEXTS.items()} | (more or {})
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "in.dcm").write_bytes(RAW.file(elements))
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(**choices), key)
    return done, pydicom.dcmread(tmp_path / "out" / done.file)


def codes(made):
    return [(i.CodeValue, i.CodingSchemeDesignator) for i in made.DeidentificationMethodCodeSequence]


def test_the_basic_profile_states_itself_and_keeps_no_text(tmp_path, key):
    done, made = run(tmp_path, key)
    assert made.PatientIdentityRemoved == "YES"
    assert codes(made) == [("113100", "DCM")]
    assert made.LongitudinalTemporalInformationModified == "REMOVED"
    assert made.Manufacturer == made.InstitutionName == made.StationName == "REMOVED"
    assert made.StudyDate == made.StudyTime == made.PatientBirthDate == made.PatientSex == ""
    for keyword in ("PatientAge", "PatientWeight", "StudyDescription", "SeriesDescription"):
        assert keyword not in made
    assert made.BodyPartExamined == ""
    assert made.Modality == done.modality == "CT"
    assert done.counts["removed"] >= 4


def test_each_option_keeps_its_own(tmp_path, key):
    _, made = run(tmp_path / "a", key, retain={"device"})
    assert (made.Manufacturer, made.StationName, made.DeviceSerialNumber) == (
        "SIEMENS",
        "CT-ROOM-3",
        "SN-88123",
    )
    assert made.InstitutionName == "REMOVED"
    _, made = run(tmp_path / "b", key, retain={"institution"})
    assert (made.InstitutionName, made.StationName) == ("BV Trung uong Hue", "REMOVED")
    _, made = run(tmp_path / "c", key, retain={"patient"})
    assert (made.PatientSex, made.PatientAge, made.PatientWeight) == ("F", "090Y", 52.5)
    assert made.PatientBirthDate == ""
    _, made = run(tmp_path / "d", key, retain={"dates"})
    assert (made.StudyDate, made.StudyTime, made.PatientBirthDate) == ("20240229", "101500", "")
    assert made.LongitudinalTemporalInformationModified == "UNMODIFIED"
    _, made = run(tmp_path / "e", key, retain={"uids"})
    assert (made.SOPInstanceUID, made.StudyInstanceUID) == ("1.2.3.4.5", "1.2.3.4.1")
    assert codes(made) == [("113100", "DCM"), ("113110", "DCM")]


def test_descriptions_keep_known_words_only(tmp_path, key):
    _, made = run(tmp_path, key, clean={"descriptors"})
    assert made.StudyDescription == "CT chest axial 5mm"
    assert made.SeriesDescription == "Bụng có tiêm thuốc"
    assert ("113105", "DCM") in codes(made)


def test_two_kinds_of_dates_are_refused(tmp_path, key):
    with pytest.raises(
        ConfigError, match="two kinds of dates are asked for: expected dates or shifted-dates"
    ):
        run(tmp_path, key, retain={"dates", "shifted-dates"})


def private(creator):
    return {
        0x00190010: RAW.text(0x00190010, "LO", creator),
        0x0019100C: RAW.text(0x0019100C, "IS", "1000"),
        0x0019100E: RAW.element(0x0019100E, "FD", struct.pack("<3d", 0.5, -0.25, 0.75)),
        0x00191008: RAW.text(0x00191008, "CS", "NGUYENTEO"),
        0x00191027: RAW.text(0x00191027, "LO", "NGUYEN TEO"),
    }


def test_safe_private_numbers_stay_only_with_their_creator(tmp_path, key):
    _, made = run(tmp_path / "a", key, private("SIEMENS MR HEADER"))
    assert not any(tag.is_private for tag in made.keys())  # noqa: SIM118
    _, made = run(tmp_path / "b", key, private("SIEMENS MR HEADER"), retain={"safe-private"})
    block = made.private_block(0x0019, "SIEMENS MR HEADER")
    assert (block[0x0C].value, block[0x0E].value) == (1000, [0.5, -0.25, 0.75])
    assert [tag.element for tag in made.keys() if tag.is_private] == [0x10, 0x100C, 0x100E]  # noqa: SIM118
    _, made = run(tmp_path / "c", key, private("NGUYEN VAN TEO"), retain={"safe-private"})
    assert not any(tag.is_private for tag in made.keys())  # noqa: SIM118


def overlay(kind, plane):
    packed = np.packbits(plane.ravel(), bitorder="little").tobytes()
    return {
        0x60000010: RAW.number(0x60000010, plane.shape[0]),
        0x60000011: RAW.number(0x60000011, plane.shape[1]),
        0x60000022: RAW.text(0x60000022, "LO", "by Dr Nguyen"), 0x60000040: RAW.text(0x60000040, "CS", kind),
        0x60000050: RAW.element(0x60000050, "SS", struct.pack("<2h", 1, 1)),
        0x60000100: RAW.number(0x60000100, 1),
        0x60000102: RAW.number(0x60000102, 0), 0x60003000: RAW.element(0x60003000, "OW", packed),
    }  # fmt: skip


def test_only_regions_of_interest_without_text_stay(tmp_path, key):
    import cv2

    disc = cv2.circle(np.zeros((80, 320), np.uint8), (160, 40), 30, 1, -1)
    written = cv2.putText(
        np.zeros((80, 320), np.uint8), "NGUYEN VAN TEO", (8, 50), cv2.FONT_HERSHEY_SIMPLEX, 1, 1, 2
    )
    for name, kind, plane, stays in (("a", "R", disc, 1), ("b", "G", disc, 0), ("c", "R", written, 0)):
        done, made = run(tmp_path / name, key, overlay(kind, plane), clean={"graphics"})
        assert (0x60003000 in made) == bool(stays)
        assert ("overlays-kept" if stays else "overlays-removed") in done.warnings
        assert 0x60000022 not in made
        if stays:
            assert np.array_equal(made.overlay_array(0x6000), plane)
    done, made = run(tmp_path / "d", key, overlay("R", disc))
    assert "overlays-removed" in done.warnings
    assert 0x60003000 not in made


def test_reports_lose_their_content_or_their_texts(tmp_path, key):
    source = pydicom.dcmread(get_testdata_file("reportsi.dcm"))
    source.save_as(tmp_path / "in.dcm")
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(), key)
    made = pydicom.dcmread(tmp_path / "out" / done.file)
    assert "report-content-removed" in done.warnings
    assert [(i.ValueType, i.TextValue) for i in made.ContentSequence] == [("TEXT", "REMOVED")]
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "clean", Options(clean={"structured"}), key)
    made = pydicom.dcmread(tmp_path / "clean" / done.file)
    kinds = {i.ValueType for i in made.get("ContentSequence", [])}
    assert not kinds & {"TEXT", "PNAME", "DATE", "TIME", "DATETIME"}


def test_codes_of_published_schemes_stay_with_their_published_meaning(tmp_path, key):
    def code(value, scheme, meaning):
        return (
            RAW.text(0x00080100, "SH", value)
            + RAW.text(0x00080102, "SH", scheme)
            + RAW.text(0x00080104, "LO", meaning)
        )

    items = [
        code("39607008", "SCT", "Lung of Mr Teo"),
        code("T-28000", "SRT", "x"),
        code("47118", "99HUE", "Mr Teo"),
    ]
    _, made = run(tmp_path, key, {0x00082218: RAW.sequence(0x00082218, items)})
    found = [(i.CodeValue, i.CodingSchemeDesignator, i.CodeMeaning) for i in made.AnatomicRegionSequence]
    assert found == [("39607008", "SCT", "Lung"), ("39607008", "SCT", "Lung")]
    assert made.SOPClassUID == CT_IMAGE
