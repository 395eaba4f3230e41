"""Lossless JPEG frames over which GDCM would end the program: they never reach it."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.imaging.dicom.gdcm_limits import aborts_gdcm

pytest.importorskip("gdcm")
pydicom = pytest.importorskip("pydicom")
FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
ELEMENTS = Path(__file__).parents[3] / "training" / "benchmarks" / "fuzzing" / "elements.py"
LOSSLESS = "SC_rgb_jpeg_gdcm.dcm"  # RGB, SOF3, an Adobe segment
ADOBE = b"\xff\xee\x00\x0eAdobe\x00d\x00\x00\x00\x00\x00"


@pytest.fixture(scope="module")
def elements():
    spec = importlib.util.spec_from_file_location("fuzzing_elements", ELEMENTS)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzzing_elements"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fuzzing_elements"]


def with_frame(elements, change, **header: int) -> bytes:
    """The lossless file with its frame, and numbers of its header, changed."""
    file = elements.split((FOLDER / LOSSLESS).read_bytes())
    tags = {"allocated": 0x00280100, "stored": 0x00280101, "high": 0x00280102}
    values = {tags[name]: value for name, value in header.items()}
    data = []
    for item in file.data:
        if item.tag in values:
            item = item.changed(elements.number(values[item.tag], file))
        elif item.tag == elements.ITEM and item.value.startswith(b"\xff\xd8"):
            item = item.changed(change(item.value))
        data.append(item)
    return elements.join(replace(file, data=data))


@pytest.mark.parametrize(
    ("change", "header", "got"),
    [
        (lambda frame: frame.replace(ADOBE, ADOBE[:-1] + b"\x02"), {}, "Adobe colour transform 2"),
        (lambda frame: frame.replace(ADOBE, ADOBE + b"\x00\x01"), {}, "stray bytes between its segments"),
        (lambda frame: frame.replace(ADOBE, ADOBE + b"\xff\x00"), {}, "stray bytes between its segments"),
        (lambda frame: frame.replace(ADOBE, b"\xff\xee\x00\x00" + ADOBE[4:]), {}, "impossible length"),
        (
            lambda frame: frame.replace(ADOBE, b"\xff\xe0\x00\x10JFIF\0\x07\x01\0\0\x01\0\x01\0\0"),
            {},
            "JFIF version 7",
        ),
        (lambda frame: frame, {"allocated": 32}, "32 bits, where JPEG has at most 16"),
        (lambda frame: frame, {"stored": 7}, "7 of 8 bits in use"),
    ],
)
def test_a_frame_that_gdcm_does_not_survive_is_an_error(elements, change, header, got):
    with pytest.raises(DataError, match=f"image bytes is damaged or cut short: .*{got}"):
        read(with_frame(elements, change, **header))


def test_sound_frames_pass(elements):
    sound = read(FOLDER / LOSSLESS).image
    np.testing.assert_array_equal(read(with_frame(elements, lambda frame: frame)).image, sound)
    filled = with_frame(elements, lambda frame: frame.replace(ADOBE, b"\xff\xff" + ADOBE))
    np.testing.assert_array_equal(read(filled).image, sound)
    assert aborts_gdcm(b"\xff\x4f\xff\x51", 32, 32) is None
