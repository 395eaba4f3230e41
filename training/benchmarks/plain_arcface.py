"""A plain PyTorch loop of the recipe of arcface_torch, written from its description, to be compared with.

Backbone, unit embeddings times unit class rows, the margin on each row's own cosine by index, scale 64,
softmax cross-entropy; SGD with momentum 0.9 and weight decay 5e-4 over both; the backbone's gradients clipped
at norm 5; the learning rate falls as (1 - step / total)^2. torchvision's mirror, ToTensor and Normalize in a
DataLoader. No other memory layout, fused optimiser, compiler or allocator setting. On a GPU backbone and
class product run under bfloat16 autocast, logits and loss in float32; pictures come from pinned memory.

What favours this side: pictures lie decoded in memory, while ours are read from files; and the angle is taken
of the own cosines only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from vnvision.models import build_embedder

MOMENTUM, WEIGHT_DECAY, CLIP_NORM, MARGIN_RAD, SCALE = 0.9, 5e-4, 5.0, 0.5, 64.0


@dataclass(frozen=True, slots=True)
class Job:
    """What both sides train: names as in ``vnvision train``."""

    backbone: str
    batch_size: int
    classes: int
    size: int
    lr: float
    workers: int
    threads: int
    device: str


class Faces(Dataset):  # type: ignore[misc]
    """Item i -> normalised picture (3, 112, 112), mirrored or not, and its class."""

    def __init__(self, files: Sequence[Path], targets: Sequence[int]) -> None:
        kept = {file: i for i, file in enumerate(dict.fromkeys(files))}
        self.pictures = np.stack([_decoded(file) for file in kept])
        self.rows = [kept[file] for file in files]
        self.targets = torch.as_tensor(targets)
        steps = [transforms.ToPILImage(), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        self.change = transforms.Compose([*steps, transforms.Normalize([0.5] * 3, [0.5] * 3)])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.change(self.pictures[self.rows[index]]), self.targets[index]


def _decoded(file: Path) -> np.ndarray:
    picture = cv2.imread(str(file))
    if picture is None:
        raise SystemExit(f"cannot read {file}")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def with_own_margin(cosines: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(N, C) cosines -> s cos(theta), and s cos(theta + m) in each row's own column (ArcFace, equation 3)."""
    rows = torch.arange(len(target), device=target.device)
    own = cosines[rows, target]
    sine = (1.0 - own.square()).clamp(min=1e-9).sqrt()
    turned = own * math.cos(MARGIN_RAD) - sine * math.sin(MARGIN_RAD)
    past_pi = own - MARGIN_RAD * math.sin(MARGIN_RAD)
    logits = cosines.clone()
    logits[rows, target] = torch.where(own > -math.cos(MARGIN_RAD), turned, past_pi)
    return logits * SCALE


@dataclass(slots=True)
class PlainLoop:
    """Network, class rows, optimiser, schedule and batches; ``step`` is one optimiser step."""

    job: Job
    net: nn.Module
    centres: nn.Parameter
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    loader: DataLoader
    batches: Iterator[list[torch.Tensor]] = field(init=False)
    wait: float = 0.0

    def __post_init__(self) -> None:
        self.batches = iter(self.loader)

    def step(self) -> float:
        """Load, forward, backward, clip, update; gives the loss, as the recipe reads it at each step."""
        began = time.perf_counter()
        pictures, target = self._next()
        self.wait += time.perf_counter() - began
        device = torch.device(self.job.device)
        pictures, target = (part.to(device, non_blocking=True) for part in (pictures, target))
        on_gpu = device.type == "cuda"
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            embeddings = self.net(pictures)
            unit, rows = functional.normalize(embeddings), functional.normalize(self.centres)
            cosines = functional.linear(unit, rows)
        logits = with_own_margin(cosines.float().clamp(-1.0, 1.0), target)
        loss = functional.cross_entropy(logits, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP_NORM)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.schedule.step()
        return float(loss)

    def _next(self) -> list[torch.Tensor]:
        try:
            return next(self.batches)
        except StopIteration:
            self.batches = iter(self.loader)
            return next(self.batches)


def build(job: Job, files: Sequence[Path], targets: Sequence[int], *, total: int) -> PlainLoop:
    """The loop over these pictures, ``total`` steps long."""
    torch.manual_seed(0)
    torch.set_num_threads(job.threads)
    net = with_torchs_prelu(build_embedder(job.backbone, job.size)).train().to(job.device)
    centres = nn.Parameter(torch.randn(job.classes, job.size, device=job.device) * 0.01)
    groups = [{"params": net.parameters()}, {"params": [centres]}]
    optimiser = torch.optim.SGD(groups, lr=job.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: (1.0 - step / total) ** 2)
    loader = DataLoader(
        Faces(files, targets),
        job.batch_size,
        shuffle=True,
        num_workers=job.workers,
        pin_memory=job.device == "cuda",
        drop_last=True,
    )
    return PlainLoop(job, net, centres, optimiser, schedule, loader)


def with_torchs_prelu(net: nn.Module) -> nn.Module:
    """The network with torch's own PReLU in place of a faster one of the same weights."""
    for module in net.modules():
        if isinstance(module, nn.PReLU):
            module.__class__ = nn.PReLU
    return net
