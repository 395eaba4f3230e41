"""The face baseline on real portraits: the regional gap is there, and about as large as measured before."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
SCRIPT = Path(__file__).parents[2] / "training" / "benchmarks" / "face_baseline.py"


def script():
    spec = importlib.util.spec_from_file_location("face_baseline", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    """Embedded once, largest face of each picture; about two minutes on one core."""
    baseline = script()
    manifest = Path(ROOT or ".") / "faces" / "manifest.csv"
    sets = [baseline.embedded(manifest, name) for name in ("lfw_2folds", "asianfaces_dev")]
    return {row["set"]: row for row in baseline.baseline(*sets)}


def test_every_picture_has_a_face(rows):
    assert [rows[name]["images"] for name in ("lfw", "asian")] == [1583, 752]
    assert all(row["failure_to_enrol"] == 0 for row in rows.values())


def test_the_threshold_is_that_of_the_whole_of_lfw(rows):
    assert rows["lfw"]["threshold"] == pytest.approx(0.365, abs=0.005)
    assert len({row["threshold"] for row in rows.values()}) == 1


def test_the_rows_measured_before_lie_inside_our_intervals(rows):
    for name in ("asian", "korean", "japanese", "chinese"):
        for what in ("fmr", "tar", "own_tar"):
            assert rows[name][what]["agrees"], (name, what, rows[name][what])
    assert rows["lfw"]["fmr"]["agrees"]


def test_koreans_are_mistaken_for_each_other_more_often_than_lfw(rows):
    assert rows["korean"]["fmr"]["low"] > 4 * rows["lfw"]["fmr"]["high"]
    assert rows["korean"]["own_tar"]["value"] < rows["korean"]["tar"]["value"]
