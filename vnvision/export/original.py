"""The trained network behind the calls of a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vnvision.export.gate import at_size
from vnvision.export.reference import frozen_copy, network_outputs
from vnvision.imaging import Preprocessor
from vnvision.runtime.label_scope import Gate
from vnvision.runtime.picture_quality import measure_all
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch


class Original:
    """The trained network as a predictor, with all of its preprocessing.

    Attributes:
        name: for messages.
        task: what it answers.
    """

    def __init__(self, module: torch.nn.Module, task: TaskSpec, name: str) -> None:
        self._net, self.task, self.name = frozen_copy(module), task, name
        aligned = task.preprocess.geometry == "align"
        self._prepare = Preprocessor(at_size(task.preprocess) if aligned else task.preprocess)

    def scope_score(self, images: Sequence[np.ndarray], gate: Gate) -> np.ndarray:
        """How strange images are by the network's own features, (N,), see ``Predictor.scope_score``."""
        crops = [self._prepare.geometry(image) for image in images]
        inputs = np.stack([self._prepare.normalise(crop) for crop in crops])
        answers, features = self._averaged(inputs)[:2]
        return gate.score(features, measure_all(crops, self.task.preprocess), answers)

    def logits(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """Raw outputs, averaged over the flip where the task asks for it; faces come as aligned crops."""
        return self._averaged(self._prepare.batch(list(images)))[0]

    def _averaged(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Every output; of a flip average answer and features, which do not lie anywhere in the picture."""
        found = list(network_outputs(self._net, inputs))
        if not self.task.preprocess.flip_average:
            return found
        flipped = network_outputs(self._net, np.ascontiguousarray(inputs[..., ::-1]))
        return [(one + other) / 2 for one, other in zip(found[:2], flipped[:2], strict=True)]
