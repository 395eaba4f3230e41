"""Which boxes found which objects, and average precision from that, for any weights of the images.

Matching and precision follow the COCO evaluation (Lin et al. 2014, "Microsoft COCO: Common Objects in
Context", and pycocotools), which the tests compare with: boxes of a label, best first, each take the free
object that they overlap most, if by the threshold or more; precision at a recall is the best at that recall
or a higher one; average precision is its mean over 101 recalls from 0 to 1. COCO looks at 100 boxes a
picture and label; here it is ``MOST_BOXES``, since a picture of fruits may hold more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.records import Detections

MOST_BOXES = 500
IOUS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
RECALLS = np.linspace(0.0, 1.0, 101)
_CELLS = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The boxes of one label on N pictures, best first.

    Attributes:
        image: (D,) int64, the picture of each box.
        score: (D,) float64.
        hit: (T, D) bool: the box found an object, at each IoU threshold.
        truths: (N,) int64, objects on each picture.
    """

    image: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    truths: np.ndarray


def iou_matrix(boxes_xyxy: np.ndarray, others_xyxy: np.ndarray) -> np.ndarray:
    """Intersection over union of (D, 4) with (G, 4) boxes: (D, G) float64."""
    a, b = boxes_xyxy.astype(np.float64)[:, None], others_xyxy.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.clip(sides, 0, None), axis=2)
    area_a, area_b = (np.prod(side[..., 2:] - side[..., :2], axis=2) for side in (a, b))
    union = area_a + area_b - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match_boxes(boxes_xyxy: np.ndarray, truth_xyxy: np.ndarray, ious: Sequence[float]) -> np.ndarray:
    """Whether each box found an object: (T, D) bool.

    Args:
        boxes_xyxy: (D, 4) of one label on one picture, best first.
        truth_xyxy: (G, 4) objects of that label.
        ious: T thresholds.
    """
    hit = np.zeros((len(ious), len(boxes_xyxy)), bool)
    n_truths = len(truth_xyxy)
    if not n_truths or not len(boxes_xyxy):
        return hit
    limits = np.minimum(np.asarray(ious, np.float64), 1 - 1e-10)
    overlaps, free = iou_matrix(boxes_xyxy, truth_xyxy), np.ones((len(ious), n_truths), bool)
    rows = np.arange(len(ious))
    for d, row in enumerate(overlaps):
        if row.max() < limits.min():
            continue
        open_ = np.where(free, row, -1.0)
        best = n_truths - 1 - open_[:, ::-1].argmax(axis=1)  # of equal ones the last, as COCO has it
        found = open_[rows, best] >= limits
        hit[:, d] = found
        free[rows[found], best[found]] = False
    return hit


def match_all(
    found: Sequence[Detections],
    truth: Sequence[Detections],
    n_labels: int,
    ious: Sequence[float] = IOUS,
    most_boxes: int = MOST_BOXES,
) -> list[Matches]:
    """The matches of each label over all pictures.

    Args:
        found: N pictures' boxes, in any order.
        truth: N pictures' objects; scores are not looked at.
        n_labels: labels of the task.
        ious: T thresholds.
        most_boxes: the best of a label on a picture that are looked at.

    Raises:
        DataError: another number of pictures, or an index that is no label.
    """
    if len(found) != len(truth):
        raise DataError("boxes do not fit the truth", expected=f"{len(truth)} pictures", got=str(len(found)))
    highest = max((int(one.labels.max(initial=-1)) for one in (*found, *truth)), default=-1)
    if highest >= n_labels:
        raise DataError("a box has no label of the task", expected=f"0 to {n_labels - 1}", got=str(highest))
    return [_of_label(found, truth, label, ious, most_boxes) for label in range(n_labels)]


def _of_label(
    found: Sequence[Detections], truth: Sequence[Detections], label: int, ious: Sequence[float], most: int
) -> Matches:
    images, scores = [np.empty(0, np.int64)], [np.empty(0)]
    hits, truths = [np.empty((len(ious), 0), bool)], []
    for index, (one, true) in enumerate(zip(found, truth, strict=True)):
        mine = np.flatnonzero(one.labels == label)
        order = mine[np.argsort(-one.scores[mine], kind="stable")][:most]
        objects = true.boxes_xyxy_px[true.labels == label]
        images.append(np.full(len(order), index, np.int64))
        scores.append(one.scores[order].astype(np.float64))
        hits.append(match_boxes(one.boxes_xyxy_px[order], objects, ious))
        truths.append(len(objects))
    score = np.concatenate(scores)
    best = np.argsort(-score, kind="stable")
    return Matches(
        np.concatenate(images)[best], score[best], np.concatenate(hits, axis=1)[:, best], np.array(truths)
    )


def average_precision(matches: Matches, weights: np.ndarray) -> np.ndarray:
    """Average precision at each IoU threshold under weights (N, b): (T, b); NaN without objects."""
    out = np.full((len(matches.hit), weights.shape[1]), np.nan)
    width = max(1, _CELLS // max(1, len(matches.image)))
    for start in range(0, weights.shape[1], width):
        part = slice(start, start + width)
        out[:, part] = _average_precision(matches, weights[:, part])
    return out


def _average_precision(matches: Matches, weights: np.ndarray) -> np.ndarray:
    total = matches.truths @ weights
    drawn = weights[matches.image]
    seen = np.cumsum(drawn, axis=0)
    out = np.zeros((len(matches.hit), weights.shape[1]))
    for t, hit in enumerate(matches.hit):
        at = np.flatnonzero(hit)
        if not len(at):
            continue
        right = np.cumsum(drawn[at], axis=0)
        precision = right / (seen[at] + np.spacing(1.0))
        best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        recall = np.divide(right, total, out=np.zeros_like(right), where=total > 0)
        reached = np.searchsorted(RECALLS, recall, side="right")
        out[t] = (np.diff(reached, axis=0, prepend=0) * best).sum(axis=0) / len(RECALLS)
    out[:, total == 0] = np.nan
    return out


def precision_recall(matches: Matches, iou: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision after each box, best first, at the ``iou``-th threshold; empty without objects."""
    total = int(matches.truths.sum())
    if not total:
        return np.empty(0), np.empty(0)
    right = np.cumsum(matches.hit[iou])
    return right / total, right / np.arange(1, len(right) + 1)
