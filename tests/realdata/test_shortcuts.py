"""The shortcut probe on real sets, validation rows only: the known shortcuts show, and BUSI shows none."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from vnvision.data.manifest import read_manifest
from vnvision.evaluate.shortcuts import ProbeRow, ShortcutReport, probe_shortcuts

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]


@cache
def report(name: str) -> ShortcutReport:
    return probe_shortcuts(read_manifest(Path(ROOT or ".") / name / "manifest.csv"))


def row(name: str, view: str) -> ProbeRow:
    return next(row for row in report(name).rows if row.view == view)


def test_exposure_of_chest_x_rays_gives_pneumonia_away() -> None:
    found = row("med/cxr_nih", "exposure")
    assert found.verdict == "strong"
    assert found.balanced_accuracy.value is not None
    assert found.balanced_accuracy.value == pytest.approx(0.71, abs=0.05)


def test_the_ground_below_mango_leaves_differs_by_class() -> None:
    """Outside the leaf, on pictures with a plain ground: several times chance among eight classes."""
    found = row("agri/mango_bd", "background")
    assert found.cover == "object"
    assert found.verdict in ("some", "strong")
    assert found.balanced_accuracy.value is not None
    assert found.balanced_accuracy.value > 3 / 8
    assert row("agri/mango_bd", "corners").verdict == "strong"


def test_outside_the_lesions_of_busi_nothing_strong_is_left() -> None:
    found = row("med/busi", "background")
    assert found.cover == "mask"
    assert found.verdict != "strong"


def test_only_validation_rows_were_looked_at() -> None:
    for name in ("med/cxr_nih", "agri/mango_bd", "med/busi"):
        assert report(name).test == "val"
