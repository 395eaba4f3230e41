"""Planes to answers: a segmenter's to a mask, a detector's to boxes, in the picture's own pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.errors import ModelError
from vnvision.imaging.geometry import Placement, placement
from vnvision.imaging.rle import encode
from vnvision.metrics.severity import severity_of
from vnvision.records import Box, DetectionPrediction, Detections, MaskPrediction
from vnvision.spec import BoxSpec, TaskSpec

Size = tuple[int, int]


def masks(outputs: np.ndarray, sizes_px: Sequence[Size], task: TaskSpec) -> list[np.ndarray]:
    """Class masks at each picture's own size.

    Planes are enlarged bilinearly to the picture before the largest is taken, so that edges are not stairs.
    What the model did not see (the rim that a centre crop cuts off) is label 0.

    Args:
        outputs: (N, C, h, w) raw planes, one a label.
        sizes_px: N picture sizes, height and width.
        task: a segmentation task.

    Returns:
        N masks (H, W) uint8 of label indices.
    """
    return [_mask(planes, size, task) for planes, size in zip(outputs, sizes_px, strict=True)]


def _mask(planes: np.ndarray, size_px: Size, task: TaskSpec) -> np.ndarray:
    where = _placement(size_px, task)
    height, width = planes.shape[1:]
    model = task.preprocess.size_px
    # From a picture's pixel centre to the planes' pixel centre, both axes alike.
    step = where.scale[0] * width / model[1], where.scale[1] * height / model[0]
    start = where.offset_px[0] * width / model[1], where.offset_px[1] * height / model[0]
    matrix = np.array(
        [
            [step[0], 0.0, 0.5 * step[0] + start[0] - 0.5],
            [0.0, step[1], 0.5 * step[1] + start[1] - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    best = np.full(size_px, -np.inf, np.float32)
    mask = np.zeros(size_px, np.uint8)
    for index, plane in enumerate(planes):
        large = cv2.warpAffine(plane, matrix, size_px[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        better = large > best
        mask[better] = index
        np.copyto(best, large, where=better)
    if task.preprocess.geometry == "crop":
        _outside(mask, where, model)
    return mask


def _outside(mask: np.ndarray, where: Placement, model_px: Size) -> None:
    """Label 0 for pixels whose centre fell outside the centre crop."""
    for axis, (scale, offset, size) in enumerate(
        zip(where.scale, where.offset_px, model_px[::-1], strict=True)
    ):
        at = (np.arange(mask.shape[1 - axis]) + 0.5) * scale + offset
        cut = (at < 0) | (at > size)
        if axis == 0:
            mask[:, cut] = 0
        else:
            mask[cut] = 0


def detections(
    outputs: np.ndarray, sizes_px: Sequence[Size], task: TaskSpec, min_score: float | None = None
) -> list[Detections]:
    """Boxes at each picture's own size, best first.

    Args:
        outputs: (N, C + 4, h, w), see ``BoxSpec``.
        sizes_px: N picture sizes, height and width.
        task: a detection task.
        min_score: one threshold instead of the task's own, as for a precision-recall curve.
    """
    spec = task.boxes
    if spec is None:
        raise ModelError("the task does not say how boxes are read", expected="boxes in its spec")
    return [
        _boxes(planes, size, task, spec, min_score) for planes, size in zip(outputs, sizes_px, strict=True)
    ]


def _boxes(
    planes: np.ndarray, size_px: Size, task: TaskSpec, spec: BoxSpec, min_score: float | None
) -> Detections:
    n_labels = len(task.labels)
    logits = np.ascontiguousarray(planes[:n_labels], dtype=np.float32)
    limits = np.full(n_labels, min_score) if min_score is not None else np.resize(spec.thresholds, n_labels)
    # The largest logit in 3 x 3 cells: a peak is its own maximum.
    peaks = np.stack([plane == cv2.dilate(plane, np.ones((3, 3), np.uint8)) for plane in logits])
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60)))
    labels, rows, columns = np.nonzero(peaks & (scores >= limits[:, None, None]))
    found = scores[labels, rows, columns]
    order = np.argsort(-found, kind="stable")[: 4 * spec.max_boxes]
    labels, rows, columns, found = labels[order], rows[order], columns[order], found[order]
    sides = planes[n_labels:, rows, columns].T.astype(np.float64) * spec.stride_px
    centre = np.stack([columns + 0.5, rows + 0.5], axis=1) * spec.stride_px
    model = np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], axis=1)
    boxes = _placement(size_px, task).to_picture(model)
    boxes = np.clip(boxes, 0, np.array([size_px[1], size_px[0]] * 2)).astype(np.float32)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    boxes, labels, found = boxes[solid], labels[solid].astype(np.int64), found[solid].astype(np.float32)
    kept = suppress(boxes, labels, spec.nms_iou)[: spec.max_boxes]
    return Detections(boxes[kept], labels[kept], found[kept])


def suppress(boxes_xyxy_px: np.ndarray, labels: np.ndarray, iou: float) -> np.ndarray:
    """Indices of the boxes (N, 4), best first, that no better box of their label overlaps beyond ``iou``."""
    x0, y0, x1, y1 = boxes_xyxy_px.astype(np.float64).T.reshape(4, -1)
    area = (x1 - x0) * (y1 - y0)
    alive = np.ones(len(area), dtype=bool)
    for index in range(len(area)):
        if not alive[index]:
            continue
        rest = slice(index + 1, None)
        wide = np.minimum(x1[index], x1[rest]) - np.maximum(x0[index], x0[rest])
        tall = np.minimum(y1[index], y1[rest]) - np.maximum(y0[index], y0[rest])
        shared = np.clip(wide, 0, None) * np.clip(tall, 0, None)
        union = area[index] + area[rest] - shared
        alive[rest] &= ~((shared > iou * union) & (labels[rest] == labels[index]))
    return np.flatnonzero(alive)


def mask_answer(mask: np.ndarray, task: TaskSpec, source: str | None) -> MaskPrediction:
    """The record of a mask (H, W)."""
    counts = np.bincount(mask.reshape(-1), minlength=len(task.labels)).tolist()
    return MaskPrediction(
        size_px=(mask.shape[0], mask.shape[1]),
        mask_rle=encode(mask),
        areas_px=dict(zip(task.label_ids, counts, strict=True)),
        severity=None if task.severity is None else severity_of(mask, task.label_ids, task.severity),
        source=source,
    )


def box_answer(found: Detections, task: TaskSpec, source: str | None) -> DetectionPrediction:
    """The record of what was found, with a count for every label."""
    ids = task.label_ids
    names = [ids[label] for label in found.labels.tolist()]
    boxes = zip(found.boxes_xyxy_px.tolist(), names, found.scores.tolist(), strict=True)
    return DetectionPrediction(
        boxes=tuple(Box(box_xyxy_px=tuple(box), label=name, score=score) for box, name, score in boxes),
        counts={label: names.count(label) for label in ids},
        source=source,
    )


def _placement(size_px: Size, task: TaskSpec) -> Placement:
    spec = task.preprocess
    return placement(size_px, spec.size_px, spec.geometry, spec.crop_pct)
