"""What is taken from the source: names in every alphabet, gaps filled honestly, wrong files refused."""

import random
from io import BytesIO

import pydicom
import pytest
import result_scenes as scenes

from vnvision.errors import ConfigError, DataError

ANSWER = scenes.class_answer(0.1, 0.8, 0.1)
IDENTITY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
)  # fmt: skip


def written(ds, tmp_path, **keys):
    files = scenes.write(ds, scenes.mask_answer(scenes.mask((ds.Rows, ds.Columns))), tmp_path / "out", **keys)
    return {kind: pydicom.dcmread(path) for kind, path in scenes.paths(files).items()}, files


@pytest.mark.parametrize("kind", ["US", "DX", "CT", "CTE"])
def test_patient_and_study_travel_into_all_three(kind, tmp_path):
    source = scenes.source(kind)
    results, _ = written(source, tmp_path)
    assert set(results) == {"sr", "sc", "seg"}
    for ds in results.values():
        for key in IDENTITY:
            assert str(ds[key].value) == str(source[key].value), key
        assert ds.SpecificCharacterSet == "ISO_IR 192"
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID
        assert ds.ContentQualification == "RESEARCH"
        assert str(ds.PatientName).encode() in scenes_bytes(ds)
    assert len({ds.SeriesInstanceUID for ds in results.values()}) == 3
    assert len({ds.SeriesNumber for ds in results.values()}) == 3


def scenes_bytes(ds):
    with open(ds.filename, "rb") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chrFren", "Buc^Jérôme"),
        ("chrGerm", "Äneas^Rüdiger"),
        ("chrRuss", "Люкceмбypг"),
        ("chrArab", "قباني^لنزار"),
        ("chrH31", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrI2", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("chrX2", "Wang^XiaoDong=王^小东"),
        ("chrX1", "Wang^XiaoDong=王^小東"),
    ],
)
def test_names_in_other_character_sets_become_utf8(name, expected, tmp_path):
    path = scenes.CHARSETS / f"{name}.dcm"
    ds = pydicom.dcmread(path)
    files = scenes.write_results(
        path, scenes.mask_answer(scenes.mask((ds.Rows, ds.Columns))), out=tmp_path, task=scenes.task(),
        model=scenes.MODEL, kinds=("sr", "seg"),
    )  # fmt: skip
    for result in scenes.paths(files).values():
        found = pydicom.dcmread(result)
        assert str(found.PatientName) == expected
        assert found.SpecificCharacterSet == "ISO_IR 192"
        assert expected.split("=")[0].encode() in result.read_bytes()


def test_text_without_a_character_set_is_refused_until_one_is_given(tmp_path):
    ds = scenes.source("US")
    path = scenes.saved(ds, tmp_path / "us.dcm")
    data = path.read_bytes().replace(b"ISO_IR 192", b"          ")
    keys = {"task": scenes.task("classification"), "model": scenes.MODEL, "kinds": ("sr",)}
    with pytest.raises(DataError) as found:
        scenes.write_results(data, ANSWER, out=tmp_path / "a", **keys)
    assert "the text of Manufacturer, ReferringPhysicianName, StudyDescription cannot be told" in str(
        found.value
    )
    assert "plain ASCII, as it names none, got other bytes; say which it is" in str(found.value)
    assert "Nguy" not in str(found.value)
    assert "bảng mã" in found.value.in_both()
    files = scenes.write_results(data, ANSWER, out=tmp_path / "b", character_set="ISO_IR 192", **keys)
    assert str(pydicom.dcmread(files.sr).PatientName) == "Nguyễn^Thị Ánh"


def test_text_that_is_not_in_the_stated_set_is_refused(tmp_path):
    data = scenes.saved(scenes.source("US"), tmp_path / "us.dcm").read_bytes()
    broken = data.replace("Nguyễn".encode(), "Nguyễn".encode()[:-1] + b"\xff")
    with pytest.raises(DataError, match=r"the text of PatientName cannot be told: expected .* ISO_IR 192"):
        scenes.write_results(
            broken, ANSWER, out=tmp_path / "a", task=scenes.task("classification"), model=scenes.MODEL
        )


