"""A trained run as a predictor, with torch behind the same face a bundle has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vnvision.errors import ModelError
from vnvision.imaging import Preprocessor
from vnvision.models.explained import pooled_features
from vnvision.records import Calibration, EvalReport
from vnvision.runtime.target import Outputs
from vnvision.spec import TaskSpec
from vnvision.train import checkpoint
from vnvision.train.network import build_network


class RunPredictor:
    """The best checkpoint of a run: images in, raw logits out.

    Attributes:
        task: what the model answers.
        name: the run's name.
        calibration: the one fitted on validation data when training ended.
        net: the timm network in evaluation mode, on the CPU.
        config: the run's configuration.
    """

    def __init__(
        self,
        name: str,
        task: TaskSpec,
        net: torch.nn.Module,
        calibration: Calibration,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.config = config or {}
        self.name = name
        self.task = task
        self.net = net.eval()
        self.calibration = calibration
        self.preprocessor = Preprocessor(task.preprocess)

    @torch.inference_mode()
    def logits(self, images: Sequence[np.ndarray], batch_size: int = 32) -> np.ndarray:
        """Decoded images -> (N, C) float32, or planes (N, P, h, w) of a segmenter or detector."""
        out = []
        for at in range(0, len(images), batch_size):
            batch = torch.from_numpy(self.preprocessor.batch(images[at : at + batch_size]))
            out.append(self.forward(batch))
        return np.concatenate(out)

    @torch.inference_mode()
    def run_crops(self, crops: Sequence[np.ndarray]) -> Outputs:
        """Logits and pooled features of pictures that went through the preprocessor's geometry.

        For classifiers: what the scope gate is fitted on.
        """
        batch = torch.from_numpy(np.stack([self.preprocessor.normalise(crop) for crop in crops]))
        features = self._averaged(batch, lambda views: pooled_features(self.net, views))
        logits = self.net.get_classifier()(features)  # type: ignore[operator]
        return Outputs(logits.float().numpy(), features.float().numpy())

    @torch.inference_mode()
    def forward(self, batch: torch.Tensor) -> np.ndarray:
        """Normalised (N, C, h, w) -> (N, D) float32, or planes; averaged over the flip if asked for."""
        return self._averaged(batch, self.net).float().numpy()

    def _averaged(self, batch: torch.Tensor, run: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        found = run(batch.contiguous(memory_format=torch.channels_last))
        if self.task.preprocess.flip_average:
            found = (found + run(batch.flip(-1).contiguous(memory_format=torch.channels_last))) / 2
        return found


def load_run(folder: str | Path) -> RunPredictor:
    """Open a run folder.

    Raises:
        ModelError: not a run folder, or no checkpoint was finished yet.
    """
    folder = Path(folder)
    checkpoint.recover(folder / "best")
    best = folder / "best"
    if not best.is_dir():
        raise ModelError(
            f"{folder} holds no trained model",
            expected="a run folder with best/",
            fix="train first, or resume the run with resume=true",
        )
    config = checkpoint.read_state(best)["config"]
    spec = TaskSpec.load(best / "spec.json", error=ModelError)
    net = build_network(config, spec, weights="none")
    net.load_state_dict(checkpoint.load(best, "model"))
    report = folder / "report.json"
    calibration = EvalReport.load(report, error=ModelError).calibration if report.is_file() else Calibration()
    net = net.to(memory_format=torch.channels_last)
    return RunPredictor(config["name"], spec, net, calibration, config)
