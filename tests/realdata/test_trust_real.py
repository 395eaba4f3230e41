"""Spoilt real leaves are refused by how they look, and untouched ones are not."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data.manifest import read_manifest
from vnvision.imaging import Preprocessor, read
from vnvision.runtime.picture_quality import QualityLimits, fit_limits, measure, measure_all
from vnvision.spec import PreprocessSpec

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
SPEC = PreprocessSpec(size_px=(224, 224))
SPOILT = {
    "too_dark": lambda image: (image * 0.12).astype(np.uint8),
    "too_bright": lambda image: np.clip(image * 1.5 + 130.0, 0, 255).astype(np.uint8),
    "too_blurred": lambda image: cv2.GaussianBlur(image, (0, 0), min(image.shape[:2]) / 40),
}


@pytest.fixture(scope="module", params=["agri/ibean", "agri/coffee_bracol", "med/malaria"])
def crops(request) -> tuple[QualityLimits, list[np.ndarray]]:
    """Limits of 150 training pictures, and 40 validation pictures."""
    manifest = read_manifest(Path(ROOT or ".") / request.param / "manifest.csv")
    geometry, parts = Preprocessor(SPEC).geometry, {}
    for split, most in (("train", 150), ("val", 40)):
        rows = manifest.split(split).rows
        chosen = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:most]]
        parts[split] = [geometry(read(manifest.file(row)).image) for row in chosen]
    return fit_limits(measure_all(parts["train"], SPEC)), parts["val"]


def test_untouched_pictures_pass(crops):
    limits, pictures = crops
    refused = [limits.reasons(measure(picture, SPEC)) for picture in pictures]
    assert np.mean([bool(why) for why in refused]) <= 0.1


@pytest.mark.parametrize("reason", SPOILT)
def test_spoilt_pictures_are_named(crops, reason):
    limits, pictures = crops
    found = [reason in limits.reasons(measure(SPOILT[reason](picture), SPEC)) for picture in pictures]
    assert np.mean(found) >= 0.9
