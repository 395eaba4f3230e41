"""A small network that is quick to export, and pictures it can tell apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vnvision.spec import Label, PreprocessSpec, TaskSpec

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small convolutions wait longer for a second busy core than they gain from it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TinyNet(torch.nn.Module):
    """Two convolutions with BatchNorm, pooling, a linear layer; dropout so that training mode shows."""

    def __init__(self, n_outputs: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(channels, 8, 3, stride=2, padding=1, bias=False),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 16, 3, stride=2, padding=1),
            torch.nn.BatchNorm2d(16),
            torch.nn.ReLU(),
        )
        self.drop = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(16 * 2, n_outputs)
        for layer in self.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.uniform_(-0.3, 0.3)
                layer.running_var.uniform_(0.5, 1.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(x)
        # The left column keeps its place, so that a transposed or mirrored picture changes the answer.
        pooled = torch.cat([x.mean((2, 3)), x[:, :, :, :2].amax((2, 3)) + 2 * x[:, :, 0, :].mean(2)], 1)
        return self.head(self.drop(pooled))


def make_task(size_px: tuple[int, int] = (24, 32), kind: str = "classification", **spec: object) -> TaskSpec:
    colour = spec.get("colour", "rgb")
    stats = {"mean": (0.4,), "std": (0.25,)} if colour == "grey" else {"mean": MEAN, "std": STD}
    preprocess = PreprocessSpec(size_px=size_px, **(stats | spec))
    labels = tuple(Label(id=name, vi=f"{name} (vi)") for name in ("healthy", "spot", "blight", "rust"))
    if kind == "embedding":
        return TaskSpec(kind=kind, preprocess=preprocess, embedding_dim=4, score="cosine")
    score = "sigmoid" if kind == "multilabel" else "softmax"
    return TaskSpec(kind=kind, preprocess=preprocess, labels=labels, score=score)


def make_images(task: TaskSpec, n: int = 6, seed: int = 0) -> np.ndarray:
    """Blocks of random colour, uint8 (n, h, w, C)."""
    rng = np.random.default_rng(seed)
    height, width = task.preprocess.size_px
    blocks = rng.integers(0, 256, (n, -(-height // 8), -(-width // 8), task.preprocess.channels), np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


@pytest.fixture
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return TinyNet()


@pytest.fixture
def task() -> TaskSpec:
    return make_task()


@pytest.fixture
def images(task: TaskSpec) -> np.ndarray:
    return make_images(task)


@pytest.fixture
def make():
    """The factories, since a conftest cannot be imported."""

    class Make:
        net, task, images = TinyNet, staticmethod(make_task), staticmethod(make_images)

    return Make
