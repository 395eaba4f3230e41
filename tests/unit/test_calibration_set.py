"""Calibration images: spread over regions, groups, labels and people; never test rows; the same each time."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.errors import DataError, ExportError
from vnvision.export.calibration_set import FEWEST, calibration_set, chosen_rows
from vnvision.spec import PreprocessSpec

SPEC = PreprocessSpec(size_px=(8, 8), mean=(0.5,) * 3, std=(0.5,) * 3, geometry="squash")


def rows_of(tmp_path, *, side=10):
    """90 plants of the delta, 10 of the highlands, three labels; every fifth plant is for tests."""
    rng, rows = np.random.default_rng(0), []
    for plant in range(100):
        region = "delta" if plant < 90 else "highlands"
        for shot in range(3):
            name = f"{plant}_{shot}.png"
            cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
            split = "test" if plant % 5 == 0 else ("train", "val")[plant % 2]
            rows.append(
                Row(
                    0,
                    name,
                    label=("a", "a", "b")[plant % 3],
                    split=split,
                    group_id=f"p{plant}",
                    region=region,
                )
            )
    return rows


@pytest.fixture
def manifest(tmp_path):
    return read_manifest(write_manifest(rows_of(tmp_path), tmp_path / "m.csv"))


def test_regions_labels_and_plants_are_dealt_in_turn(manifest):
    rows = chosen_rows(manifest, 16)
    assert Counter(row.region for row in rows) == {"delta": 8, "highlands": 8}
    assert Counter((row.region, row.label) for row in rows)[("delta", "b")] == 4
    delta = [row.group_id for row in rows if row.region == "delta"]
    assert len(set(delta)) == len(delta)  # no plant twice while there are others


def test_test_rows_are_never_used(manifest):
    assert {row.split for row in chosen_rows(manifest, 1000)} == {"train", "val"}
    assert len(chosen_rows(manifest, 1000)) == 80 * 3


def test_the_choice_does_not_depend_on_the_order_of_rows(manifest):
    turned = replace(manifest, rows=manifest.rows[::-1])
    assert [row.path for row in chosen_rows(turned, 40)] == [row.path for row in chosen_rows(manifest, 40)]
    other = chosen_rows(manifest, 40, seed=1)
    assert [row.path for row in other] != [row.path for row in chosen_rows(manifest, 40)]


def test_inputs_and_hash(manifest):
    made = calibration_set(manifest, SPEC, 20)
    assert made.inputs.shape == (20, 3, 8, 8)
    assert made.inputs.dtype == np.float32
    formula = (made.images.astype(np.float64) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(made.inputs, formula.transpose(0, 3, 1, 2), atol=1e-6)
    digest = hashlib.sha256(f"{made.images.shape} |u1".encode() + made.images.tobytes()).hexdigest()
    record = made.record()
    assert (record["n"], record["sha256"], record["manifest_sha256"]) == (20, digest, manifest.sha256)
    assert record["by_region"] == {"delta": 10, "highlands": 10}
    assert calibration_set(manifest, SPEC, 20).sha256 == digest
    assert calibration_set(manifest, SPEC, 20, seed=1).sha256 != digest


def test_groups_of_faces_and_people(tmp_path):
    rng, lines = np.random.default_rng(0), ["path,identity,group,split"]
    for person in range(40):
        cv2.imwrite(str(tmp_path / f"{person}.png"), rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        lines.append(f"{person}.png,q{person},{'kinh' if person < 32 else 'hmong'},train")
    (tmp_path / "faces.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = read_manifest(tmp_path / "faces.csv")
    aligned = SPEC.model_copy(update={"geometry": "align"})
    made = calibration_set(manifest, aligned, 16)
    assert made.record()["by_group"] == {"hmong": 8, "kinh": 8}
    with pytest.raises(DataError, match=r"is no aligned face: expected 16 x 16 pixels, got 8 x 8; cut faces"):
        calibration_set(manifest, aligned.model_copy(update={"size_px": (16, 16)}), 16)


def test_of_several_labels_the_rarest_counts(tmp_path):
    rng, rows = np.random.default_rng(0), []
    for i in range(40):
        cv2.imwrite(str(tmp_path / f"{i}.png"), rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        rows.append(Row(0, f"{i}.png", labels={"common": 1, "rare": int(i < 8)}, split="train"))
    manifest = read_manifest(write_manifest(rows, tmp_path / "m.csv"))
    chosen = chosen_rows(manifest, 16)
    assert sum(bool(row.labels["rare"]) for row in chosen) == 8


def test_refusals(manifest, tmp_path):
    with pytest.raises(ExportError, match=r"8-bit integers need calibration images: expected a manifest"):
        calibration_set(None, SPEC)
    with pytest.raises(
        DataError, match=rf"too few calibration images asked for: expected {FEWEST} or more, got 3"
    ):
        calibration_set(manifest, SPEC, 3)
    none = replace(manifest, rows=tuple(replace(row, split=None) for row in manifest.rows))
    with pytest.raises(DataError, match=r"too few rows to calibrate on.*got 0; assign splits with"):
        calibration_set(none, SPEC)
    tests = replace(manifest, rows=tuple(replace(row, split="test") for row in manifest.rows))
    with pytest.raises(DataError, match=r"\(test rows are never used\), got 0$"):
        calibration_set(tests, SPEC)
