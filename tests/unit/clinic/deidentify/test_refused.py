"""Kinds of files that are refused, each with its line."""

import pytest
from raw_dicom import IMPLICIT, Raw

from vnvision.clinic.deidentify import Options, deidentify_file
from vnvision.errors import DataError

RAW = Raw()


def refuse(tmp_path, key, data, text):
    (tmp_path / "in.dcm").write_bytes(data)
    with pytest.raises(DataError, match=text) as caught:
        deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(), key)
    assert "Teo" not in str(caught.value)
    assert "HUE" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def of_class(uid):
    return RAW.file(RAW.image() | {0x00080016: RAW.text(0x00080016, "UI", uid)})


def test_no_dicom(tmp_path, key):
    refuse(tmp_path, key, b"", "not a DICOM file")
    refuse(
        tmp_path,
        key,
        b"HUE-0047118 Teo".ljust(5000, b"."),
        "not a DICOM file: expected a file that starts as PS3.10",
    )
    refuse(tmp_path, key, b"\x08\x00" + b"text about HUE-0047118" * 40, "not a DICOM file|damaged")


def test_a_missing_file(tmp_path, key):
    with pytest.raises(DataError, match="the file cannot be read: got No such file or directory"):
        deidentify_file(tmp_path / "HUE-0047118.dcm", tmp_path / "out", Options(), key)


def test_documents_directories_and_waveforms(tmp_path, key):
    text = "an encapsulated document .* cannot be de-identified"
    refuse(tmp_path, key, of_class("1.2.840.10008.5.1.4.1.1.104.1"), text)
    document = RAW.image() | {0x00420011: RAW.element(0x00420011, "OB", b"%PDF Teo")}
    refuse(tmp_path, key, RAW.file(document), text)
    refuse(tmp_path, key, of_class("1.2.840.10008.1.3.10"), "a DICOMDIR lists names of patients and files")
    wave = RAW.image() | {0x54000100: RAW.sequence(0x54000100, [RAW.number(0x003A0005, 1)])}
    refuse(tmp_path, key, RAW.file(wave), r"a waveform \(ECG, voice\) cannot be de-identified")
    refuse(tmp_path, key, of_class("1.2.3.4"), "the file is of no known kind: expected a SOP class")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.110", "1.2.3.4"])
def test_streams_that_may_hold_texts(tmp_path, key, syntax):
    raw = Raw(syntax)
    refuse(
        tmp_path,
        key,
        raw.file(raw.image()),
        "this transfer syntax cannot be de-identified: its stream may hold texts",
    )


def test_sequences_without_end(tmp_path, key):
    item = RAW.text(0x00180015, "CS", "HEAD")
    for _ in range(60):
        item = RAW.sequence(0x00081115, [item], undefined=True)
    refuse(tmp_path, key, RAW.file(RAW.image() | {0x00081115: item}), "nested too deep|damaged")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({0x00280100: RAW.number(0x00280100, 12)}, "the image header makes no sense"),
        ({0x00280101: RAW.number(0x00280101, 17)}, "the image header makes no sense"),
        (
            {0x00280008: RAW.text(0x00280008, "IS", "HUE-0047")},
            "expected a readable image header, got ValueError",
        ),
        (
            {0x00280004: RAW.text(0x00280004, "CS", "OF MR TEO")},
            "the image does not say how its pixels are shown",
        ),
        (
            {0x00280004: RAW.text(0x00280004, "CS", "PALETTE COLOR")},
            "the colour palette does not fit its descriptor",
        ),
        ({0x7FE00008: RAW.element(0x7FE00008, "OF", bytes(8))}, "the file holds several kinds of pixel data"),
    ],
)
def test_images_that_cannot_be_carried_over(tmp_path, key, changes, text):
    refuse(tmp_path, key, RAW.file(RAW.image() | changes), text)


@pytest.mark.parametrize("tag", [0x00080060, 0x00180015, 0x00081030, 0x00180050, 0x00280301, 0x00080005])
def test_a_damaged_sequence_in_place_of_a_text_is_no_crash(tmp_path, key, tag):
    inside = b"\x08\x00\x12\x04YE\x09\x00NguyenTeo"  # a VR that there is not
    (tmp_path / "in.dcm").write_bytes(
        RAW.file(RAW.image() | {tag: RAW.sequence(tag, [inside], undefined=True)})
    )
    try:
        deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(), key)
    except DataError as exc:
        said = str(exc)
    else:
        said = ""
    assert "NguyenTeo" not in said
    assert all(b"NguyenTeo" not in path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm"))


def test_files_without_preamble_are_read(tmp_path, key):
    raw = Raw(IMPLICIT)
    (tmp_path / "in").write_bytes(b"".join(value for _, value in sorted(raw.image().items())))
    done = deidentify_file(tmp_path / "in", tmp_path / "out", Options(), key)
    assert (tmp_path / "out" / done.file).read_bytes()[128:132] == b"DICM"
