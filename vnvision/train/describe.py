"""The facts of a run that its report names the model by."""

from __future__ import annotations

from vnvision.train.predictor import RunPredictor
from vnvision.train.state import Run


def describe(run: Run, predictor: RunPredictor) -> dict[str, object]:
    """The report's model block."""
    return {
        "name": run.config.name,
        "backbone": run.config.backbone,
        "weights": run.config.weights,
        "parameters": sum(p.numel() for p in predictor.net.parameters()),
        "domain": run.config.domain,
        "commit": run.facts["commit"],
        "run": run.folder.name,
        "train_seconds": round(run.seconds, 1),
    }
