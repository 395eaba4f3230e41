"""The face kit on real pictures, in a fresh environment: boxes, landmarks and embeddings are vnvision's."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from vnvision.export.face_kit import ENGINES
from vnvision.faces.listing import list_pictures

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.slow,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
ALONE = Path(__file__).parents[1] / "end_to_end" / "test_face_kit_alone.py"


@pytest.fixture(scope="module")
def alone():
    spec = importlib.util.spec_from_file_location("face_kit_alone", ALONE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def paths():
    """Every 30th LFW picture, every 30th Asian portrait and a few scenes with masks."""
    manifest = Path(ROOT or ".") / "faces" / "manifest.csv"
    files: list[Path] = []
    for name, step in (("lfw_2folds", 30), ("asianfaces_dev", 30), ("masked_faces", 20)):
        pictures = list_pictures(manifest, where=[f"set={name}"])
        files += [pictures.root / path for path in pictures.paths[::step]]
    return files


@pytest.mark.parametrize("engine", ENGINES)
def test_the_kit_alone_answers_as_vnvision_does(alone, paths, engine, tmp_path):
    kit, python = alone.made(engine, tmp_path), alone.environment(engine, tmp_path)
    gaps = alone.apart(alone.answers(python, kit, paths, tmp_path), paths)
    print(engine, len(paths), gaps)
    assert gaps["faces"] > 70
    assert gaps["box"] < 0.05
    assert gaps["landmark"] < 0.05
    assert gaps["cosine"] > 0.99999
