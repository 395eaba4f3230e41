"""Masks of an exported file against those of the original, both against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate.dense import LogitPredictor, plane_batches, size_of
from vnvision.evaluate.targets import known_truth, true_mask
from vnvision.export.paired import mean_change
from vnvision.metrics.overlap import overlap
from vnvision.records import Judgement
from vnvision.runtime.dense import masks

DENSE_METRIC: Mapping[str, str] = MappingProxyType({"segmentation": "dice", "detection": "map50"})
_BATCH = 16


class MaskJudge:
    """Mean Dice a picture over the labels it holds, at its own size; the original is asked once.

    Args:
        original: the trained network.
        part: rows to judge on; those without a known mask are left out.
    """

    def __init__(self, original: LogitPredictor, part: Manifest) -> None:
        self._original, self._task = original, original.task
        self._part = part.where(known_truth(part, original.task))

    def __call__(self, target: LogitPredictor, facts: Mapping[str, Any]) -> Judgement:
        """The judgement on an exported file; the agreement is Dice between the two.

        Args:
            target: the exported file.
            facts: what else goes into the record.
        """
        before = self._dice(self._masks)
        found = self._answers(target)
        change = self._dice(found) - before
        same = [self._mean_dice(a, b) for a, b in zip(self._masks, found, strict=True)]
        return Judgement(
            **{**facts, "n": len(self._part)},
            metric="dice",
            original=float(before.mean()),
            target=float((before + change).mean()),
            change=mean_change(change, self._part.group_keys()),
            agreement=float(np.mean(same)),
        )

    @cached_property
    def _masks(self) -> list[np.ndarray]:
        return self._answers(self._original)

    @cached_property
    def _truth(self) -> list[np.ndarray]:
        rows = zip(self._part.rows, self._masks, strict=True)
        return [true_mask(self._part, row, self._task, (mask.shape[0], mask.shape[1])) for row, mask in rows]

    def _answers(self, predictor: LogitPredictor) -> list[np.ndarray]:
        found = []
        for _, samples, planes in plane_batches(predictor, self._part, _BATCH, None):
            found += masks(planes, [size_of(sample) for sample in samples], self._task)
        return found

    def _dice(self, found: list[np.ndarray]) -> np.ndarray:
        return np.array([self._mean_dice(a, b) for a, b in zip(self._truth, found, strict=True)])

    def _mean_dice(self, one: np.ndarray, other: np.ndarray) -> float:
        """Mean over the labels (background apart) that either mask holds; 1 where neither holds any."""
        both, first, second = overlap(one, other, len(self._task.labels))
        sizes = (first + second)[1:]
        held = sizes > 0
        return float(np.mean(2 * both[1:][held] / sizes[held])) if held.any() else 1.0
