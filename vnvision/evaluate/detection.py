"""A detector over a manifest's boxes: average precision, finding at the thresholds in use, counting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate.dense import (
    LogitPredictor,
    Progress,
    Worst,
    dense_report,
    part_rows,
    plane_batches,
    size_of,
    thinned,
)
from vnvision.evaluate.outlines import box_outlines
from vnvision.evaluate.targets import known_truth, true_boxes
from vnvision.metrics.counting import count_metrics
from vnvision.metrics.detection import IOU, choose_thresholds, detection_metrics
from vnvision.metrics.detection_matching import match_boxes
from vnvision.records import Detections, EvalReport, Metric
from vnvision.runtime.dense import detections
from vnvision.spec import TaskSpec

MIN_SCORE = 0.01
PARTS = ("map50", "recall", "precision", "count_mae", "count_bias")


def evaluate_boxes(
    predictor: LogitPredictor,
    manifest: Manifest,
    *,
    split: str,
    batch_size: int = 32,
    n_boot: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
    columns: Sequence[str] = ("region",),
    model: dict[str, Any] | None = None,
) -> EvalReport:
    """Judge boxes in each picture's own pixels; see ``evaluate`` for the arguments.

    Average precision takes boxes down to a score of ``MIN_SCORE``; counts, recall and precision are of the
    very boxes that ``predict`` answers.

    Raises:
        ConfigError: the task is of another kind.
        DataError: no known boxes, labels that are not the model's (lists both), or a picture that cannot be
            read (names its row).
        MissingExtraError: pycocotools is not installed.
    """
    task = predictor.task
    known = known_truth(manifest, task)
    kept_rows = manifest.where(known)
    truth = true_boxes(kept_rows, task)
    low, kept = _look(predictor, kept_rows, batch_size, progress)
    groups, counts = kept_rows.group_keys(), _counts(truth, task)
    marked = _counts(kept, task)

    def measure(inside: np.ndarray) -> tuple[dict[str, Metric], dict[str, dict[str, Metric]], Any]:
        found, at, true = ([side[i] for i in inside] for side in (low, kept, truth))
        keys, ids = [groups[i] for i in inside], task.label_ids
        boxes = detection_metrics(found, at, true, keys, ids, n_boot=n_boot, seed=seed)
        counted = count_metrics(counts[inside], marked[inside], keys, ids, n_boot=n_boot, seed=seed)
        both = {label: boxes.per_class[label] | counted.per_class[label] for label in ids}
        return boxes.metrics | counted.metrics, both, boxes.curves

    def judge(inside: np.ndarray) -> dict[str, Metric]:
        figures = measure(inside)[0]
        return {name: figures[name] for name in PARTS}

    metrics, per_class, curves = measure(np.arange(len(kept_rows)))
    for index, label in enumerate(task.label_ids):
        curves[f"count:{label}"] = thinned(np.stack([counts[:, index], marked[:, index]], axis=1))
    rows, warnings = part_rows(kept_rows, columns, judge)
    objects = dict(zip(task.label_ids, counts.sum(axis=0).tolist(), strict=True))
    return dense_report(
        manifest, known, counts > 0, predictor, split=split, model=model or {"name": predictor.name},
        warnings=warnings, counts={"objects": objects}, metrics=metrics, per_class=per_class, groups=rows,
        curves=curves, mistakes=_worst(kept_rows, kept, truth, task).mistakes(),
    )  # fmt: skip


def fit_thresholds(
    predictor: LogitPredictor, manifest: Manifest, *, batch_size: int = 32, progress: Progress | None = None
) -> tuple[float, ...]:
    """For each label the score threshold of the best F1 at IoU 0.5 on these rows.

    For validation rows, never test rows: see ``metrics.detection.choose_thresholds``.

    Raises:
        ConfigError, DataError: as ``evaluate_boxes``.
    """
    task = predictor.task
    rows = manifest.where(known_truth(manifest, task))
    truth = true_boxes(rows, task)
    low, _ = _look(predictor, rows, batch_size, progress)
    return choose_thresholds(low, truth, task.label_ids)


def _look(
    predictor: LogitPredictor, manifest: Manifest, batch_size: int, progress: Progress | None
) -> tuple[list[Detections], list[Detections]]:
    """Boxes of every row down to ``MIN_SCORE``, and those at the task's thresholds."""
    low: list[Detections] = []
    kept: list[Detections] = []
    for _, samples, planes in plane_batches(predictor, manifest, batch_size, progress):
        sizes = [size_of(sample) for sample in samples]
        low += detections(planes, sizes, predictor.task, MIN_SCORE)
        kept += detections(planes, sizes, predictor.task)
    return low, kept


def _counts(pictures: Sequence[Detections], task: TaskSpec) -> np.ndarray:
    """(N, C) boxes of each label."""
    return np.stack([np.bincount(one.labels, minlength=len(task.labels)) for one in pictures])


def _worst(
    manifest: Manifest, kept: Sequence[Detections], truth: Sequence[Detections], task: TaskSpec
) -> Worst:
    """By F1 of all labels' boxes together, at the thresholds in use."""
    worst = Worst()
    for row, found, true in zip(manifest.rows, kept, truth, strict=True):
        right = sum(
            match_boxes(
                found.boxes_xyxy_px[found.labels == label], true.boxes_xyxy_px[true.labels == label], (IOU,)
            ).sum()
            for label in range(len(task.labels))
        )
        total = len(found) + len(true)
        f1 = float(2 * right / total) if total else 1.0
        worst.offer(row.path, f1, partial(_outlines, true, found, task))
    return worst


def _outlines(truth: Detections, found: Detections, task: TaskSpec) -> tuple[str, str]:
    return box_outlines(truth, task.label_ids), box_outlines(found, task.label_ids)
