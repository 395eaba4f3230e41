"""Every label of the real imaging manifests has texts."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from vnvision.data import read_manifest
from vnvision.hub import label_text, set_names
from vnvision.hub.knowledge import library

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
FOLDER = Path(ROOT or ".")
# A smoke test of 51 pictures about scan quality, not disease; bccd's labels are those of its boxes.
WITHOUT_TEXTS = {"med/hip_us"}
# Texts for pictures that are not here: the drawn leaves, and the larger public rice sets.
WITHOUT_PICTURES = {"synthetic_leaf", "agri/rice"}
BOXES_ONLY = {"med/bccd"}
OF_MASKS = {"med/busi": {"lesion"}}
SETS = sorted(
    path.parent.relative_to(FOLDER).as_posix()
    for part in ("agri", "med")
    for path in FOLDER.glob(f"{part}/*/manifest.csv")
)


def test_the_sets_with_texts_are_those_with_pictures() -> None:
    assert set(SETS) - WITHOUT_TEXTS == set(set_names()) - WITHOUT_PICTURES


@pytest.mark.parametrize("name", [name for name in SETS if name not in WITHOUT_TEXTS | BOXES_ONLY])
def test_every_label_has_texts(name: str) -> None:
    labels = read_manifest(FOLDER / name / "manifest.csv").label_ids()
    assert [label for label in labels if label_text(name, label) is None] == []
    assert set(library().sets[name].labels) == set(labels) | OF_MASKS.get(name, set())


def test_every_label_of_the_boxes_has_texts() -> None:
    with (FOLDER / "med/bccd/boxes.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    assert set(library().sets["med/bccd"].labels) == labels
