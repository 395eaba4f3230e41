"""One label of several (softmax), or several labels each yes, no or unknown (sigmoid)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from vnvision.losses import masked_binary_cross_entropy, soft_cross_entropy, soft_label_loss
from vnvision.metrics.scores import probabilities
from vnvision.spec import TaskSpec
from vnvision.tasks.base import Batch

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Teaching:
    """Answers to learn beside the labels.

    Attributes:
        answers: a batch's inputs -> (N, C) probabilities, softened by ``temperature``.
        weight: of these answers, 0 to 1; the labels have the rest.
        temperature: of student and teacher.
    """

    answers: Callable[[torch.Tensor], torch.Tensor]
    weight: float
    temperature: float


class ClassificationTask:
    """Cross-entropy over exclusive classes, and other models' answers where there are any.

    Args:
        spec: a ``classification`` spec.
        label_smoothing: see ``soft_cross_entropy``.
        class_weights: (C,) or None.
        teaching: what else to learn from; it is asked for every batch that learns.
        log_prior: (C,) added to the outputs while learning only, so that what is left when deployed answers
            as if the classes were as frequent as one another (logit adjustment, Menon et al. 2021, equation
            10). Teachers answer with the data's own shares, so it is added for them too.
    """

    def __init__(
        self,
        spec: TaskSpec,
        *,
        label_smoothing: float = 0.0,
        class_weights: np.ndarray | None = None,
        teaching: Teaching | None = None,
        log_prior: np.ndarray | None = None,
    ) -> None:
        self.spec, self.teaching = spec, teaching
        self.log_prior = None if log_prior is None else torch.as_tensor(log_prior, dtype=torch.float32)
        self.label_smoothing = label_smoothing
        self.class_weights = (
            None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float32)
        )

    @property
    def n_outputs(self) -> int:
        """One output a label."""
        return len(self.spec.labels)

    def encode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) indices, -1 unknown -> one-hot rows; unknown rows are zero and not known."""
        one_hot = np.zeros((len(targets), self.n_outputs), dtype=np.float32)
        rows = np.flatnonzero(targets >= 0)
        one_hot[rows, targets[rows]] = 1.0
        known = np.repeat((targets >= 0).astype(np.float32)[:, None], self.n_outputs, axis=1)
        return one_hot, known

    def step(self, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> dict[str, torch.Tensor]:
        """See ``Task.step``."""
        output = model(batch.inputs)
        weights = None if self.class_weights is None else self.class_weights.to(output.device)
        learning = output if self.log_prior is None else output + self.log_prior.to(output.device)
        loss = soft_cross_entropy(
            learning, batch.targets, label_smoothing=self.label_smoothing, class_weights=weights
        )
        if (teaching := self.teaching) is not None:
            answers = teaching.answers(batch.inputs)
            taught = soft_label_loss(learning, answers, temperature=teaching.temperature)
            loss = (1 - teaching.weight) * loss + teaching.weight * taught
        return {"loss": loss, "output": output}

    def condense(self, logits: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        """The logits themselves."""
        return logits

    def validate(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Accuracy, balanced accuracy and negative log-likelihood over known rows."""
        rows = np.flatnonzero(targets >= 0)
        if not len(rows):
            return {"accuracy": 0.0, "balanced_accuracy": 0.0, "nll": float("inf")}
        probs, truth = probabilities(logits[rows], "softmax"), targets[rows]
        right = probs.argmax(axis=1) == truth
        recalls = [right[truth == c].mean() for c in np.unique(truth)]
        nll = -np.log(probs[np.arange(len(rows)), truth] + _TINY).mean()
        return {
            "accuracy": float(right.mean()),
            "balanced_accuracy": float(np.mean(recalls)),
            "nll": float(nll),
        }


class MultiLabelTask:
    """Binary cross-entropy a label; unknown answers (-1) teach nothing.

    Args:
        spec: a ``multilabel`` spec.
        label_smoothing: see ``masked_binary_cross_entropy``.
    """

    def __init__(self, spec: TaskSpec, *, label_smoothing: float = 0.0) -> None:
        self.spec = spec
        self.label_smoothing = label_smoothing

    @property
    def n_outputs(self) -> int:
        """One output a label."""
        return len(self.spec.labels)

    def encode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, C) of 1, 0 and -1 -> targets and what is known of them."""
        return (targets == 1).astype(np.float32), (targets >= 0).astype(np.float32)

    def step(self, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> dict[str, torch.Tensor]:
        """See ``Task.step``."""
        output = model(batch.inputs)
        # A mixed target is a sum of known shares: divide by what is known of it.
        targets = batch.targets / batch.known.clamp(min=_TINY)
        loss = masked_binary_cross_entropy(output, targets, batch.known, label_smoothing=self.label_smoothing)
        return {"loss": loss, "output": output}

    def condense(self, logits: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        """The logits themselves."""
        return logits

    def validate(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Accuracy of known answers at 0.5, its mean over labels, negative log-likelihood."""
        known = targets >= 0
        if not known.any():
            return {"accuracy": 0.0, "balanced_accuracy": 0.0, "nll": float("inf")}
        probs = probabilities(logits, "sigmoid")
        right = (probs >= 0.5) == (targets == 1)
        per_label = [right[:, c][known[:, c]].mean() for c in range(targets.shape[1]) if known[:, c].any()]
        likelihood = np.where(targets == 1, probs, 1.0 - probs)[known]
        return {
            "accuracy": float(right[known].mean()),
            "balanced_accuracy": float(np.mean(per_label)),
            "nll": float(-np.log(likelihood + _TINY).mean()),
        }