@pytest.mark.parametrize("stated", ["TCVN3", "ISO_IR 6", "utf8"])
def test_a_set_that_means_nothing_counts_as_none(stated, tmp_path):
    """pydicom would read such text as Latin-1, and a name would come out as other letters."""
    data = scenes.saved(scenes.source("US"), tmp_path / "us.dcm").read_bytes()
    wrong = data.replace(b"ISO_IR 192", stated.encode().ljust(10))
    keys = {"out": tmp_path / "out", "task": scenes.task("classification"), "model": scenes.MODEL}
    with pytest.raises(DataError, match=r"cannot be told: expected text in the file's character set"):
        scenes.write_results(wrong, ANSWER, **keys)


def test_an_unknown_character_set_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown character set: expected a DICOM term .* got TCVN3"):
        written(scenes.source("US"), tmp_path, character_set="TCVN3")


def test_what_must_be_there_is_there_empty_where_the_source_has_nothing(tmp_path):
    gone = dict.fromkeys(IDENTITY[:4] + IDENTITY[6:11], ...)
    results, files = written(scenes.source("US", **gone), tmp_path)
    for ds in results.values():
        for key in gone:
            assert key in ds
            assert not ds[key].value
    assert not [note for note in files.notes if "Patient" in note]


@pytest.mark.parametrize(
    ("key", "value"),
    [("PatientSex", "Nữ"), ("PatientBirthDate", "12/04/1979"), ("StudyDate", "2025"), ("StudyTime", "8h15")],
)
def test_a_value_that_is_none_is_left_out_and_noted(key, value, tmp_path):
    with pytest.warns(UserWarning, match="Invalid value"):
        ds = scenes.source("US", **{key: value})
    results, files = written(ds, tmp_path)
    assert all(not found[key].value for found in results.values())
    assert f"{key} of the source is not valid: left empty" in files.notes
    assert ds[key].value == value  # the source itself is as it was


def test_a_deidentified_source_stays_so(tmp_path):
    ds = scenes.source(
        "US", PatientName="P-7f3a", PatientID="7f3a", PatientBirthDate=None, PatientIdentityRemoved="YES",
        DeidentificationMethod="PS3.15 Basic Profile",
    )  # fmt: skip
    results, _ = written(ds, tmp_path)
    for found in results.values():
        assert (str(found.PatientName), found.PatientIdentityRemoved) == ("P-7f3a", "YES")
        assert found.DeidentificationMethod == "PS3.15 Basic Profile"


def test_the_callers_dataset_is_not_changed(tmp_path):
    ds = scenes.source("CT")
    before = ds.to_json()
    written(ds, tmp_path)
    written(ds, tmp_path / "again", character_set="ISO_IR 192")
    assert ds.to_json() == before


def test_private_elements_and_acquisition_texts_stay_behind(tmp_path):
    ds = scenes.source("US")
    block = ds.private_block(0x0029, "SECRET MAKER", create=True)
    block.add_new(0x10, "LO", "private words")
    ds.OperatorsName, ds.PatientComments = "Lê^Văn Kín", "kept: Patient module"
    _, files = written(ds, tmp_path)
    for path in scenes.paths(files).values():
        data = path.read_bytes()
        assert b"SECRET MAKER" not in data
        assert b"private words" not in data
        assert "Lê^Văn Kín".encode() not in data


