"""A label for every pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from vnvision.losses import soft_dice_loss
from vnvision.spec import TaskSpec
from vnvision.tasks.base import Batch


class SegmentationTask:
    """Cross-entropy plus soft Dice.

    Args:
        spec: a ``segmentation`` spec; its first label is the background.
        dice_weight: of the Dice part; cross-entropy has weight 1.
    """

    def __init__(self, spec: TaskSpec, *, dice_weight: float = 1.0) -> None:
        self.spec = spec
        self.dice_weight = dice_weight

    @property
    def n_outputs(self) -> int:
        """One plane a label."""
        return len(self.spec.labels)

    def encode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Masks come with the pictures; a row only says that it has one."""
        return np.zeros((len(targets), 1), np.float32), np.ones((len(targets), 1), np.float32)

    def step(self, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> dict[str, torch.Tensor]:
        """See ``Task.step``; ``Batch.targets`` are masks (N, H, W) of label indices."""
        planes = model(batch.inputs)
        truth = at_size(batch.targets, (planes.shape[2], planes.shape[3]))
        loss = functional.cross_entropy(planes.float(), truth)
        return {"loss": loss + self.dice_weight * soft_dice_loss(planes, truth), "output": planes}

    def condense(self, logits: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        """Planes (N, C, h, w) and masks (N, H, W) -> (N, 3 C + 1): shared, answered and true pixels, and
        the mean cross-entropy of each picture."""
        assert truth is not None
        planes = torch.from_numpy(logits)
        masks = at_size(torch.from_numpy(truth), (planes.shape[2], planes.shape[3]))
        loss = functional.cross_entropy(planes, masks, reduction="none").mean(dim=(1, 2))
        answer = planes.argmax(dim=1)
        counts = [
            part.sum(dim=(1, 2))
            for label in range(self.n_outputs)
            for part in ((answer == label) & (masks == label), answer == label, masks == label)
        ]
        return np.column_stack([*(count.numpy() for count in counts), loss.numpy()]).astype(np.float64)

    def validate(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """``dice`` and ``iou``: mean over the labels but the first, each the mean over pictures that hold it.

        Args:
            logits: (N, 3 C + 1) of ``condense``.
            targets: not looked at: the truth is in there.
        """
        counts = logits[:, :-1].reshape(len(logits), self.n_outputs, 3)[:, 1:]
        both, answer, truth = np.moveaxis(counts, 2, 0)
        held = truth > 0
        dice = np.where(held, 2 * both / np.maximum(answer + truth, 1), np.nan)
        iou = np.where(held, both / np.maximum(answer + truth - both, 1), np.nan)
        figures = {name: _mean(values) for name, values in (("dice", dice), ("iou", iou))}
        return figures | {"nll": float(logits[:, -1].mean())}


def at_size(masks: torch.Tensor, size_px: tuple[int, int]) -> torch.Tensor:
    """(N, H, W) label indices -> (N, h, w) int64, sampled at pixel centres."""
    if masks.shape[1:] != size_px:
        masks = functional.interpolate(masks[:, None].float(), size_px, mode="nearest-exact")[:, 0]
    return masks.long()


def _mean(values: np.ndarray) -> float:
    """Mean over labels of the mean over pictures; labels that no picture holds are left out."""
    columns = [column[~np.isnan(column)] for column in values.T]
    means = [column.mean() for column in columns if len(column)]
    return float(np.mean(means)) if means else 0.0
