"""A segmenter over a manifest's masks: overlap, distance, severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate.dense import (
    LogitPredictor,
    Points,
    Progress,
    Worst,
    dense_report,
    part_rows,
    plane_batches,
    size_of,
    thinned,
)
from vnvision.evaluate.outlines import mask_outlines
from vnvision.evaluate.targets import known_truth, true_mask
from vnvision.metrics.overlap import MaskScores, compare_masks
from vnvision.metrics.segmentation import segmentation_metrics
from vnvision.metrics.severity import severity_metrics, severity_of
from vnvision.records import EvalReport, Metric
from vnvision.runtime.dense import masks
from vnvision.spec import TaskSpec

PARTS = ("dice", "iou", "severity_mae", "severity_bias")


@dataclass(slots=True)
class _Seen:
    """What is kept of each picture: scores, and its severity in truth and answer."""

    scores: list[MaskScores]
    truth: list[float | None]
    answer: list[float | None]


def evaluate_masks(
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
    """Judge masks at each picture's own size; see ``evaluate`` for the arguments.

    Of a picture only counts, distances and severity are kept, and the outlines of the worst two dozen.

    Raises:
        ConfigError: the task is of another kind.
        DataError: no known mask, a picture or mask that cannot be read or does not fit (names its row).
        MissingExtraError: scipy is not installed.
    """
    task = predictor.task
    known = known_truth(manifest, task)
    kept, worst = manifest.where(known), Worst()
    seen = _look(predictor, kept, batch_size, worst, progress)
    groups = kept.group_keys()

    def judge(inside: np.ndarray) -> dict[str, Metric]:
        found = _measure(seen, inside, groups, task, n_boot, seed)[0]
        return {name: found[name] for name in PARTS if name in found}

    metrics, per_class = _measure(seen, np.arange(len(kept)), groups, task, n_boot, seed)
    rows, warnings = part_rows(kept, columns, judge)
    present = np.stack([one.truth_px > 0 for one in seen.scores])
    held = dict(zip(task.label_ids[1:], present.sum(axis=0).tolist()[1:], strict=True))
    return dense_report(
        manifest, known, present, predictor, split=split, model=model or {"name": predictor.name},
        warnings=warnings, counts={"holding": held}, metrics=metrics, per_class=per_class, groups=rows,
        curves=_curves(seen, task), mistakes=worst.mistakes(),
    )  # fmt: skip


def _look(
    predictor: LogitPredictor, manifest: Manifest, batch_size: int, worst: Worst, progress: Progress | None
) -> _Seen:
    task, seen = predictor.task, _Seen([], [], [])
    for rows, samples, planes in plane_batches(predictor, manifest, batch_size, progress):
        answers = masks(planes, [size_of(sample) for sample in samples], task)
        for row, sample, answer in zip(rows, samples, answers, strict=True):
            truth = true_mask(manifest, row, task, size_of(sample))
            scores = compare_masks(truth, answer, len(task.labels), sample.spacing_mm)
            seen.scores.append(scores)
            if task.severity is not None:
                seen.truth.append(severity_of(truth, task.label_ids, task.severity))
                seen.answer.append(severity_of(answer, task.label_ids, task.severity))
            dice = scores.dice[1:]
            agreement = float(np.nanmean(dice)) if np.isfinite(dice).any() else 1.0
            worst.offer(row.path, agreement, partial(_outlines, truth, answer, task))
    return seen


def _outlines(truth: np.ndarray, answer: np.ndarray, task: TaskSpec) -> tuple[str, str]:
    return mask_outlines(truth, task.label_ids), mask_outlines(answer, task.label_ids)


def _measure(
    seen: _Seen, inside: np.ndarray, groups: Sequence[str], task: TaskSpec, n_boot: int, seed: int
) -> tuple[dict[str, Metric], dict[str, dict[str, Metric]]]:
    keys = [groups[i] for i in inside]
    result = segmentation_metrics(
        [seen.scores[i] for i in inside], keys, task.label_ids, n_boot=n_boot, seed=seed
    )
    if task.severity is None:
        return result.metrics, result.per_class
    truth, answer = ([side[i] for i in inside] for side in (seen.truth, seen.answer))
    severity = severity_metrics(truth, answer, keys, n_boot=n_boot, seed=seed)
    return result.metrics | severity, result.per_class


def _curves(seen: _Seen, task: TaskSpec) -> dict[str, Points]:
    """``size:<label>``: share of the picture and Dice; ``severity``: true and answered share."""
    curves = {}
    size = np.array([one.truth_px.sum() for one in seen.scores])
    for index, label in enumerate(task.label_ids[1:], 1):
        area = np.array([one.truth_px[index] for one in seen.scores])
        dice = np.array([one.dice[index] for one in seen.scores])
        points = np.stack([area / size, dice], axis=1)[area > 0]
        if len(points):
            curves[f"size:{label}"] = thinned(points)
    pairs = [pair for pair in zip(seen.truth, seen.answer, strict=True) if None not in pair]
    if pairs:
        curves["severity"] = thinned(np.array(pairs, dtype=np.float64))
    return curves
