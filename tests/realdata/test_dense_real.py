"""Masks of BUSI and boxes of BCCD: they read, the checker agrees, and the evaluation runs on them."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data import Manifest, read_manifest
from vnvision.data.boxes import format_boxes, row_boxes
from vnvision.data.check import check_manifest
from vnvision.data.masks import read_mask
from vnvision.evaluate import evaluate
from vnvision.imaging.geometry import placement
from vnvision.metrics.coco import coco_average_precision
from vnvision.metrics.detection_matching import average_precision, match_all
from vnvision.records import Detections
from vnvision.spec import BoxSpec, Label, PreprocessSpec, TaskSpec

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
MED = Path(ROOT or ".") / "med"
CELLS = ("WBC", "RBC", "Platelets")
LESION = TaskSpec(
    kind="segmentation",
    preprocess=PreprocessSpec(size_px=(256, 256), geometry="letterbox"),
    labels=(Label(id="background"), Label(id="lesion")),
)
BLOOD = TaskSpec(
    kind="detection",
    preprocess=PreprocessSpec(size_px=(480, 640)),
    labels=tuple(Label(id=label) for label in CELLS),
    score="sigmoid",
    boxes=BoxSpec(stride_px=2, thresholds=(0.5,), nms_iou=1.0),
)


class FromTruth:
    """A predictor whose planes are the truth of the rows, in order."""

    def __init__(self, task, planes, rows):
        self.name, self.task, self.planes, self.rows, self.done = "truth", task, planes, rows, 0

    def logits(self, images, batch_size=16):
        mine = self.rows[self.done : self.done + len(images)]
        self.done += len(images)
        return np.stack([self.planes(row, image) for row, image in zip(mine, images, strict=True)])


def bccd() -> Manifest:
    found: dict[str, list[tuple[str, list[float]]]] = defaultdict(list)
    with open(MED / "bccd/boxes.csv", encoding="utf-8", newline="") as stream:
        for cells in csv.DictReader(stream):
            box = [float(cells[side]) for side in ("xmin", "ymin", "xmax", "ymax")]
            if box[2] > box[0] and box[3] > box[1]:
                found[cells["path"]].append((cells["label"], box))
    manifest = read_manifest(MED / "bccd/manifest.csv")

    def cell(path: str) -> str:
        mine = found[path]
        return format_boxes([label for label, _ in mine], np.array([box for _, box in mine]).reshape(-1, 4))

    return replace(
        manifest, rows=tuple(replace(row, extra={"boxes": cell(row.path)}) for row in manifest.rows)
    )


def test_the_checker_finds_nothing_wrong() -> None:
    busi = check_manifest(read_manifest(MED / "busi/manifest.csv"), mask_labels=2, near_duplicates=False)
    assert not {"wrong mask", "wrong mask values"} & set(busi.counts())
    blood = check_manifest(bccd(), box_labels=CELLS, near_duplicates=False)
    assert not {"wrong boxes", "box outside the picture", "unknown label"} & set(blood.counts())


def test_true_masks_given_back_at_model_size_score_high_on_busi() -> None:
    manifest = read_manifest(MED / "busi/manifest.csv")
    part = manifest.split("val")

    def planes(row, image):
        mask = read_mask(part, row, 2, image.shape[:2])
        where = placement(image.shape[:2], (256, 256), "letterbox")
        matrix = np.array([[where.scale[0], 0, where.offset_px[0]], [0, where.scale[1], where.offset_px[1]]])
        placed = cv2.warpAffine(mask.astype(np.float32), matrix, (256, 256), flags=cv2.INTER_LINEAR)
        return np.stack([1 - placed, placed])

    report = evaluate(FromTruth(LESION, planes, part.rows), manifest, "val", n_boot=100)
    lesion = report.per_class["lesion"]
    assert report.n == len(part)
    assert lesion["dice"].value > 0.95
    assert lesion["hd95_px"].value < 6
    assert lesion["missed"].value == 0
    assert lesion["false_alarm"].value == 0
    assert lesion["false_alarm"].n == sum(row.label == "normal" for row in part.rows)


def test_true_boxes_given_back_score_high_on_bccd() -> None:
    manifest = bccd()
    part = manifest.split("val")

    def planes(row, image):
        truth = row_boxes(row, "bccd")
        out = np.full((7, 240, 320), -9.0, np.float32)
        boxes = placement(image.shape[:2], (480, 640), "squash").to_model(truth.boxes_xyxy_px)
        for label, box in zip(truth.labels, boxes, strict=True):
            column, line = min(319, int((box[0] + box[2]) / 4)), min(239, int((box[1] + box[3]) / 4))
            x, y = 2 * column + 1, 2 * line + 1
            out[CELLS.index(label), line, column] = 3.0
            out[3:, line, column] = np.array([x - box[0], y - box[1], box[2] - x, box[3] - y]) / 2
        return out

    report = evaluate(FromTruth(BLOOD, planes, part.rows), manifest, "val", n_boot=100)
    assert report.metrics["map50"].value > 0.98
    assert report.metrics["count_mae"].value < 0.1
    assert report.data["objects"]["RBC"] > 400


def test_own_average_precision_is_pycocotools_on_real_boxes() -> None:
    rng = np.random.default_rng(0)
    found, truth = [], []
    for row in bccd().split("val").rows:
        boxes = row_boxes(row, "bccd")
        labels = np.array([CELLS.index(label) for label in boxes.labels], dtype=np.int64)
        truth.append(Detections(boxes.boxes_xyxy_px, labels, np.ones(len(labels), np.float32)))
        moved = boxes.boxes_xyxy_px + rng.normal(0, 6, boxes.boxes_xyxy_px.shape).astype(np.float32)
        solid = (moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1]) & (rng.random(len(labels)) < 0.9)
        found.append(Detections(moved[solid], labels[solid], rng.random(int(solid.sum())).astype(np.float32)))
    ones = np.ones((len(truth), 1))
    ours = np.stack([average_precision(one, ones)[:, 0] for one in match_all(found, truth, 3)], axis=1)
    np.testing.assert_allclose(ours, coco_average_precision(found, truth, 3), atol=1e-6)