@pytest.mark.parametrize("key", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
@pytest.mark.parametrize("value", ["", "../../etc", "1.2.a", "1" * 65])
def test_a_source_without_usable_uids_is_refused(key, value, tmp_path):
    ds = scenes.source("US")
    ds[key] = pydicom.DataElement(ds[key].tag, "UI", value, validation_mode=pydicom.config.IGNORE)
    with pytest.raises(DataError, match=f"the dataset has no usable {key}: expected digits and dots"):
        written(ds, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        (
            {"SOPClassUID": pydicom.uid.RTDoseStorage},
            "is no image that results can be about: .* got RT Dose Storage",
        ),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6"}, "standard, got Ultrasound Image Storage"),
        ({"SOPClassUID": "2.25.99"}, "got 2.25.99"),
        ({"Rows": 0}, "holds no picture: expected Rows and Columns, got 0 x 80"),
        ({"Columns": ...}, "holds no picture: expected Rows and Columns, got 60 x 0"),
    ],
)
def test_what_is_no_image_is_refused(attributes, line, tmp_path):
    ds = scenes.source("US")
    for key, value in attributes.items():
        setattr(ds, key, value) if value is not ... else ds.pop(key)
    with pytest.raises(DataError, match=line):
        scenes.write(ds, ANSWER, tmp_path, picture=scenes.pixels((60, 80))) if "Columns" in ds else (
            scenes.write_results(
                ds, ANSWER, out=tmp_path, task=scenes.task("classification"), model=scenes.MODEL
            )
        )


def test_files_that_are_none(tmp_path):
    keys = {"out": tmp_path / "out", "task": scenes.task("classification"), "model": scenes.MODEL}
    with pytest.raises(DataError, match=r"absent.dcm cannot be opened: got No such file or directory"):
        scenes.write_results(tmp_path / "absent.dcm", ANSWER, **keys)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(DataError, match=r"a.png is not a DICOM file: expected DICM at byte 128"):
        scenes.write_results(tmp_path / "a.png", ANSWER, **keys)
    with pytest.raises(DataError, match=r"DICOM bytes is not a DICOM file: .* got 0 bytes"):
        scenes.write_results(b"", ANSWER, **keys)
    whole = scenes.saved(scenes.source("US"), tmp_path / "us.dcm").read_bytes()
    for end in range(132, 700, 31):
        with pytest.raises(DataError):
            scenes.write_results(whole[:end], ANSWER, **keys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("frame", [0, 2, 31])
def test_a_frame_that_is_not_there(frame, tmp_path):
    kind = "US30" if frame == 31 else "US"
    with pytest.raises(ConfigError, match=f"has no such frame: expected 1 to .* got {frame}"):
        written(scenes.source(kind), tmp_path, frame=frame)


def test_frames_in_a_class_that_allows_one_are_not_numbered(tmp_path):
    """SC_rgb_rle_2frame says Secondary Capture, a class of one frame, and holds two."""
    path = scenes.FILES / "SC_rgb_rle_2frame.dcm"
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    results, files = written(ds, tmp_path, frame=2)
    assert "ReferencedFrameNumber" not in results["sc"].SourceImageSequence[0]
    assert "the answer is about frame 2 of 2" in files.notes


def test_damaged_headers_give_results_or_a_typed_error(tmp_path):
    """Bytes of four drawn headers changed, left out and put in: never another exception, never half a set."""
    rng, whole = random.Random(11), []
    for kind in ("CT", "US30", "CTE", "US"):
        stream = BytesIO()
        pydicom.dcmwrite(stream, scenes.source(kind), enforce_file_format=True)
        whole.append(stream.getvalue())
    keys = {"task": scenes.task(), "model": scenes.MODEL, "kinds": ("sr", "seg")}
    outcomes = {"written": 0, "refused": 0}
    for number in range(40):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 6)):
            at, what = rng.randrange(128, 1800), rng.random()
            new = bytes(rng.randrange(256) for _ in range(rng.randint(1, 8)))
            data[at : at + (len(new) if what < 0.8 else 0)] = new if what > 0.2 else b""
        out = tmp_path / str(number)
        try:
            files = scenes.write_results(bytes(data), scenes.mask_answer(scenes.mask()), out=out, **keys)
        except (DataError, ConfigError):
            outcomes["refused"] += 1
            assert not out.exists()
        else:
            outcomes["written"] += 1
            assert {path.name for path in out.iterdir()} == {"sr.dcm", "seg.dcm"}
            assert pydicom.dcmread(files.sr).SOPClassUID == pydicom.uid.ComprehensiveSRStorage
    assert min(outcomes.values()) > 5
