"""What converters make a target from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vnvision.errors import ConfigError
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Source:
    """What converters make a target from.

    Attributes:
        onnx: the canonical ONNX file.
        module: the network with all the outputs of that file.
        task: what it answers.
        calibration: (N, C, h, w) float32, normalised; what 8-bit ranges are measured on. None: there is none.
    """

    onnx: Path
    module: torch.nn.Module
    task: TaskSpec
    calibration: np.ndarray | None = None

    @property
    def measured_on(self) -> np.ndarray:
        """The calibration inputs.

        Raises:
            ConfigError: there are none: ranges are never guessed.
        """
        if self.calibration is None:
            raise ConfigError(
                "8-bit integers need calibration images",
                expected="a manifest with training and validation rows",
                got="none",
                fix="pass calibration=MANIFEST (--calibration MANIFEST)",
            )
        return self.calibration
