"""Predictors whose planes are made from the truth, for masks and boxes, and manifests to go with them."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.boxes import format_boxes
from vnvision.data.manifest import Manifest, read_manifest, write_manifest
from vnvision.data.rows import Row
from vnvision.spec import BoxSpec, Label, PreprocessSpec, SeveritySpec, TaskSpec

MASK_LABELS = (
    Label(id="background", vi="Nền", en="Background"),
    Label(id="leaf", vi="Lá", en="Leaf"),
    Label(id="lesion", vi="Vết bệnh", en="Lesion"),
)
BOX_LABELS = (Label(id="WBC", vi="Bạch cầu", en="White cell"), Label(id="RBC", vi="Hồng cầu", en="Red cell"))


def mask_task(size=(48, 64), severity=True, labels=MASK_LABELS):
    rule = SeveritySpec(diseased=("lesion",), whole=("leaf", "lesion")) if severity else None
    return TaskSpec(
        kind="segmentation", preprocess=PreprocessSpec(size_px=size), labels=labels, severity=rule
    )


def box_task(size=(96, 128), thresholds=(0.5,), labels=BOX_LABELS):
    return TaskSpec(
        kind="detection",
        preprocess=PreprocessSpec(size_px=size),
        labels=labels,
        score="sigmoid",
        boxes=BoxSpec(stride_px=4, thresholds=thresholds),
    )


class Planted:
    """Gives the planes it was made with, in the order asked, and remembers the batches.

    Args:
        task: what it answers.
        planes: (N, P, h, w), one row a picture that will be read.
    """

    name = "planted"

    def __init__(self, task, planes):
        self.task, self.planes, self.batches = task, np.asarray(planes, np.float32), []

    def logits(self, images, batch_size=16):
        start = sum(self.batches)
        self.batches.append(len(images))
        return self.planes[start : start + len(images)]


def one_hot(mask, n_labels):
    """Planes (C, h, w) whose largest is the mask."""
    return np.stack([6.0 * (mask == label) for label in range(n_labels)]).astype(np.float32)


def box_planes(boxes, labels, scores, n_labels, size=(96, 128), stride=4):
    """Planes (C + 4, h, w) that decode to these boxes; their centres must lie in different cells."""
    height, width = size[0] // stride, size[1] // stride
    planes = np.full((n_labels + 4, height, width), -12.0, np.float32)
    planes[n_labels:] = 1.0
    for box, label, score in zip(boxes, labels, scores, strict=True):
        column, row = int((box[0] + box[2]) / 2 / stride), int((box[1] + box[3]) / 2 / stride)
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        planes[label, row, column] = np.log(score / (1 - score))
        planes[n_labels:, row, column] = np.array([x - box[0], y - box[1], box[2] - x, box[3] - y]) / stride
    return planes


def mask_manifest(root, masks, **columns):
    """Pictures and masks as files; None for an unknown mask, "none" for a known empty one."""
    rows = []
    for i, mask in enumerate(masks):
        shape = (48, 64) if mask is None or isinstance(mask, str) else mask.shape
        _picture(root / f"images/{i}.png", shape, i)
        cell = "" if mask is None else mask
        if not isinstance(cell, str):
            (root / "masks").mkdir(exist_ok=True)
            cv2.imwrite(str(root / f"masks/{i}.png"), mask)
            cell = f"masks/{i}.png"
        rows.append(_row(i, {"mask": cell}, columns))
    return _manifest(rows, root)


def box_manifest(root, boxes, size=(96, 128), **columns):
    """Pictures as files and a column of boxes: (labels, (N, 4)) each, or None where unknown."""
    rows = []
    for i, found in enumerate(boxes):
        _picture(root / f"images/{i}.png", size, i)
        cell = "" if found is None else format_boxes(found[0], np.asarray(found[1]).reshape(-1, 4))
        rows.append(_row(i, {"boxes": cell}, columns))
    return _manifest(rows, root)


def _row(i, cells, columns):
    extra = cells | {name: values[i] for name, values in columns.items() if name != "region"}
    region = columns["region"][i] if "region" in columns else None
    return Row(i + 2, f"images/{i}.png", split="test", group_id=f"g{i // 2}", region=region, extra=extra)


def _picture(path, shape, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(60, 200, (*shape[:2], 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.GaussianBlur(noise, (0, 0), 3))


def _manifest(rows, root) -> Manifest:
    return read_manifest(write_manifest(rows, root / "manifest.csv"))
