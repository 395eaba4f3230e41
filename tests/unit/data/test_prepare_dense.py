"""The prepare scripts of sets with masks and boxes, on a drawn stand-in of each download."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data.boxes import row_boxes
from vnvision.data.manifest import read_manifest, write_manifest
from vnvision.data.masks import read_mask
from vnvision.data.rows import Row

DATASETS = Path(__file__).parents[3] / "datasets"
BOX = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin>"
    "<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


def picture(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), (96, 80)))


def run(name, *words):
    command = [sys.executable, DATASETS / name / "prepare.py", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def draw_busi(root):
    rng = np.random.default_rng(0)
    for label in ("benign", "malignant", "normal"):
        for number in range(1, 8):
            stem = root / label / f"{label} ({number})"
            picture(stem.with_suffix(".png"), rng)
            for part in ("", "_1") if number == 1 and label != "normal" else ("",):
                mask = np.zeros((80, 96), np.uint8)
                if label != "normal":
                    mask[10:20, (10 if not part else 50) : (30 if not part else 60)] = 255
                cv2.imwrite(f"{stem}_mask{part}.png", mask)


def test_busi_download_joins_masks_and_marks_the_healthy(tmp_path):
    draw_busi(tmp_path / "d")
    done = run("busi", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "out" / "manifest.csv", strict=True)
    assert len(manifest) == 21
    assert {row.split for row in manifest.rows} == {"train", "val", "test"}
    for row in manifest.rows:
        mask = read_mask(manifest, row, 2, (80, 96))
        twice = row.path.endswith("(1).png")
        assert mask.sum() == (0 if row.label == "normal" else 300 if twice else 200)
        assert manifest.file(row).is_file()


def draw_bccd(root, broken=""):
    rng = np.random.default_rng(0)
    (root / "Annotations").mkdir(parents=True)
    for number in range(9):
        picture(root / "JPEGImages" / f"B{number}.jpg", rng)
        boxes = (
            BOX.format("RBC", 5, 6, 20, 30)
            + BOX.format("WBC", 40, 40, 70, 75)
            + BOX.format("RBC", 3, 3, 3, 9)
        )
        (root / "Annotations" / f"B{number}.xml").write_text(f"<annotation>{boxes}{broken}</annotation>")


def test_bccd_download_becomes_a_boxes_column(tmp_path):
    draw_bccd(tmp_path / "d")
    done = run("bccd", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "out" / "manifest.csv", strict=True)
    assert len(manifest) == 9
    for row in manifest.rows:
        boxes = row_boxes(row, "m")
        assert boxes.labels == ("RBC", "WBC")  # the box without area is left out
        np.testing.assert_array_equal(boxes.boxes_xyxy_px[0], [5, 6, 20, 30])


def test_what_is_wrong_is_said_in_one_line(tmp_path):
    draw_bccd(tmp_path / "d", BOX.format("Worm", 1, 1, 5, 5))
    done = run("bccd", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "prepare: JPEGImages/B0.jpg has an unknown label: expected Platelets, RBC, WBC, got Worm"
    )
    assert not (tmp_path / "out" / "manifest.csv").exists()
    (tmp_path / "d/Annotations/B0.xml").write_text("<annotation>")
    assert "B0.xml is no XML" in run("bccd", tmp_path / "d", "--out", tmp_path / "out").stderr
    (tmp_path / "empty").mkdir()
    assert "has no Annotations/*.xml" in run("bccd", tmp_path / "empty", "--out", tmp_path / "o").stderr


@pytest.mark.parametrize("name", ["busi", "bccd"])
def test_a_folder_with_a_manifest_keeps_its_splits_and_loses_its_leaks(tmp_path, name):
    rng = np.random.default_rng(1)
    source = tmp_path / "d"
    rows = []
    for number, split in enumerate(["train", "train", "val", "test", "test"]):
        picture(source / "images" / f"{number}.png", rng)
        rows.append(Row(0, f"images/{number}.png", label="normal" if number else "benign", split=split))
    (source / "masks").mkdir()
    leak = source / "images" / "0.png"
    leak.write_bytes((source / "images" / "4.png").read_bytes())
    write_manifest(rows, source / "manifest.csv")
    (source / "boxes.csv").write_text("path,label,xmin,ymin,xmax,ymax\nimages/1.png,RBC,1,2,30,40\n")
    done = run(name, source, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "left out 1 of 5 rows" in done.stdout
    manifest = read_manifest(tmp_path / "out" / "manifest.csv")
    assert [row.path for row in manifest.rows] == [f"images/{i}.png" for i in (1, 2, 3, 4)]
    if name == "bccd":
        assert [row.extra["boxes"] for row in manifest.rows] == ["RBC 1 2 30 40", "none", "none", "none"]
    else:
        assert {row.extra["mask"] for row in manifest.rows} == {"none"}
