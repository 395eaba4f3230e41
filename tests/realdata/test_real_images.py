from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from vnvision.imaging import read

pytestmark = pytest.mark.realdata


def test_real_files_decode_as_pillow_decodes_them():
    root = os.environ.get("VNVISION_DATA")
    if not root:
        pytest.skip("VNVISION_DATA is not set: it names the folder of real images")
    files = sorted(path for path in Path(root).rglob("*") if path.suffix in (".jpg", ".png"))[::40]
    assert files, f"no images under {root}"
    for path in files:
        truth = ImageOps.exif_transpose(Image.open(path))
        pixels = np.asarray(truth.convert("L" if truth.mode in ("L", "1") else "RGB"))
        assert not truth.has_transparency_data, path
        np.testing.assert_array_equal(
            read(path).image, pixels.reshape(*pixels.shape[:2], -1), err_msg=str(path)
        )
