from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vnvision.data.manifest import read_manifest
from vnvision.errors import DataError
from vnvision.export.golden import golden_images
from vnvision.runtime.golden import golden_bytes
from vnvision.spec import PreprocessSpec

SPEC = PreprocessSpec(size_px=(20, 30))


def manifest_of(folder: Path, rows: list[tuple[str, str]]) -> object:
    """A manifest of flat pictures; each row's colour is its place, 10 grey levels apart."""
    lines = ["path,label,split"]
    for i, (label, split) in enumerate(rows):
        Image.new("RGB", (60, 40), (10 * i, 100, 200)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{label},{split}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return read_manifest(folder / "manifest.csv")


def test_classes_take_turns_in_the_validation_split(tmp_path):
    rows = [("a", "train")] * 3 + [("a", "val")] * 4 + [("b", "val")] * 2 + [("c", "val")]
    manifest = manifest_of(tmp_path, rows)
    images = golden_images(manifest, SPEC, n=5, seed=1)
    assert images.shape == (5, 20, 30, 3)
    assert images.dtype == np.uint8
    labels = [rows[value // 10][0] for value in images[:, 0, 0, 0].tolist()]
    assert labels == ["a", "b", "c", "a", "b"]
    assert all(value >= 30 for value in images[:, 0, 0, 0])  # none from train
    np.testing.assert_array_equal(images, golden_images(manifest, SPEC, n=5, seed=1))


def test_without_a_validation_split_all_rows_serve(tmp_path):
    manifest = manifest_of(tmp_path, [("a", ""), ("b", ""), ("b", "")])
    assert len(golden_images(manifest, SPEC, n=8)) == 3


def test_images_keep_rgb_order_though_the_model_takes_bgr():
    image = np.zeros((40, 60, 3), np.uint8)
    image[..., 0] = 255
    bgr = SPEC.model_copy(update={"colour": "bgr"})
    images = golden_images([image, image + 1], bgr)
    assert images[0, 3, 3].tolist() == [255, 0, 0]


def test_grey_images():
    spec = PreprocessSpec(size_px=(20, 30), colour="grey", mean=(0.0,), std=(1.0,))
    image = np.full((40, 60, 1), 7, np.uint8)
    assert golden_images([image, image], spec).shape == (2, 20, 30, 1)
    assert golden_images(None, spec, n=3).shape == (3, 20, 30, 1)


def test_synthetic_patterns_read_no_image(tmp_path):
    manifest = manifest_of(tmp_path, [("a", "val"), ("b", "val")])
    for file in tmp_path.glob("*.png"):
        file.unlink()
    images = golden_images(manifest, SPEC, n=4, seed=3, synthetic=True)
    assert images.shape == (4, 20, 30, 3)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 4
    assert images.std(axis=(1, 2, 3)).min() > 10  # not flat
    assert (images[..., 0] != images[..., 2]).mean() > 0.9  # swapped channels would show
    np.testing.assert_array_equal(images, golden_images(None, SPEC, n=4, seed=3))
    assert not np.array_equal(images, golden_images(None, SPEC, n=4, seed=4))


def test_patterns_fill_a_uint16_range():
    spec = PreprocessSpec(size_px=(20, 30), input_dtype="uint16", input_range=(0, 4095))
    images = golden_images(None, spec)
    assert images.dtype == np.uint16
    assert 255 < images.max() <= 4095


def test_too_few_is_an_error():
    with pytest.raises(
        DataError, match="too few images to choose golden ones from: expected 2 or more, got 1"
    ):
        golden_images([np.zeros((40, 60, 3), np.uint8)], SPEC)
    with pytest.raises(DataError, match="expected n >= 2, got 1"):
        golden_images(None, SPEC, n=1)


def test_archive_is_deterministic_and_plain_npz(monkeypatch):
    images, outputs = golden_images(None, SPEC), np.ones((8, 4), np.float32)
    first = golden_bytes(images, outputs)
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert golden_bytes(images.copy(), outputs) == first
    loaded = np.load(io.BytesIO(first), allow_pickle=False)
    np.testing.assert_array_equal(loaded["images"], images)
    np.testing.assert_array_equal(loaded["outputs"], outputs)
    assert {info.date_time for info in zipfile.ZipFile(io.BytesIO(first)).infolist()} == {
        (1980, 1, 1, 0, 0, 0)
    }
