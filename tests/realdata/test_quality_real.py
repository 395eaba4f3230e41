"""Face quality on real faces: the worst tenth fails more often, masks are noticed, groups fare alike."""

from __future__ import annotations

import csv
import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.errors import ModelError
from vnvision.faces.engine import FaceEngine, area
from vnvision.faces.pictures import decoded
from vnvision.faces.quality import QualityGate, measure
from vnvision.metrics.discard import GenuineQuality, discard_curve
from vnvision.metrics.pairs import iter_pairs_blocks
from vnvision.metrics.thresholds import threshold_at_fmr

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
FACES = Path(ROOT or ".") / "faces"


@pytest.fixture(scope="module")
def engine():
    try:
        return FaceEngine(threads=1)
    except ModelError as exc:
        pytest.skip(f"no face weights: {exc}")


def rows(name):
    with (FACES / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["set"] == name]


def found(engine, some, change=None):
    """(row, quality, embedding) of the largest face of each image that has one."""
    out = []
    for at in range(0, len(some), 32):
        part = some[at : at + 32]
        images = [decoded(FACES / row["path"]) for row in part]
        images = [
            change(image, row["path"]) if change else image for image, row in zip(images, part, strict=True)
        ]
        for row, image, faces in zip(part, images, engine.represent(images), strict=True):
            if faces:
                face = max(faces, key=area)
                out.append((row, measure(image, face), face.embedding))
    return out


def worst_tenth(faces):
    """The curve over images at FMR 1e-3."""
    names = [row["identity"] for row, _, _ in faces]
    block = next(iter_pairs_blocks(np.array([e for _, _, e in faces], np.float32), names, len(names)))
    quality = np.array([quality.score for _, quality, _ in faces])
    genuine = GenuineQuality(block.genuine, np.stack(block.genuine_at, axis=1), quality, names)
    return discard_curve(genuine, threshold_at_fmr(block.impostor, 1e-3).threshold, of="images")


def test_refusing_the_worst_tenth_lowers_fnmr_on_asian_faces(engine):
    curve = worst_tenth(found(engine, rows("asianfaces_dev")))
    assert curve.points[0].fnmr.n == 977
    assert curve.shown, curve.change
    assert curve.area.value < 0.75 * curve.points[0].fnmr.value


def test_refusing_the_worst_tenth_lowers_fnmr_where_quality_varies(engine):
    """Synthetic blur and glare on identities that had no part in setting the score's constants."""

    def worse(image, key):
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        kind, amount = rng.integers(4), rng.uniform()
        if kind == 0:
            return cv2.GaussianBlur(image, (0, 0), 1 + 4 * amount)
        if kind == 1:
            return np.clip(image * (1.8 + 1.7 * amount), 0, 255).astype(np.uint8)
        return image

    held_out = [row for row in rows("lfw_2folds") if zlib.crc32(row["identity"].encode()) % 2]
    many = {row["identity"] for row in held_out if row["path"].endswith("_0002.jpg")}
    few = [row for row in held_out if row["identity"] in many][:400]
    curve = worst_tenth(found(engine, few, worse))
    assert curve.change.value < 0, curve.change
    assert curve.area.value < curve.points[0].fnmr.value


def test_real_masks_are_noticed_and_bare_faces_are_not(engine):
    def share(faces):
        gate = QualityGate("verify")
        said = [{reason.code for reason in gate.check(quality).reasons} for _, quality, _ in faces]
        return np.mean(["mouth_covered" in codes for codes in said])

    assert share(found(engine, rows("masked_faces"))) > 0.7
    for name in ("asianfaces_dev", "utkface_sample"):
        assert share(found(engine, rows(name)[::5])) < 0.05


def test_no_group_is_called_too_dark_in_the_pictures_as_they_are(engine):
    gate = QualityGate("enrol")
    for _, quality, _ in found(
        engine, [row for row in rows("utkface_sample") if row["group"] == "black"][::2]
    ):
        codes = [reason.code for reason in gate.check(quality).reasons]
        assert "too_dark" not in codes
