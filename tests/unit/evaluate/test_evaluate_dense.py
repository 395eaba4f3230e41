"""Masks and boxes over a manifest: the figures of planted answers, what is left out, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from dense_planted import (
    MASK_LABELS,
    Planted,
    box_manifest,
    box_planes,
    box_task,
    mask_manifest,
    mask_task,
    one_hot,
)

from vnvision.data.manifest import read_manifest, write_manifest
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import evaluate, fit_thresholds
from vnvision.evaluate.outlines import parse_outlines
from vnvision.evaluate.targets import known_truth
from vnvision.metrics.severity import severity_of
from vnvision.records import Calibration, EvalReport
from vnvision.spec import Label, PreprocessSpec, TaskSpec


def leaf_masks(n=8, seed=0):
    rng = np.random.default_rng(seed)
    masks = []
    for i in range(n):
        mask = np.zeros((48, 64), np.uint8)
        cv2.ellipse(mask, (32, 24), (26, 18), 0, 0, 360, 1, -1)
        for _ in range(i % 4):
            cv2.circle(mask, (int(rng.integers(18, 46)), int(rng.integers(14, 34))), 4, 2, -1)
        masks.append(mask)
    return masks


def shrunk(mask):
    """Lesions one pixel thinner all around, the leaf unchanged."""
    thin = cv2.erode((mask == 2).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where(mask == 2, np.where(thin, 2, 1), mask).astype(np.uint8)


def judged_masks(tmp_path, truth, answers, task=None, **options):
    task = task or mask_task()
    manifest = mask_manifest(tmp_path, truth, **options.pop("cells", {}))
    predictor = Planted(task, [one_hot(answer, len(task.labels)) for answer in answers])
    return evaluate(predictor, manifest, **({"split": "test", "n_boot": 50} | options)), predictor


def test_figures_of_masks_are_those_of_the_planted_answers(tmp_path):
    masks = leaf_masks()
    answers = [shrunk(mask) for mask in masks]
    cells = {"cells": {"region": ["Huế", "An Giang"] * 4}}
    report, _ = judged_masks(tmp_path, masks, answers, batch_size=3, **cells)
    dice = [
        2 * ((t == 2) & (a == 2)).sum() / ((t == 2).sum() + (a == 2).sum())
        for t, a in zip(masks, answers, strict=True)
        if (t == 2).any()
    ]
    task = mask_task()
    off = [
        100 * (severity_of(a, task.label_ids, task.severity) - severity_of(t, task.label_ids, task.severity))
        for t, a in zip(masks, answers, strict=True)
    ]
    assert report.n == 8
    assert report.n_groups == 4
    assert report.per_class["lesion"]["dice"].value == pytest.approx(np.mean(dice))
    assert report.per_class["leaf"]["missed"].value == 0
    assert report.per_class["lesion"]["false_alarm"].value == 0
    assert 1 <= report.per_class["lesion"]["hd95_px"].value <= 2  # the tip of a round spot goes two deep
    assert report.metrics["severity_mae"].value == pytest.approx(np.abs(off).mean())
    assert report.metrics["severity_bias"].value == pytest.approx(np.mean(off))
    assert report.metrics["severity_bias"].value < 0
    assert [(row.column, row.value, row.n) for row in report.groups] == [
        ("region", "An Giang", 4),
        ("region", "Huế", 4),
    ]
    assert report.groups[0].metrics["severity_mae"].value == pytest.approx(np.abs(off[1::2]).mean())
    assert report.data["holding"] == {"leaf": 8, "lesion": 6}
    assert len(report.curves["severity"]) == 8
    assert report.curves["severity"][3] == pytest.approx(
        [severity_of(m, task.label_ids, task.severity) for m in (masks[3], answers[3])]
    )
    assert len(report.curves["size:lesion"]) == 6
    assert EvalReport.from_json(report.to_json()) == report


def test_unknown_masks_are_not_read_and_none_means_empty(tmp_path):
    masks = leaf_masks(4)
    truth = [masks[3], None, "none", masks[2]]
    answers = [masks[3], np.zeros((48, 64), np.uint8), masks[2]]
    manifest_cells = {"columns": ("region",)}
    (tmp_path / "images").mkdir()
    report, predictor = judged_masks(tmp_path, truth, answers, batch_size=2, **manifest_cells)
    assert report.n == 3
    assert predictor.batches == [2, 1]
    assert "1 rows with an unknown label were left out" in report.warnings
    assert report.metrics["dice"].value == 1.0
    assert report.metrics["severity_undefined"].n == 2
    (tmp_path / "images/1.png").unlink()  # an unknown row's picture need not even be there
    again = evaluate(
        Planted(predictor.task, predictor.planes), read_manifest(tmp_path / "manifest.csv"), n_boot=0
    )
    assert again.n == 3


def test_masks_are_judged_at_the_pictures_own_size(tmp_path):
    large = cv2.resize(leaf_masks(4)[3], (192, 144), interpolation=cv2.INTER_NEAREST)
    planes = one_hot(leaf_masks(4)[3], 3)
    report = evaluate(Planted(mask_task(), [planes]), mask_manifest(tmp_path, [large]), n_boot=0)
    assert report.per_class["leaf"]["dice"].value > 0.97
    size, _ = report.curves["size:leaf"][0]
    assert size == pytest.approx((large == 1).mean())


def test_worst_masks_come_with_their_outlines(tmp_path):
    masks = leaf_masks(6)
    answers = [mask.copy() for mask in masks]
    answers[3][answers[3] == 2] = 1
    answers[1][:] = 0
    report, _ = judged_masks(tmp_path, masks, answers)
    assert [one.path for one in report.mistakes] == ["images/1.png", "images/3.png"]
    nothing, half = report.mistakes
    assert nothing.probability == 0
    assert nothing.answer == ""
    assert half.probability == pytest.approx(0.5, abs=0.05)
    drawn = parse_outlines(half.truth)
    assert {shape.label for shape in drawn} == {"leaf", "lesion"}
    canvas = np.zeros((48, 64), np.uint8)
    leaf = max((shape for shape in drawn if shape.label == "leaf"), key=lambda shape: len(shape.points))
    cv2.fillPoly(canvas, [np.array(leaf.points, np.int32)], 1)
    assert np.mean((canvas > 0) == (masks[3] > 0)) > 0.97
    assert {shape.label for shape in parse_outlines(half.answer)} == {"leaf"}


def test_calibration_and_name_are_recorded(tmp_path):
    predictor = Planted(mask_task(), [one_hot(leaf_masks(1)[0], 3)])
    predictor.calibration = Calibration(temperatures=(2.0,))
    report = evaluate(predictor, mask_manifest(tmp_path, leaf_masks(1)), n_boot=0)
    assert report.calibration.temperatures == (2.0,)
    assert report.model == {"name": "planted"}


CELLS = [
    (["WBC", "RBC", "RBC"], [(8, 8, 36, 36), (50, 10, 70, 30), (90, 50, 112, 74)]),
    (["RBC"], [(20, 40, 44, 64)]),
    ([], []),
    (["WBC", "RBC"], [(60, 20, 92, 52), (8, 60, 28, 80)]),
]


def planted_boxes(thresholds=(0.5,), spurious=0.3, cells=CELLS, hit=0.9):
    """Every object found at ``hit``, and one box of nothing a picture at ``spurious``."""
    task = box_task(thresholds=thresholds)
    planes = []
    for labels, found in cells:
        ids = [task.label_ids.index(label) for label in labels]
        boxes = [*found, (100, 4, 120, 24)]
        planes.append(box_planes(boxes, [*ids, 1], [hit] * len(found) + [spurious], 2))
    return Planted(task, planes)


def test_figures_of_boxes_are_those_of_the_planted_answers(tmp_path):
    manifest = box_manifest(tmp_path, CELLS, region=["Huế", "", "Huế", "Huế"])
    report = evaluate(planted_boxes(), manifest, batch_size=3, n_boot=50)
    assert report.metrics["map50"].value == report.metrics["map"].value == 1.0
    assert report.metrics["recall"].value == report.metrics["precision"].value == 1.0
    assert report.metrics["count_mae"].value == 0
    assert report.per_class["RBC"]["n"].value == 4
    assert report.data["objects"] == {"WBC": 2, "RBC": 4}
    assert report.mistakes == ()
    assert report.curves["count:RBC"] == ((2.0, 2.0), (1.0, 1.0), (0.0, 0.0), (1.0, 1.0))
    assert [(row.value, row.n) for row in report.groups] == [("Huế", 3), ("", 1)]
    assert EvalReport.from_json(report.to_json()) == report


def test_counts_are_those_at_the_stored_thresholds(tmp_path):
    manifest = box_manifest(tmp_path, CELLS)
    report = evaluate(planted_boxes(thresholds=(0.5, 0.2)), manifest, n_boot=50)
    assert report.metrics["map50"].value == 1.0  # the boxes of nothing score below every object
    red = report.per_class["RBC"]
    assert red["count_bias"].value == red["count_mae"].value == 1.0
    assert red["count_exact"].value == 0
    assert red["precision"].value == pytest.approx(4 / 8)
    assert red["recall"].value == 1.0
    assert report.per_class["WBC"]["count_mae"].value == 0
    worst = report.mistakes[0]
    assert (worst.path, worst.truth, worst.probability) == ("images/2.png", "", 0.0)
    assert [shape.label for shape in parse_outlines(worst.answer)] == ["RBC"]
    second = report.mistakes[1]
    assert second.path == "images/1.png"
    assert second.truth == "RBC 20 40 44 64"
    assert second.probability == pytest.approx(2 / 3)


def test_thresholds_are_fitted_on_the_rows_given(tmp_path):
    manifest = box_manifest(tmp_path, CELLS)
    predictor = planted_boxes(thresholds=(0.5, 0.2), spurious=0.3, hit=0.9)
    white, red = fit_thresholds(predictor, manifest)
    assert white == pytest.approx(0.45, abs=1e-3)  # nothing below the objects' 0.9
    assert red == pytest.approx(0.6, abs=1e-3)  # halfway between 0.3 and 0.9
    fitted = planted_boxes(thresholds=(white, red))
    assert evaluate(fitted, manifest, n_boot=0).metrics["precision"].value == 1.0


def test_rows_without_known_boxes_are_left_out(tmp_path):
    manifest = box_manifest(tmp_path, [CELLS[0], None, CELLS[3]])
    predictor = planted_boxes(cells=[CELLS[0], CELLS[3]])
    report = evaluate(predictor, manifest, n_boot=0)
    assert report.n == 2
    assert "1 rows with an unknown label were left out" in report.warnings
    assert predictor.batches == [2]


def test_labels_that_differ_are_listed_before_a_picture_is_read(tmp_path):
    manifest = box_manifest(tmp_path, [(["WBC", "platelet"], [(1, 1, 9, 9), (20, 20, 30, 30)])])
    (tmp_path / "images/0.png").unlink()
    with pytest.raises(DataError) as caught:
        evaluate(planted_boxes(), manifest)
    assert str(caught.value) == (
        "labels of manifest.csv are not the model's (platelet): expected RBC, WBC, got WBC, platelet; "
        "rename the labels in the column boxes, or leave those rows out".replace(
            "WBC, platelet;", "WBC, platelet;"
        )
    )


def test_what_is_refused_names_its_row(tmp_path):
    masks = leaf_masks(2)
    manifest = mask_manifest(tmp_path, masks)
    predictor = Planted(mask_task(), [one_hot(mask, 3) for mask in masks])

    def refused(text, kind=DataError, manifest=manifest, predictor=predictor):
        with pytest.raises(kind, match=text):
            evaluate(Planted(predictor.task, predictor.planes), manifest)

    cv2.imwrite(str(tmp_path / "masks/1.png"), masks[1][:20])
    refused(r"row 3 of manifest.csv: mask .*1\.png has another size: expected 48 x 64, got 20 x 64")
    cv2.imwrite(str(tmp_path / "masks/1.png"), masks[1] + 7)
    refused(
        r"row 3 of manifest.csv: mask .*1\.png holds values that are no labels: expected 0 to 2, got 7, 8"
    )
    (tmp_path / "masks/1.png").unlink()
    refused(r"row 3 of manifest.csv: mask .*1\.png does not exist")
    (tmp_path / "images/0.png").write_bytes(b"no picture")
    refused(r"row 2 of manifest.csv: .* is not an image")


def test_wrong_outputs_and_missing_truth(tmp_path):
    masks = leaf_masks(3)
    manifest = mask_manifest(tmp_path, masks)
    planes = np.stack([one_hot(mask, 3) for mask in masks])
    with pytest.raises(
        DataError, match=r"outputs do not fit the task: expected \(3, 3, h, w\), got \(3, 2, 48"
    ):
        evaluate(Planted(mask_task(), planes[:, :2]), manifest)
    planes[1:, 0, 3, 3] = np.nan
    with pytest.raises(DataError, match=re.escape("for 2 rows of manifest.csv are not numbers (rows 3, 4)")):
        evaluate(Planted(mask_task(), planes), manifest)
    with pytest.raises(ConfigError, match="batch_size"):
        evaluate(Planted(mask_task(), planes), manifest, batch_size=0)
    with pytest.raises(DataError, match=r"no row of manifest.csv has a known boxes cell: expected a column"):
        evaluate(planted_boxes(), manifest)
    empty = [replace(row, extra={"mask": ""}) for row in manifest.rows]
    unknown = read_manifest(write_manifest(empty, tmp_path / "empty.csv"))
    with pytest.raises(DataError, match=r"no row of empty.csv has a known mask cell.*'none' where there is"):
        evaluate(Planted(mask_task(), planes), unknown)
    task = TaskSpec(
        kind="classification",
        preprocess=PreprocessSpec(size_px=(8, 8)),
        labels=(Label(id="a"), Label(id="b")),
    )
    with pytest.raises(ConfigError, match="expected segmentation or detection, got classification"):
        known_truth(manifest, task)


def test_pictures_are_read_in_batches_and_progress_is_told(tmp_path):
    masks = leaf_masks(5)
    calls = []
    judged_masks(tmp_path, masks, masks, batch_size=2, n_boot=0, progress=lambda *call: calls.append(call))
    assert calls == [(2, 5), (4, 5), (5, 5)]


def test_a_two_label_task_takes_0_and_255(tmp_path):
    mask = (leaf_masks(2)[1] > 0).astype(np.uint8)
    task = mask_task(severity=False, labels=MASK_LABELS[:2])
    manifest = mask_manifest(tmp_path, [mask * 255])
    report = evaluate(Planted(task, [one_hot(mask, 2)]), manifest, n_boot=0)
    assert report.metrics["dice"].value == 1.0
    assert "severity_mae" not in report.metrics
