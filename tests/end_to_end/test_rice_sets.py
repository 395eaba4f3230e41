"""From a published rice set to a model, by its ready configuration: one epoch on drawn stand-ins, offline."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vnvision import api
from vnvision.data.manifest import read_manifest
from vnvision.train.config import load_config

ROOT = Path(__file__).parents[2]
SHORT = {
    "backbone": "test_efficientnet", "weights": "none", "size_px": 64, "batch_size": 8, "workers": 0,
    "compile": False, "tensorboard": False, "n_boot": 20, "ema": None,
    "phases": [{"train": "all", "epochs": 1, "lr": 1e-3}],
}  # fmt: skip


def drawing():
    """The drawer of the unit tests."""
    path = ROOT / "tests" / "unit" / "data" / "rice_drawing.py"
    spec = importlib.util.spec_from_file_location("rice_drawing", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def paddy_doctor(root):
    config = load_config(ROOT / "training/configs/classify/rice_paddy_doctor.yaml")
    drawing().draw_paddy_doctor(root, tuple(label.id for label in config.labels), 5)


def rice_leaf_samples(root):
    names = ("Bacterialblight", "Blast", "Brownspot", "Tungro")
    labels = ("bacterial_leaf_blight", "blast", "brown_spot", "tungro")
    drawing().draw_folders(root / "Rice Leaf Disease Images", dict(zip(names, labels, strict=True)), 6)


def dhan_shomadhan(root):
    names = ("Browon Spot", "Leaf Scaled", "Rice Blast", "Rice Turgro", "Shath Blight")
    labels = ("brown_spot", "leaf_scald", "blast", "tungro", "sheath_blight")
    for kind in ("White", "Field"):
        folders = dict(zip(names, labels, strict=True))
        drawing().draw_folders(root / f"{kind} Background", folders, 5, start=9, field=kind == "Field")


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("rice_paddy_doctor", paddy_doctor),
        ("rice_leaf_samples", rice_leaf_samples),
        ("rice_dhan_shomadhan", dhan_shomadhan),
    ],
)
def test_one_command_makes_a_model_of_a_published_set(tmp_path, name, draw):
    draw(tmp_path / "download")
    folder = name if name == "rice_leaf_samples" else name.removeprefix("rice_")
    words = [sys.executable, ROOT / "datasets" / folder / "prepare.py", tmp_path / "download"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, "--out", tmp_path / "data"], capture_output=True, text=True, timeout=300, env=env
    )
    assert done.returncode == 0, done.stderr
    data = tmp_path / "data" / "manifest.csv"
    config = ROOT / f"training/configs/classify/{name}.yaml"
    geometry = "strips" if name == "rice_dhan_shomadhan" else load_config(config).geometry
    run = api.train(config, data=data, output=tmp_path / "run", quiet=True, geometry=geometry, **SHORT)
    report = api.evaluate(run)
    assert report.n == len(read_manifest(data).split("test"))
    assert report.task.label_ids == tuple(label.id for label in load_config(config).labels)
    assert report.task.preprocess.geometry == geometry
    assert report.task.texts == "agri/rice"
