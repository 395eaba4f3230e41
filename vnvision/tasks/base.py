"""The shape every task has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from vnvision.spec import TaskSpec


@dataclass(slots=True)
class Batch:
    """What one step takes in.

    Attributes:
        inputs: (N, C, H, W) normalised pictures, or what a frozen part made of them.
        targets: (N, C) float32; masks (N, H, W) or maps (N, K, h, w) where the task answers for places;
            (N,) int64 identities where it embeds.
        known: (N, C) float32, 1 where the target is known.
        step: number of the optimiser step, over all phases.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    known: torch.Tensor
    step: int = 0


class Task(Protocol):
    """Model and batch -> loss and output; logits and truth -> validation figures."""

    spec: TaskSpec

    @property
    def n_outputs(self) -> int:
        """Size of the model's last layer."""

    def encode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Manifest targets -> ``Batch.targets`` and ``Batch.known``."""

    def step(self, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> dict[str, torch.Tensor]:
        """One forward pass: ``{"loss": scalar, "output": (N, D)}``."""

    def condense(self, logits: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        """What validation keeps of a batch's outputs, one row a picture.

        Args:
            logits: (N, ...) raw outputs.
            truth: masks or boxes in the model's pixels, None for tasks whose truth is in the manifest's row.
        """

    def validate(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Figures of one validation pass, by name; ``nll`` is there for tasks with a likelihood."""
