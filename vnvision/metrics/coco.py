"""Average precision by pycocotools, the reference implementation of the COCO evaluation."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from vnvision.errors import MissingExtraError
from vnvision.metrics.detection_matching import IOUS, MOST_BOXES
from vnvision.records import Detections

_EVERY_SIZE = [0.0, 1e10]


def coco_average_precision(
    found: Sequence[Detections],
    truth: Sequence[Detections],
    n_labels: int,
    ious: Sequence[float] = IOUS,
    most_boxes: int = MOST_BOXES,
) -> np.ndarray:
    """Average precision of each label at each IoU threshold: (T, C), NaN where a label has no object.

    Args:
        found: N pictures' boxes.
        truth: N pictures' objects.
        n_labels: C.
        ious: T thresholds.
        most_boxes: the best of a label on a picture that are looked at.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO  # type: ignore[import-untyped]
        from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]
    except ImportError as exc:
        raise MissingExtraError("pycocotools", "eval") from exc
    if not truth:
        return np.full((len(ious), n_labels), np.nan)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        sides = []
        for side in (truth, found):
            coco = COCO()
            coco.dataset = _dataset(side, n_labels)
            coco.createIndex()
            sides.append(coco)
        judge = COCOeval(*sides, "bbox")
        judge.params.iouThrs = np.asarray(ious)
        judge.params.maxDets = [most_boxes]
        judge.params.areaRng, judge.params.areaRngLbl = [_EVERY_SIZE], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, 0]  # (T, recalls, C), -1 where not defined
    return np.where((precision < 0).any(axis=1), np.nan, precision.mean(axis=1))


def _dataset(pictures: Sequence[Detections], n_labels: int) -> dict[str, Any]:
    boxes: list[dict[str, Any]] = []
    for image, one in enumerate(pictures):
        sides = one.boxes_xyxy_px.astype(np.float64)
        for (x0, y0, x1, y1), label, score in zip(sides.tolist(), one.labels, one.scores, strict=True):
            wide, tall = x1 - x0, y1 - y0
            boxes.append(
                {
                    "id": len(boxes) + 1,  # 0 would read as "no match"
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": [x0, y0, wide, tall],
                    "area": wide * tall,
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    return {
        "images": [{"id": image} for image in range(len(pictures))],
        "categories": [{"id": label} for label in range(n_labels)],
        "annotations": boxes,
    }
