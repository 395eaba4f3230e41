"""Boxes and counts, from heatmaps of object centres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torchvision.ops import generalized_box_iou_loss

from vnvision.losses import centre_focal_loss
from vnvision.metrics.detection import average_precision_50
from vnvision.records import Detections
from vnvision.runtime.dense import detections
from vnvision.spec import BoxSpec, TaskSpec
from vnvision.tasks.base import Batch

MIN_SCORE = 0.05
PADDING = -1.0


class DetectionTask:
    """Focal loss on centres (Zhou et al. 2019), generalised IoU on boxes (Rezatofighi et al. 2019, eq. 3).

    Args:
        spec: a ``detection`` spec.
        box_weight: of the box part.
    """

    def __init__(self, spec: TaskSpec, *, box_weight: float = 2.0) -> None:
        self.spec = spec
        self.boxes: BoxSpec = spec.boxes or BoxSpec()
        self.box_weight = box_weight

    @property
    def n_outputs(self) -> int:
        """One plane a label; the four sides come on top."""
        return len(self.spec.labels)

    def encode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes come with the pictures; a row only says that it has some, or none."""
        return np.zeros((len(targets), 1), np.float32), np.ones((len(targets), 1), np.float32)

    def step(self, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> dict[str, torch.Tensor]:
        """See ``Task.step``; ``Batch.targets`` are maps (N, C + 5, h, w) of ``vnvision.data.centres``."""
        planes, n = model(batch.inputs), self.n_outputs
        heat, sides, weight = batch.targets[:, :n], batch.targets[:, n : n + 4], batch.targets[:, n + 4]
        loss = centre_focal_loss(planes[:, :n], heat)
        chosen = weight > 0
        if chosen.any():
            ours = _corners(planes[:, n:].permute(0, 2, 3, 1)[chosen].float())
            theirs = _corners(sides.permute(0, 2, 3, 1)[chosen].float())
            overlap = generalized_box_iou_loss(ours, theirs, reduction="none")
            loss = loss + self.box_weight * (overlap * weight[chosen]).sum() / weight.sum()
        return {"loss": loss, "output": planes}

    def condense(self, logits: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        """Planes (N, C + 4, h, w) and boxes (N, M, 5) -> (N, max_boxes + M, 6): found ones, then true ones.

        Rows are label, score, left, top, right, bottom in the model's pixels; the truth has score 2, and what
        is missing label -1.
        """
        assert truth is not None
        size = self.spec.preprocess.size_px
        flat = self.spec.model_copy(
            update={"preprocess": self.spec.preprocess.model_copy(update={"geometry": "none"})}
        )
        found = detections(logits, [size] * len(logits), flat, MIN_SCORE)
        out = np.full((len(logits), self.boxes.max_boxes + truth.shape[1], 6), PADDING, np.float32)
        for row, boxes in zip(out, found, strict=True):
            row[: len(boxes), 0], row[: len(boxes), 1] = boxes.labels, boxes.scores
            row[: len(boxes), 2:] = boxes.boxes_xyxy_px
        out[:, self.boxes.max_boxes :, 0], out[:, self.boxes.max_boxes :, 1] = truth[:, :, 0], 2.0
        out[:, self.boxes.max_boxes :, 2:] = truth[:, :, 1:]
        return out

    def validate(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """``map50``: mean over labels of the average precision at IoU 0.5.

        Args:
            logits: (N, K, 6) of ``condense``.
            targets: not looked at: the truth is in there.
        """
        found, truth = [], []
        for rows in logits:
            real = rows[rows[:, 0] >= 0]
            ours, theirs = real[real[:, 1] <= 1], real[real[:, 1] > 1]
            found.append(Detections(ours[:, 2:], ours[:, 0].astype(np.int64), ours[:, 1]))
            truth.append((theirs[:, 2:], theirs[:, 0].astype(np.int64)))
        figure = average_precision_50(found, truth, self.n_outputs)
        return {"map50": figure, "nll": 1.0 - figure}


def _corners(sides: torch.Tensor) -> torch.Tensor:
    """(K, 4) distances left, top, right, bottom -> boxes around the origin."""
    return torch.cat([-sides[:, :2], sides[:, 2:]], dim=1)
