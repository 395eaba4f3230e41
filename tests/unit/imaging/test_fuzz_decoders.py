"""The short version of ``training/benchmarks/fuzz_decoders.py``, and what its cases rest on."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vnvision.errors import DataError
from vnvision.imaging import read

SCRIPT = Path(__file__).parents[3] / "training" / "benchmarks" / "fuzz_decoders.py"
N = 600


@pytest.fixture(scope="module")
def fuzz():
    pytest.importorskip("pydicom")
    spec = importlib.util.spec_from_file_location("fuzz_decoders", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_decoders"] = module  # dataclasses look their module up
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path[:] = before
        for name in [name for name in sys.modules if name.split(".")[0] in ("fuzz_decoders", "fuzzing")]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def cases(fuzz):
    return sys.modules["fuzzing.cases"]


def test_only_images_and_typed_errors_come_out_of_mutated_files(fuzz, tmp_path):
    result = fuzz.run(N, 1, fuzz.KINDS, workers=1, memory_mb=1024, save=tmp_path)
    counts = result["kinds"]
    assert result["violations"] == 0, result["listed"]
    assert result["sound_files_changed"] == []
    assert sum(sum(kind.values()) for kind in counts.values()) == N
    for kind in fuzz.KINDS:  # the mutations reach behind the first check, and are no copies
        assert counts[kind]["decoded"] > 10
        assert counts[kind]["refused"] > 40


def test_a_case_follows_from_seed_and_index(fuzz):
    drawn = [fuzz.make(0, index, fuzz.KINDS) for index in range(60)]
    assert drawn == [fuzz.make(0, index, fuzz.KINDS) for index in range(60)]
    assert [case.kind for case in drawn[:4]] == ["png", "jpeg", "dicom", "png"]
    other = [fuzz.make(1, index, fuzz.KINDS) for index in range(60)]
    assert sum(one.data != two.data for one, two in zip(drawn, other, strict=True)) > 50


def test_every_mutation_is_drawn_and_changes_files(fuzz, cases):
    drawn, changed = Counter(), Counter()
    for index in range(3000):
        case = fuzz.make(2, index, fuzz.KINDS)
        if len(case.mutations) == 1:
            drawn[case.mutations[0]] += 1
            changed[case.mutations[0]] += case.data != fuzz.sound_files()[case.kind][case.origin]
    names = {f"{kind}.{mutation.__name__}" for kind, part in cases.AWARE.items() for mutation in part}
    assert set(drawn) == names | {f"draw.{mutation.__name__}" for mutation in cases.draw.BLIND}
    assert all(changed[name] > 0.5 * drawn[name] for name in drawn)


def test_sound_files_are_of_every_kind_and_sound(fuzz):
    files = fuzz.sound_files()
    for kind in ("png", "jpeg"):
        for name, data in files[kind].items():
            image = Image.open(io.BytesIO(data))
            image.load()
            assert read(data).image.shape[:2] in (image.size[::-1], image.size), name
    modes = {Image.open(io.BytesIO(data)).mode for data in files["png"].values()}
    assert {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"} <= modes
    assert any(Image.open(io.BytesIO(data)).info.get("interlace") for data in files["png"].values())
    assert any(Image.open(io.BytesIO(data)).info.get("progressive") for data in files["jpeg"].values())
    assert {Image.open(io.BytesIO(data)).mode for data in files["jpeg"].values()} == {"L", "RGB", "CMYK"}


def test_dicom_files_are_taken_apart_and_put_together_again(fuzz, cases):
    files = fuzz.sound_files()["dicom"]
    parts = {name: cases.dicom.split(data) for name, data in files.items()}
    assert sum(part is not None for part in parts.values()) > 100
    for name, part in parts.items():
        if part is not None:
            assert cases.dicom.join(part)[132:] == files[name][132:], name
    syntaxes = {part.syntax for part in parts.values() if part}
    assert len(syntaxes) >= 12


def test_dicom_files_written_here_hold_what_they_say(fuzz):
    pydicom = pytest.importorskip("pydicom")
    written = {name: data for name, data in fuzz.sound_files()["dicom"].items() if name.startswith("dicom_")}
    shapes = {
        name: pydicom.dcmread(io.BytesIO(data)).pixel_array.shape for name, data in sorted(written.items())
    }
    assert len(shapes) == 15
    assert shapes["dicom_rle_frames"] == (3, 16, 24)
    assert shapes["dicom_rgb_planes"] == (16, 24, 3)
    grey, packed = (
        pydicom.dcmread(io.BytesIO(written[name])).pixel_array for name in ("dicom_grey8", "dicom_rle")
    )
    np.testing.assert_array_equal(grey, packed)


def test_a_violation_is_listed_and_its_file_saved(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "promised", lambda sample: sample.image.shape[2] == 3)
    result = fuzz.run(30, 3, ("jpeg",), workers=1, memory_mb=1024, save=tmp_path)
    assert result["violations"] == len(result["listed"]) > 0
    first = result["listed"][0]
    assert first["outcome"] == "odd image"
    saved = tmp_path / f"{first['index']}_odd_image.jpeg"
    assert saved.read_bytes() == fuzz.make(3, first["index"], ("jpeg",)).data


def test_a_jpeg_that_cannot_hold_its_pixels_is_refused_before_they_are_unpacked(fuzz, cases):
    """Every 8 x 8 block costs a bit at least (ITU-T T.81, F.1.2.1): 10,000 x 10,000 pixels 195,313 bytes."""
    files = fuzz.sound_files()["jpeg"]
    for name in ("jpeg", "jpeg_progressive", "jpeg_cmyk"):
        segments, rest = cases.jpeg.split(files[name])
        wide = [
            (marker, body[:1] + b"\x27\x10\x27\x10" + body[5:] if marker in (0xC0, 0xC2) else body)
            for marker, body in segments
        ]
        with pytest.raises(DataError, match=r"bytes, too few for 10,000 x 10,000 pixels"):
            read(cases.jpeg.join(wide, rest))
    flat = io.BytesIO()
    Image.new("L", (4000, 4000), 77).save(flat, "JPEG", optimize=True, progressive=True)
    assert len(flat.getvalue()) < 100_000  # the emptiest sound picture passes
    np.testing.assert_array_equal(read(flat.getvalue()).image, 77)


def test_a_dicom_element_whose_length_does_not_fit_its_kind_is_an_error(fuzz, cases):
    """pydicom raises BytesLengthException for it, which derives from Exception alone."""
    file = cases.dicom.split(fuzz.sound_files()["dicom"]["dicom_grey16"])
    for tag, vr in ((0x00280010, b"UL"), (0x00280100, b"FD"), (0x00281053, b"US"), (0x00281050, b"FL")):
        bent = [
            replace(item, vr=vr, length=3, value=b"123") if item.tag == tag else item for item in file.data
        ]
        with pytest.raises(DataError, match=r"^image bytes"):
            read(cases.dicom.join(replace(file, data=bent)))
