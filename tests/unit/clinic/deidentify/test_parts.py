"""Tables, lookup tables, colour profiles, numbers: the parts on their own."""

import io
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from vnvision.clinic.deidentify import facts, luts, numbers, rules
from vnvision.clinic.deidentify.icc import rebuilt
from vnvision.clinic.deidentify.options import Options


@pytest.mark.parametrize(
    ("keyword", "basic", "options"),
    [
        ("PatientName", "Z", {}),
        ("PatientID", "Z/D", {}),
        ("PatientBirthDate", "Z", {}),
        ("PatientSex", "Z", {"patient": "K"}),
        ("PatientAge", "X", {"patient": "K"}),
        ("StudyInstanceUID", "U", {"uids": "K"}),
        ("SOPInstanceUID", "U", {"uids": "K"}),
        ("StudyDate", "Z", {"dates": "K", "shifted_dates": "C"}),
        ("AccessionNumber", "Z", {}),
        ("InstitutionName", "X/Z/D", {"institution": "K"}),
        ("DeviceSerialNumber", "X/Z/D", {"device": "K"}),
        ("StudyDescription", "X", {"descriptors": "C"}),
        ("ContentSequence", "D", {"structured": "C"}),
        ("IconImageSequence", "X", {}),
    ],
)
def test_rows_of_the_standards_table(keyword, basic, options):
    row = facts.table()[tag_for_keyword(keyword)]
    assert (row.basic, row.options) == (basic, options)


def test_the_table_is_whole():
    assert len(facts.table()) == 652
    actions = Counter(row.basic for row in facts.table().values())
    assert set(actions) == {"X", "Z", "D", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}
    for row in facts.table().values():
        assert set(row.options.values()) <= {"K", "C"}
    dates = [tag for tag, row in facts.table().items() if "dates" in row.options]
    assert all("shifted_dates" in facts.table()[tag].options for tag in dates)


def test_actions_under_options():
    name, study_date = tag_for_keyword("PatientName"), tag_for_keyword("StudyDate")
    assert rules.action(name, Options(retain=frozenset({"patient", "uids"}))) == "empty"
    assert rules.action(study_date, Options()) == "empty"
    assert rules.action(study_date, Options(retain={"dates"})) == "keep"
    assert rules.action(study_date, Options(retain={"shifted-dates"})) == "clean"
    assert rules.action(tag_for_keyword("InstitutionName"), Options()) == "dummy"
    assert rules.action(tag_for_keyword("Rows"), Options()) == "allow"


def test_no_person_can_hide_in_the_terms():
    usual = {
        "NGUYEN",
        "TRAN",
        "LE",
        "PHAM",
        "HOANG",
        "VAN",
        "THI",
        "TEO",
        "MAI",
        "LAN",
        "HUONG",
        "DUNG",
        "MINH",
        "ANH",
    }
    assert not usual & facts.terms()
    assert not {word.lower() for word in usual} & facts.words()


def lut(descriptor, data):
    made = Dataset()
    made.add_new(0x00283002, "US", descriptor)
    made.add_new(0x00283006, "OW", data)
    counts = Counter()
    luts.check(made, counts)
    return "LUTData" in made


def test_lookup_tables_stay_only_where_they_fit():
    ramp = np.arange(256, dtype="<u2").tobytes()
    assert lut([256, 0, 16], ramp)
    assert lut([0, 0, 16], np.arange(65536, dtype="<u2").tobytes())
    assert lut([256, 0, 8], bytes(range(256)))
    assert lut([255, 0, 8], bytes(range(255)) + b"\0")
    assert not lut([256, 0, 16], ramp + b"Nguyen Teo")
    assert not lut([255, 0, 8], bytes(range(255)) + b"N")
    assert not lut([10, 0, 8], b"Nguyen Teo")
    assert not lut([256, 0, 40], ramp)


def test_well_known_palettes_are_no_text():
    folder = Path(pydicom.__file__).parent / "data" / "palettes"
    tables = [
        e.value for path in folder.glob("*.dcm") for e in pydicom.dcmread(path, force=True) if e.VR == "OW"
    ]
    assert len(tables) >= 20
    assert not [table for table in tables if numbers.hides_text(table)]
    assert numbers.hides_text(bytes(40) + b"NguyenVanTeo" + bytes(40))
    assert not numbers.hides_text(bytes(range(256)) * 2)


def test_colour_profiles_keep_their_colours_and_lose_their_texts():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    original = profile.tobytes()
    assert b"sRGB" in original or "sRGB".encode("utf-16-be") in original
    made = rebuilt(original)
    assert "sRGB".encode("utf-16-be") not in made
    assert b"sRGB built-in" not in made
    profile, again = (ImageCms.ImageCmsProfile(io.BytesIO(data)) for data in (original, made))
    assert "removed" in ImageCms.getProfileDescription(again)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    shown = [ImageCms.profileToProfile(image, p, lab, outputMode="LAB") for p in (profile, again)]
    assert np.array_equal(np.asarray(shown[0]), np.asarray(shown[1]))
    assert rebuilt(b"no profile") is None
    assert rebuilt(original[:100]) is None


@pytest.mark.parametrize(
    ("values", "vr", "expected"),
    [
        ([1.5, -2.0], "FD", [1.5, -2.0]),
        ([struct.unpack("<d", b"NGUYENTE")[0]], "FD", None),
        ([float("inf")], "FD", [float("inf")]),
        ([1e-200], "FD", [0.0]),
        ([0x4E47, 0x5559, 0x454E], "US", None),
        ([512, 0, 16], "US", [512, 0, 16]),
        (["1234567"], "IS", None),
        (["-12"], "IS", ["-12"]),
        (["1.5 "], "DS", ["1.5"]),
        (["NaN"], "DS", None),
    ],
)
def test_numbers(values, vr, expected):
    assert numbers.cleaned(values, vr, None) == expected


def test_a_float_that_spells_a_name_is_rounded():
    spelt = struct.unpack("<d", b"UYENTEXA")[0]
    (rounded,) = numbers.cleaned([spelt], "FD", None)
    assert rounded == np.float32(spelt)
    assert b"UYENT" not in struct.pack("<d", rounded)


@pytest.mark.parametrize(
    ("vm", "found"), [("1", (1, 1, 1)), ("1-3", (1, 3, 1)), ("2-2n", (2, None, 2)), ("1-n", (1, None, 1))]
)
def test_value_multiplicities(vm, found):
    assert numbers.vm_range(vm) == found


def test_the_options_name_their_codes():
    assert Options().codes == (("113100", "Basic Application Confidentiality Profile"),)
    chosen = Options(retain={"uids", "device", "icc-profile"}, clean={"graphics"}, blank_px=((0, 0, 1, 1),))
    assert [code for code, _ in chosen.codes] == ["113100", "113101", "113103", "113109", "113110"]
