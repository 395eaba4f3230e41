"""One mask against its truth: shared pixels of each label, and distances between outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.means import ratio
from vnvision.metrics.surface import hd95


@dataclass(frozen=True, slots=True, eq=False)
class MaskScores:
    """One image's mask against its truth, (C,) each, label 0 included.

    Attributes:
        both_px: pixels of the label in truth and answer.
        truth_px: in the truth.
        answer_px: in the answer.
        hd95_px: NaN where not defined, and for label 0.
        hd95_mm: the same in mm; NaN also where the spacing is unknown.
        spaced: whether the spacing is known.
    """

    both_px: np.ndarray
    truth_px: np.ndarray
    answer_px: np.ndarray
    hd95_px: np.ndarray
    hd95_mm: np.ndarray
    spaced: bool = False

    @property
    def dice(self) -> np.ndarray:
        """(C,) Dice; NaN where neither mask holds the label."""
        return ratio(2.0 * self.both_px, self.truth_px + self.answer_px)


def overlap(
    truth: np.ndarray, answer: np.ndarray, n_labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of each label in both masks, in the truth and in the answer: three (C,) int64.

    Args:
        truth: (H, W) label indices.
        answer: (H, W) label indices.
        n_labels: C.

    Raises:
        DataError: the masks differ in size, or hold an index that is no label.
    """
    if truth.shape != answer.shape:
        raise DataError("masks differ in size", expected=str(truth.shape), got=str(answer.shape))
    if (top := max(int(truth.max(initial=0)), int(answer.max(initial=0)))) >= n_labels:
        raise DataError(
            "a mask holds values that are no labels", expected=f"0 to {n_labels - 1}", got=str(top)
        )
    cells = np.bincount(truth.astype(np.int64).ravel() * n_labels + answer.ravel(), minlength=n_labels**2)
    table = cells.reshape(n_labels, n_labels)
    return np.diagonal(table).copy(), table.sum(axis=1), table.sum(axis=0)


def compare_masks(
    truth: np.ndarray, answer: np.ndarray, n_labels: int, spacing_mm: tuple[float, float] | None = None
) -> MaskScores:
    """Judge one mask (H, W) of label indices.

    Args:
        truth: label indices.
        answer: label indices, of the same size.
        n_labels: labels of the task, background included.
        spacing_mm: height and width of a pixel, where known.

    Raises:
        DataError: the masks differ in size, or hold an index that is no label.
        MissingExtraError: scipy is not installed.
    """
    both, there, said = overlap(truth, answer, n_labels)
    px, mm = np.full(n_labels, np.nan), np.full(n_labels, np.nan)
    for label in range(1, n_labels):
        if there[label] and said[label]:
            pair = truth == label, answer == label
            px[label] = hd95(*pair) or 0.0
            if spacing_mm is not None:
                mm[label] = hd95(*pair, spacing=spacing_mm) or 0.0
    return MaskScores(both, there, said, px, mm, spacing_mm is not None)
