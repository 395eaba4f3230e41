"""Changes of finished embeddings, fitted on training people: the same map for every face.

None needs to know whose population a face belongs to. Each gives a function from unit embeddings (N, 128) to
unit embeddings. ``Training.asian`` holds further Asian faces of other sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from regional.faces import FaceSet
from vnvision.losses.distillation import cosine_distillation_loss
from vnvision.losses.margin import ClassCentres, build_head, margin_loss
from vnvision.losses.supcon import supervised_contrastive_loss
from vnvision.models.adapter import EmbeddingAdapter

Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Training:
    """What a transform may see.

    Attributes:
        portraits: the training folds.
        named: those and other people with names.
        generic: faces of all populations, without names.
    """

    portraits: FaceSet
    named: FaceSet
    generic: FaceSet

    def group_means(self) -> np.ndarray:
        """(G, 128) mean embedding of each group of portraits."""
        groups, rows = self.portraits.groups, self.portraits.embeddings
        return np.stack([rows[groups == name].mean(axis=0) for name in np.unique(groups)])

    def asian(self) -> np.ndarray:
        """(N, 128) embeddings of all Asian faces, with or without names."""
        others = self.generic.embeddings[self.generic.groups == "asian"]
        return np.concatenate([self.named.embeddings, others])


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    out: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return out


def unchanged(_: Training) -> Transform:
    """The start."""
    return lambda x: x


def centred(training: Training, share: float) -> Transform:
    """Take off a share of the mean of the groups' means: what regional faces have in common."""
    mean = training.group_means().mean(axis=0)
    return lambda x: unit(x - share * mean)


def without_group_means(training: Training, share: float) -> Transform:
    """Take off a share of what lies in the plane of the groups' means."""
    plane, _ = np.linalg.qr(training.group_means().T)
    return lambda x: unit(x - share * (x @ plane) @ plane.T)


def whitened(training: Training, shrinkage: float) -> Transform:
    """Centre on Asian faces and divide out their covariance, shrunk towards a multiple of the identity.

    Source: shrinkage as in Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional
    covariance matrices", with a fixed share.
    """
    rows = training.asian()
    mean, root = rows.mean(axis=0), _inverse_root(np.cov(rows.T), shrinkage)
    return lambda x: unit((x - mean) @ root)


def within_normalised(training: Training, shrinkage: float) -> Transform:
    """Centre, and divide out the covariance within people, shrunk.

    Source: Hatch, Kajarekar and Stolcke 2006, "Within-class covariance normalization for SVM-based speaker
    recognition".
    """
    people, rows = training.named.people, training.named.embeddings
    parts = [rows[people == name] for name in np.unique(people)]
    parts = [(part - part.mean(axis=0)) / np.sqrt(len(part) - 1) for part in parts if len(part) > 1]
    spread = np.concatenate(parts)
    mean = training.group_means().mean(axis=0)
    root = _inverse_root(spread.T @ spread / len(parts), shrinkage)
    return lambda x: unit((x - mean) @ root)


def adapted(training: Training, loss: str, *, keep: float, steps: int = 120, lr: float = 1e-3) -> Transform:
    """A linear ``EmbeddingAdapter`` trained on people with names and held to the start.

    Args:
        training: pictures of named people, generic ones to hold it to.
        loss: a name of ``losses.margin.HEADS``, or ``supcon`` on batches of people who look alike.
        keep: weight of the distillation to the start.
        steps: batches of about 190 pictures.
        lr: falls to 0.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    names, codes = np.unique(training.named.people, return_inverse=True)
    rows, generic = (torch.from_numpy(s.embeddings) for s in (training.named, training.generic))
    means = functional.normalize(
        torch.zeros(len(names), 128).index_add_(0, torch.from_numpy(codes), rows), dim=1
    )
    adapter, centres = EmbeddingAdapter(128, 32, activation="none"), ClassCentres(len(names), 128)
    centres.weight.data.copy_(means)
    head = None if loss == "supcon" else build_head(loss)
    optimiser = torch.optim.Adam([*adapter.parameters(), *centres.parameters()], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    nearest = (means @ means.T).argsort(dim=1, descending=True).numpy()[:, :6]
    several = np.flatnonzero(np.bincount(codes) > 1)
    for _ in range(steps):
        people = rng.choice(len(names), 64, replace=False)
        if head is None:
            people = np.unique(nearest[rng.choice(several, 12, replace=False)])
        some = np.concatenate([rng.permutation(np.flatnonzero(codes == one))[:3] for one in people])
        target, x = torch.from_numpy(codes[some]), rows[some]
        other = generic[torch.from_numpy(rng.choice(len(generic), 192, replace=False))]
        z = adapter(x)
        learnt = (
            supervised_contrastive_loss(z, target) if head is None else margin_loss(head, centres(z, target))
        )
        kept = cosine_distillation_loss(adapter(other), other) + cosine_distillation_loss(z, x)
        optimiser.zero_grad()
        (learnt + keep * kept).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return lambda x: unit(adapter(torch.from_numpy(x)).detach().numpy())


def _inverse_root(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    size = len(covariance)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    values, vectors = np.linalg.eigh(shrunk)
    root: np.ndarray = (vectors * values**-0.5) @ vectors.T
    return root
