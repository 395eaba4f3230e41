"""Three networks trained for a minute on drawn leaves, so that a fresh clone has models to export.

A classifier (EfficientNet-Lite0), a segmenter (U-Net on the same encoder) and an embedding network
(MobileFaceNet, as faces are embedded by), each of 64 pixels and with statistics of its own. What they know
of leaves is of no matter here; that their weights are trained ones is: random weights answer every picture
nearly alike, and rounding moves them far more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from vnvision.data.leaf_draw import KINDS, LEAF_LABELS, draw_leaf
from vnvision.export.faults import correct
from vnvision.export.onnx import with_explanation
from vnvision.models.backbone import build_backbone, input_statistics
from vnvision.models.dense import build_segmenter
from vnvision.models.mobilefacenet import MobileFaceNet
from vnvision.spec import Label, PreprocessSpec, TaskSpec

SIZE_PX, DIMENSIONS = 64, 64
_PLANTS, _LR = 24, 2e-3
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained network and pictures like those it was trained on.

    Attributes:
        net: in evaluation mode, with the further outputs that a bundle's file has.
        task: what it answers.
        measured: (N, h, w, 3) uint8, for ranges of 8-bit integers.
        shown: (N, h, w, 3) uint8 that neither training nor ranges saw, for the gate.
    """

    net: nn.Module
    task: TaskSpec
    measured: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True)
class Leaves:
    """Drawn leaves: pictures (N, h, w, 3) uint8, kinds (N,), plants (N,), masks (N, h, w) of 0, 1 and 2."""

    images: np.ndarray
    kinds: np.ndarray
    plants: np.ndarray
    masks: np.ndarray


def draw(n: int, seed: int) -> Leaves:
    """``n`` leaves, kinds and plants in turn."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(2**40, size=n)
    plants = rng.integers(2**40, size=_PLANTS)
    kinds, owners = np.arange(n) % len(KINDS), np.arange(n) // len(KINDS) % _PLANTS
    made = [
        draw_leaf(KINDS[kind], int(one), SIZE_PX, plant_seed=int(plants[owner]))
        for kind, one, owner in zip(kinds, seeds, owners, strict=True)
    ]
    masks = np.stack([leaf.leaf_mask + leaf.lesion_mask for leaf in made])
    return Leaves(np.stack([leaf.image for leaf in made]), kinds, owners, masks)


def subject(kind: str, seed: int) -> Subject:
    """Train one.

    Args:
        kind: of ``MODELS``.
        seed: of weights, pictures and their order.
    """
    torch.manual_seed(seed)
    net, task, loss = MODELS[kind]()
    train, other = draw(384, 3 * seed), draw(80, 3 * seed + 1)
    inputs = torch.from_numpy(correct(train.images, task.preprocess))
    steps, batch = _LENGTH[kind]
    optimiser = torch.optim.AdamW(loss.parameters(), lr=_LR, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LR, total_steps=steps)
    loss.train()
    for _ in range(steps):
        rows = torch.randperm(len(inputs))[:batch]
        optimiser.zero_grad()
        loss(inputs[rows], Leaves(*(part[rows.numpy()] for part in _parts(train)))).backward()
        optimiser.step()
        schedule.step()
    shown = other.images[-32:]
    return Subject(with_explanation(net.eval(), task, shown), task, train.images[:64], shown)


def _parts(leaves: Leaves) -> tuple[np.ndarray, ...]:
    return leaves.images, leaves.kinds, leaves.plants, leaves.masks


class _Loss(nn.Module):
    """A network, what only its training needs, and the loss of a batch."""

    def __init__(
        self,
        net: nn.Module,
        loss: Callable[[torch.Tensor, Leaves], torch.Tensor],
        further: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.net, self.loss, self.further = net, loss, further

    def forward(self, inputs: torch.Tensor, truth: Leaves) -> torch.Tensor:
        return self.loss(self.net(inputs), truth)


def _classifier() -> tuple[nn.Module, TaskSpec, nn.Module]:
    backbone = "tf_efficientnet_lite0"
    mean, std = input_statistics(backbone, "offline")
    net = build_backbone(backbone, len(KINDS), weights="offline")
    spec = PreprocessSpec(size_px=(SIZE_PX, SIZE_PX), mean=mean, std=std)
    task = TaskSpec(kind="classification", preprocess=spec, labels=LEAF_LABELS)
    return net, task, _Loss(net, lambda got, t: functional.cross_entropy(got, torch.from_numpy(t.kinds)))


def _segmenter() -> tuple[nn.Module, TaskSpec, nn.Module]:
    net = build_segmenter("tf_efficientnet_lite0", 3, weights="offline")
    spec = PreprocessSpec(size_px=(SIZE_PX, SIZE_PX), **_IMAGENET)
    labels = tuple(Label(id=name) for name in ("background", "leaf", "lesion"))
    task = TaskSpec(kind="segmentation", preprocess=spec, labels=labels)

    def loss(got: torch.Tensor, truth: Leaves) -> torch.Tensor:
        return functional.cross_entropy(got, torch.from_numpy(truth.masks.astype(np.int64)))

    return net, task, _Loss(net, loss)


def _embedder() -> tuple[nn.Module, TaskSpec, nn.Module]:
    net = MobileFaceNet(DIMENSIONS, size_px=SIZE_PX)
    spec = PreprocessSpec(size_px=(SIZE_PX, SIZE_PX), mean=(0.5,) * 3, std=(0.5,) * 3)
    task = TaskSpec(kind="embedding", preprocess=spec, embedding_dim=DIMENSIONS, score="cosine")
    people = nn.Linear(DIMENSIONS, _PLANTS, bias=False)

    def loss(got: torch.Tensor, truth: Leaves) -> torch.Tensor:
        cosines = functional.linear(functional.normalize(got), functional.normalize(people.weight))
        return functional.cross_entropy(16 * cosines, torch.from_numpy(truth.plants))

    return net, task, _Loss(net, loss, people)


MODELS: dict[str, Callable[[], tuple[nn.Module, TaskSpec, nn.Module]]] = {
    "classifier": _classifier,
    "segmenter": _segmenter,
    "embedder": _embedder,
}
_LENGTH = {"classifier": (30, 16), "segmenter": (30, 16), "embedder": (60, 32)}  # steps, leaves a step
