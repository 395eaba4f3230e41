"""What a run holds while it runs, and the part of it that a checkpoint keeps."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from vnvision.imaging import Preprocessor
from vnvision.losses.partial_fc import PartialFC
from vnvision.models import StagedNet
from vnvision.spec import TaskSpec
from vnvision.tasks import Task
from vnvision.train.config import TrainConfig
from vnvision.train.data import Part
from vnvision.train.logs import RunLog


@dataclass(slots=True)
class Progress:
    """Where a run stands. Together with the config it fixes everything still to come.

    Attributes:
        phase: index of the phase in work.
        step: optimiser steps done in it.
        serial: optimiser steps done in all phases.
        best: monitored figures of the best validation, larger is better in this order; None before the first.
        best_serial: when that was.
        stale: validations since.
        seconds: wall time spent so far, over all resumes.
    """

    phase: int = 0
    step: int = 0
    serial: int = 0
    best: tuple[float, ...] | None = None
    best_serial: int = -1
    stale: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        """Back from JSON."""
        best = values.get("best")
        return cls(**{**values, "best": None if best is None else tuple(best)})


@dataclass(slots=True)
class Settings:
    """What a measured trial decided; kept in ``run.json`` and used again on resume."""

    channels_last: bool
    compile: bool
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """Everything one process needs to train; ``criterion`` holds the class centres of face training."""

    config: TrainConfig
    folder: Path
    fabric: Any
    net: StagedNet
    task: Task
    spec: TaskSpec
    preprocessor: Preprocessor
    train: Part
    val: Part
    log: RunLog
    facts: dict[str, Any]
    settings: Settings | None = None
    criterion: PartialFC | None = None
    started: float = field(default_factory=time.monotonic)
    seconds_before: float = 0.0

    @property
    def channels_last(self) -> bool:
        """The trial's choice; before it, the layout that was faster on every machine measured."""
        return True if self.settings is None else self.settings.channels_last

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.fabric.device
        return device

    def state(self, progress: Progress) -> dict[str, Any]:
        """``run.json``: the config, what it ran on, the trial's choice, and where it stands."""
        settings = None if self.settings is None else asdict(self.settings)
        return self.facts | {
            "config": self.config.model_dump(mode="json"),
            "settings": settings,
            "progress": progress.to_dict(),
        }

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, over all resumes."""
        return self.seconds_before + time.monotonic() - self.started
