"""The prepare scripts on a drawn stand-in of each download."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data.manifest import read_manifest

DATASETS = Path(__file__).parents[3] / "datasets"
FOLDERS = {
    "ibean": ("angular_leaf_spot", "bean_rust", "healthy"),
    "malaria": ("Parasitized", "Uninfected"),
    "coffee_bracol": ("cercospora", "healthy", "leaf_miner", "phoma", "rust"),
}


def draw(root, name):
    rng = np.random.default_rng(0)
    for label in FOLDERS[name]:
        (root / label).mkdir(parents=True)
        for number in range(8):
            picture = cv2.resize(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), (96, 96))
            stem = (
                f"C{number // 2 + 10}P{number // 2}ThinF_{label}_{number}"
                if name == "malaria"
                else str(number)
            )
            cv2.imwrite(str(root / label / f"{stem}.png"), picture)


def run(name, folder):
    words = [sys.executable, DATASETS / name / "prepare.py", folder]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_a_download_becomes_a_split_manifest(name, tmp_path):
    draw(tmp_path / "d", name)
    done = run(name, tmp_path / "d")
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "d" / "manifest.csv", strict=True)
    assert len(manifest) == 8 * len(FOLDERS[name])
    assert {row.split for row in manifest.rows} == {"train", "val", "test"}
    assert manifest.label_ids() == tuple(sorted(label.lower() for label in FOLDERS[name]))
    if name == "malaria":
        splits = {}
        for row in manifest.rows:
            splits.setdefault(row.group_id, set()).add(row.split)
        assert set(map(len, splits.values())) == {1}
        assert all("P" in group for group in splits)


def test_another_folder_is_refused_and_nothing_is_left(tmp_path):
    draw(tmp_path / "d", "ibean")
    shutil.move(tmp_path / "d" / "healthy", tmp_path / "d" / "other")
    done = run("ibean", tmp_path / "d")
    assert done.returncode == 1
    assert "holds other classes: expected angular_leaf_spot, bean_rust, healthy" in done.stderr
    assert not (tmp_path / "d" / "manifest.csv").exists()
