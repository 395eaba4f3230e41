"""Masks of an exported file against those of the original, both against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate.dense import LogitPredictor, plane_batches, size_of
from vnvision.evaluate.targets import known_truth, true_mask
from vnvision.export.paired import mean_change
from vnvision.metrics.overlap import compare_masks
from vnvision.records import Judgement
from vnvision.runtime.dense import masks

DENSE_METRIC: Mapping[str, str] = MappingProxyType({"segmentation": "dice", "detection": "map50"})
_BATCH = 16


def judge_masks(
    original: LogitPredictor, target: LogitPredictor, part: Manifest, split: str, facts: dict[str, Any]
) -> Judgement:
    """Mean Dice a picture over the labels it holds, at its own size; the agreement is Dice between the two.

    Args:
        original: the trained network.
        target: the exported file.
        part: rows to judge on; those without a known mask are left out.
        split: their name.
        facts: what else goes into the record.
    """
    task = original.task
    kept = part.where(known_truth(part, task))
    n_labels = len(task.labels)
    dice: list[tuple[float, float, float]] = []
    batches = zip(
        plane_batches(original, kept, _BATCH, None), plane_batches(target, kept, _BATCH, None), strict=True
    )
    for (rows, samples, first), (_, _, second) in batches:
        sizes = [size_of(sample) for sample in samples]
        answers = zip(rows, sizes, masks(first, sizes, task), masks(second, sizes, task), strict=True)
        for row, size, one, other in answers:
            truth = true_mask(kept, row, task, size)
            pairs = ((truth, one), (truth, other), (one, other))
            dice.append(tuple(_mean_dice(a, b, n_labels) for a, b in pairs))  # type: ignore[arg-type]
    table = np.array(dice)
    return Judgement(
        **facts | {"n": len(kept), "split": split},
        metric="dice",
        original=float(table[:, 0].mean()),
        target=float(table[:, 1].mean()),
        change=mean_change(table[:, 1] - table[:, 0], kept.group_keys()),
        agreement=float(table[:, 2].mean()),
    )


def _mean_dice(truth: np.ndarray, answer: np.ndarray, n_labels: int) -> float:
    """Mean over the labels (background apart) that either mask holds; 1 where neither holds any."""
    found = compare_masks(truth, answer, n_labels, None).dice[1:]
    return float(np.nanmean(found)) if np.isfinite(found).any() else 1.0
