"""Faces to embeddings: a margin head over people, and a pull towards a teacher's embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from vnvision.evaluate.faces import FaceReport, evaluate_faces
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.losses.partial_fc import PartialFC
from vnvision.spec import TaskSpec
from vnvision.tasks.base import Batch

Pull = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Embeddings (N, D) and inputs (N, 3, H, W) -> a loss, scalar."""


class EmbeddingTask:
    """Margin loss over identities, plus a weighted pull where one is given.

    Args:
        spec: an ``embedding`` spec.
        criterion: class centres and their margin head; None in evaluation, or where only the pull teaches.
        margin_weight: of the criterion's loss.
        pull: towards a teacher.
        pull_weight: of it.
        fmr: false match rate at which validation states TAR.
    """

    def __init__(
        self,
        spec: TaskSpec,
        *,
        criterion: PartialFC | None = None,
        margin_weight: float = 1.0,
        pull: Pull | None = None,
        pull_weight: float = 1.0,
        fmr: float = 1e-3,
    ) -> None:
        self.spec, self.criterion, self.pull = spec, criterion, pull
        self.margin_weight, self.pull_weight, self.fmr = margin_weight, pull_weight, fmr

    @property
    def n_outputs(self) -> int:
        """Length of an embedding."""
        return self.spec.embedding_dim or 0

    def encode(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) identity numbers, -1 unknown -> themselves, and (N, 1) what is known."""
        return targets.astype(np.int64), (targets >= 0).astype(np.float32)[:, None]

    def step(self, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> dict[str, torch.Tensor]:
        """See ``Task.step``; the output is the raw embedding."""
        output = model(batch.inputs)
        loss = output.new_zeros((), dtype=torch.float32)
        if self.criterion is not None and self.margin_weight > 0:
            loss = loss + self.margin_weight * self.criterion(output, batch.targets, batch.step)
        if self.pull is not None:
            loss = loss + self.pull_weight * self.pull(output, batch.inputs)
        return {"loss": loss, "output": output}

    def condense(self, logits: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        """The embeddings themselves."""
        return logits

    def validate(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """``tar`` at ``fmr`` over all pairs of known people, and ``eer``; 0 and 1 without pairs."""
        people = tuple(str(target) if target >= 0 else "" for target in targets)
        return face_figures(compared(embedded(logits, {"identity": people}), fmr=self.fmr))


def embedded(
    embeddings: np.ndarray,
    columns: Mapping[str, tuple[str, ...]],
    *,
    paths: tuple[str, ...] | None = None,
    manifest_sha256: str = "",
    model: str = "",
) -> EmbeddedFaces:
    """Raw embeddings (N, D) scaled to length 1, with what is known of the pictures and the embedder."""
    unit = embeddings.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    names = paths or tuple(str(i) for i in range(len(unit)))
    return EmbeddedFaces(unit, names, ("",) * len(unit), dict(columns), model, manifest_sha256)


def compared(
    faces: EmbeddedFaces,
    *,
    fmr: float,
    identity: str = "identity",
    group: str | None = None,
    within: str | None = None,
    n_boot: int = 0,
    name: str = "",
) -> FaceReport | None:
    """Every pair judged by ``evaluate_faces``; None where there is no genuine or no impostor pair."""
    people = [cell for cell in faces.column(identity) if cell]
    if len(set(people)) < 2 or len(set(people)) == len(people):
        return None
    return evaluate_faces(
        faces, "all-pairs", fmr=fmr, identity=identity, group=group, within=within, n_boot=n_boot, name=name
    )


def face_figures(report: FaceReport | None) -> dict[str, float]:
    """TAR at the report's FMR, EER, and FMR and FNMR a group at its threshold."""
    if report is None or report.operating is None:
        return {"tar": 0.0, "eer": 1.0}
    fnmr = report.operating.fnmr.value
    figures = {
        "tar": 0.0 if fnmr is None else 1.0 - fnmr,
        "eer": 1.0 if report.eer is None else report.eer.rate,
    }
    for row in () if report.differential is None else report.differential.groups:
        for name, metric in (("fmr", row.fmr), ("fnmr", row.fnmr)):
            if metric.value is not None:
                figures[f"{row.group}_{name}"] = metric.value
    return figures
