"""Data cards: counts, rights and cautions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vnvision.data import Manifest, Row, read_manifest, write_manifest
from vnvision.data.card import data_card, describe
from vnvision.data.cautions import guess_rate, wilson


def folder(tmp_path: Path) -> Manifest:
    rows = []
    for i in range(12):
        name, size = f"{i}.{'png' if i < 3 else 'jpg'}", (20 + 10 * (i % 2), 16)
        Image.fromarray(np.zeros((*size[::-1], 3), np.uint8)).save(tmp_path / name)
        split = "train" if i < 8 else "test"
        label = "abc"[min(i % 4, 2)] if i != 5 else None
        row = Row(0, name, label, split=split, group_id=f"g{i // 2}", region="VN" if i < 6 else None)
        rows.append(row)
    (tmp_path / "11.jpg").write_bytes(b"no image")
    return read_manifest(write_manifest(rows, tmp_path / "manifest.csv"))


def test_describe(tmp_path: Path) -> None:
    manifest = folder(tmp_path)
    facts = describe(manifest)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["manifest"] == {
        "name": "manifest.csv",
        "sha256": manifest.sha256,
        "rows": 12,
        "groups": 6,
        "rows_without_group": 0,
        "rows_without_split": 0,
        "rows_without_label": 1,
    }
    assert facts["labels"] == {"a": 3, "b": 2, "c": 6}
    assert facts["splits"]["train"] == {
        "images": 8,
        "groups": 4,
        "unlabelled": 1,
        "labels": {"a": 2, "b": 1, "c": 4},
    }
    assert facts["regions"] == {"": 6, "VN": 6}
    assert facts["missing"] == {"sha256": 12, "licence": 12, "consent": 12}
    assert facts["images"] == {
        "readable": 11,
        "unreadable": 1,
        "formats": {"JPEG": 8, "PNG": 3},
        "width_px": {"min": 20, "median": 20, "max": 30},
        "height_px": {"min": 16, "median": 16, "max": 16},
        "different_sizes": 2,
        "commonest_sizes": {"20x16": 6, "30x16": 5},
    }
    assert describe(manifest, images=False)["images"] is None


def test_card(tmp_path: Path) -> None:
    manifest = folder(tmp_path)
    card = data_card(manifest, title="Leaf | set")
    assert card.startswith("# Leaf \\| set\n")
    assert f"sha256 `{manifest.sha256}`" in card
    for line in (
        "| label | all | train | test |",
        "| c | 6 | 4 | 2 |",
        "| no label | 1 | 1 | 0 |",
        "| images | 12 | 8 | 4 |",
        "| groups | 6 | 4 | 2 |",
        "- Formats: JPEG 8, PNG 3",
        "- Unreadable: 1",
        "- Width: 20 to 30 px, median 20",
        "| not stated | 6 |",
        "## Licences\n\nNot stated.",
        "- no row has a licence",
    ):
        assert line in card
    assert data_card(manifest) == data_card(manifest)
    assert "## Images" not in data_card(manifest, images=False)


def test_cautions(tmp_path: Path) -> None:
    rows = [
        Row(0, f"{i}.jpg", "a" if i < 60 else "b", split="train", source="hospital" if i < 60 else "web")
        for i in range(65)
    ]
    rows += [Row(0, f"t{i}.jpg", "a", split="test", source="hospital") for i in range(10)]
    warnings = describe(read_manifest(write_manifest(rows, tmp_path / "m.csv")), images=False)["warnings"]
    low, high = wilson(9, 10)
    assert "classes are uneven: 70 of a, 5 of b" in warnings
    assert "test has no example of b" in warnings
    assert (
        f"with 10 images, an accuracy of 90 % has a 95 % interval of {low:.0%} to {high:.0%}" in warnings[2]
    )
    assert "fewer than 20 test images of a (10)" in warnings[3]
    # Nine tenths have the commonest label already: knowing the source adds little.
    assert not any("source alone" in text for text in warnings)


def test_one_split_alone_is_not_blamed_for_the_others(tmp_path: Path) -> None:
    rows = [Row(0, f"{i}", "ab"[i % 2], split=("val", "train")[i // 20]) for i in range(40)]
    manifest = read_manifest(write_manifest(rows, tmp_path / "m.csv"))
    assert "there is no test split" in describe(manifest, images=False)["warnings"]
    assert "there is no test split" not in describe(manifest.split("val"), images=False)["warnings"]


def test_shortcuts_are_named(tmp_path: Path) -> None:
    rows = []
    for i in range(40):
        size = (20, 20) if i % 2 else (30, 20)
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(Row(0, f"{i}.png", "ab"[i % 2], source="s"))
    warnings = describe(read_manifest(write_manifest(rows, tmp_path / "m.csv")))["warnings"]
    assert any(text.startswith("the image size alone tells the label of 100% of images") for text in warnings)
    assert "there is no test split" in warnings


def test_multilabel_counts(tmp_path: Path) -> None:
    rows = [
        Row(0, "a", labels={"x": 1, "y": 1, "z": 0}),
        Row(0, "b", labels={"x": 1, "y": 0, "z": None}),
        Row(0, "c", labels={"x": None, "y": None, "z": None}),
    ]
    facts = describe(read_manifest(write_manifest(rows, tmp_path / "m.csv")), images=False)
    assert facts["labels"] == {"x": 2, "y": 1, "z": 0}
    assert facts["multilabel"]
    assert facts["manifest"]["rows_without_label"] == 1


@pytest.mark.parametrize(("k", "n"), [(9, 10), (0, 5), (5, 5), (450, 500)])
def test_wilson_solves_its_equation(k: int, n: int) -> None:
    # The bounds are where |rate - p| = z * sqrt(p (1 - p) / n).
    for bound in wilson(k, n):
        assert abs(k / n - bound) == pytest.approx(
            1.96 * math.sqrt(max(bound * (1 - bound), 0) / n), abs=1e-9
        )


def test_guess_rate_leaves_the_row_itself_out() -> None:
    alone = [(i, "ab"[i % 2]) for i in range(10)]
    assert guess_rate(alone) == (0.5, 0.5)
    telling = [("x", "a")] * 3 + [("y", "b")] * 3
    assert guess_rate(telling) == (1.0, 0.5)
    assert guess_rate([("x", "a")] * 3 + [("x", "b")]) == (0.75, 0.75)
