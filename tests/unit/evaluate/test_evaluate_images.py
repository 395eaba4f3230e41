from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from vnvision.data.manifest import read_manifest
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import evaluate
from vnvision.records import Calibration
from vnvision.spec import Label, PreprocessSpec, TaskSpec


class ByBrightness:
    """Answers "bright" for bright images, and remembers what it was shown."""

    name = "by-brightness"
    calibration = Calibration(temperatures=(0.5,))
    task = TaskSpec(
        kind="classification",
        preprocess=PreprocessSpec(size_px=(4, 4)),
        labels=(Label(id="bright"), Label(id="dark")),
    )

    def __init__(self):
        self.calls = []

    def logits(self, images, batch_size=16):
        self.calls.append([int(image.mean()) for image in images])
        levels = np.array([image.mean() / 255 for image in images], dtype=np.float32)
        return np.stack([levels, 1 - levels], axis=1)


@pytest.fixture
def manifest(tmp_path):
    lines = ["path,label,split,group_id,region"]
    for i in range(11):
        value = 20 * i + 10
        Image.new("RGB", (5, 4), (value,) * 3).save(tmp_path / f"{i}.png")
        label = "" if i == 5 else "bright" if value > 120 else "dark"
        lines.append(f"{i}.png,{label},{'train' if i == 10 else 'test'},g{i},north")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "manifest.csv"


def test_images_reach_the_predictor_in_order_and_unknown_ones_are_not_read(manifest):
    (manifest.parent / "5.png").unlink()
    predictor, seen = ByBrightness(), []
    report = evaluate(
        predictor, read_manifest(manifest), batch_size=4, n_boot=50, progress=lambda *a: seen.append(a)
    )
    assert predictor.calls == [[10, 30, 50, 70], [90, 130, 150, 170], [190]]
    assert seen == [(4, 9), (8, 9), (9, 9)]
    assert report.metrics["accuracy"].value == 1.0
    assert report.n == 9
    assert report.model == {"name": "by-brightness"}
    assert report.calibration == ByBrightness.calibration
    assert report.data["manifest"]["rows"] == 10
    assert report.data["labels"] == {"bright": 4, "dark": 5}
    assert "1 rows with an unknown label were left out" in report.warnings
    assert [row.value for row in report.groups] == ["north"]


def test_unreadable_image_names_its_row(manifest):
    (manifest.parent / "3.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"row 5 of manifest\.csv: .*3\.png") as caught:
        evaluate(ByBrightness(), read_manifest(manifest), batch_size=2, n_boot=2)
    assert "\n" not in str(caught.value)


def test_missing_image_names_its_row(manifest):
    (manifest.parent / "0.png").unlink()
    with pytest.raises(DataError, match=r"row 2 of manifest\.csv: .*0\.png"):
        evaluate(ByBrightness(), read_manifest(manifest), n_boot=2)


def test_labels_are_compared_before_any_image_is_read(manifest):
    predictor = ByBrightness()
    predictor.task = predictor.task.model_copy(update={"labels": (Label(id="light"), Label(id="dark"))})
    with pytest.raises(DataError, match="expected dark, light, got bright, dark"):
        evaluate(predictor, read_manifest(manifest), n_boot=2)
    assert predictor.calls == []


def test_wrong_split_and_batch_size(manifest):
    with pytest.raises(DataError, match=r"has no split 'val': expected one of test, train"):
        evaluate(ByBrightness(), read_manifest(manifest), split="val")
    with pytest.raises(ConfigError, match="batch_size: expected 1 or more, got 0"):
        evaluate(ByBrightness(), read_manifest(manifest), batch_size=0)


def test_no_torch_is_loaded():
    code = "import sys, vnvision.evaluate, vnvision.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
