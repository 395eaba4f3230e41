"""Every file that pydicom ships: no name, number, UID, date or text of it remains, pixels are equal."""

import collections
import io
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID_dictionary

from vnvision.clinic.deidentify import Options, deidentify_file
from vnvision.clinic.deidentify.facts import terms
from vnvision.errors import DataError

ROOT = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file())
TEXTS = {"PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE", "DA", "DT", "TM", "UI", "AS"}
VALIDATED = [
    "CT_small.dcm",
    "MR_small.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "liver_1frame.dcm",
]
VALIDATED += ["examples_palette.dcm", "rtdose.dcm", "rtstruct.dcm", "reportsi.dcm", "SC_rgb_jpeg_dcmtk.dcm"]
MAY_STAY = {"CodeValue", "CodingSchemeDesignator", "CodeMeaning"}  # of published codes


def texts(dataset):
    """(keyword, text) of every text of five letters and more, names in parts, at every depth."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            value = element.value
        except Exception:  # noqa: BLE001 - what pydicom cannot read has no text to compare with
            continue
        if element.VR == "SQ":
            for item in value or ():
                yield from texts(item)
        elif element.VR in TEXTS and element.keyword not in MAY_STAY:
            many = value if isinstance(value, list | pydicom.multival.MultiValue) else [value]
            for text in (str(one or "").strip(" \0") for one in many):
                for part in {text, *re.split(r"[\^=]", text)}:
                    if len(part) >= 5:
                        yield element.keyword, part


def header_bytes(made, path):
    """The file's bytes, inflated, without the pixel data."""
    data = path.read_bytes()
    if made.file_meta.TransferSyntaxUID.is_deflated:
        stream = io.BytesIO()
        again = pydicom.dcmread(path)
        again.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        again.save_as(stream)
        data = stream.getvalue()
    return data.replace(bytes(made.get("PixelData") or b"\0none"), b"")


def is_in(text, data):
    encoded = text.encode("utf-8", "replace")
    if text.strip("0123456789."):
        return encoded in data
    return re.search(rb"(?<![0-9.])" + re.escape(encoded) + rb"(?![0-9.])", data) is not None


def remains(source, made, path):
    data = header_bytes(made, path)
    published = {text for _, text in texts(made)} | {"000000"}  # dummies; words of published meanings
    meanings = {str(e.value) for e in made.iterall() if e.keyword in MAY_STAY}
    for keyword, text in set(texts(source)):
        harmless = text in UID_dictionary or text in terms() or any(text in meaning for meaning in meanings)
        if not harmless and is_in(text, data) and not (keyword.endswith("Time") and text in published):
            yield keyword, text


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pydicom")
    made, refused = {}, {}
    for number, path in enumerate(FILES):
        try:
            done = deidentify_file(path, folder / str(number), Options(), bytes(range(32)))
        except DataError as exc:
            refused[path] = str(exc)
        else:
            made[path] = folder / str(number) / done.file
    return made, refused


def test_most_are_written_and_the_others_say_why(outputs):
    made, refused = outputs
    assert len(made) >= 0.8 * len(FILES)
    reasons = (
        "not a DICOM file",
        "a DICOMDIR",
        "cut short",
        "damaged",
        "a waveform",
        "neither what it is nor which",
    )
    assert [text for text in refused.values() if not any(reason in text for reason in reasons)] == []


def test_no_text_of_an_original_remains(outputs):
    for source, path in outputs[0].items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = list(remains(pydicom.dcmread(source, force=True), pydicom.dcmread(path), path))
        assert found == [], source.name


def test_pixels_are_equal(outputs):
    compared = 0
    for source, path in outputs[0].items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            original = pydicom.dcmread(source, force=True)
            try:
                pixels = original.pixel_array
            except Exception:  # noqa: BLE001 - no pixels, or a codec that is not installed
                continue
            assert np.array_equal(pydicom.dcmread(path).pixel_array, pixels), source.name
            compared += 1
    assert compared >= 60


def errors(path):
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    return collections.Counter(re.sub(r"= <[^>]*>", "", line) for line in lines if line.startswith("Error"))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_the_validator_finds_no_new_errors(outputs):
    made, _ = outputs
    for name in VALIDATED:
        source = next(path for path in made if path.name == name)
        assert not errors(made[source]) - errors(source), name
