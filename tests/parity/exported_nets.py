"""Networks of random but lively weights, and torch's answers to them: the reference of every target."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from torch import nn

from vnvision.export.onnx import to_onnx
from vnvision.export.result import TOLERANCES, Precision
from vnvision.models.explained import ExplainedNet
from vnvision.models.mobilefacenet import MobileFaceNet
from vnvision.spec import Label, PreprocessSpec, TaskSpec

LIGHT = ("small", "explained")
HEAVY = ("mobilenetv3_small_100", "tf_efficientnet_lite0", "mobilefacenet", "segmenter", "detector")
IN_HALF = (*LIGHT, "mobilenetv3_small_100", "mobilefacenet", "detector")
"""Those that half precision suits. Of the other two, rounding the weights alone moves torch's own answers by
2.5 % (EfficientNet-Lite0) and 2.9 % (segmenter) of their spread: so deep, random weights amplify it."""
SIZES = {"small": 32, "explained": 32}


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(pooled))))


class SmallNet(nn.Module):
    """BatchNorm, ReLU6, a depthwise layer, PReLU by channel and shared, squeeze-excite, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.PReLU(8), SqueezeExcite(8),
            nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.PReLU(),
        )  # fmt: skip
        self.head = nn.Linear(16, 4)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        pooled = x.mean((2, 3))
        return pooled if pre_logits else self.head(pooled)

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


@dataclass(frozen=True)
class Case:
    """A network in evaluation mode, inputs (5, 3, s, s) and torch's outputs, each (5, ...)."""

    net: nn.Module
    size: int
    inputs: np.ndarray
    outputs: tuple[np.ndarray, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.net.output_names if isinstance(self.net, ExplainedNet) else ("output",)

    @property
    def task(self) -> TaskSpec:
        """A classification, whatever the network is: the exporters take input size and name from it."""
        spec = PreprocessSpec(size_px=(self.size, self.size), mean=(0.5,) * 3, std=(0.5,) * 3)
        return TaskSpec(kind="classification", preprocess=spec, labels=(Label(id="a"), Label(id="b")))

    def onnx(self, folder: Path) -> Path:
        to_onnx(self.net, self.task, folder / "model.onnx")
        return folder / "model.onnx"

    def errors(self, answers: tuple[np.ndarray, ...]) -> list[float]:
        """Largest difference of each output, as a part of its spread over all five inputs."""
        wanted = [right[: len(got)] for right, got in zip(self.outputs, answers, strict=True)]
        for right, got in zip(wanted, answers, strict=True):
            assert got.shape == right.shape
            assert got.dtype == np.float32
        spreads = [float((right.max(0) - right.min(0)).max()) for right in self.outputs]
        return [
            float(np.abs(got - right).max()) / spread
            for got, right, spread in zip(answers, wanted, spreads, strict=True)
        ]

    def check(self, answers: tuple[np.ndarray, ...], precision: Precision = "fp32") -> None:
        """Within the gate's tolerance: the largest difference, and the mean cosine."""
        limit = TOLERANCES[precision]
        assert max(self.errors(answers)) <= limit.relative
        for right, got in zip(self.outputs, answers, strict=True):
            a, b = got.reshape(len(got), -1), right[: len(got)].reshape(len(got), -1)
            cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            assert cosine.mean() >= limit.cosine


@functools.cache
def case(name: str) -> Case:
    """The network of this name with its answers; equal on every call."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = SIZES.get(name, 64)
    net = _lively(_built(name), size)
    if name == "explained":
        net = ExplainedNet(net, has_cam=True)
    inputs = torch.randn(5, 3, size, size)
    with torch.no_grad():
        found = net(inputs)
    torch.set_num_threads(before)
    outputs = found if isinstance(found, tuple) else (found,)
    return Case(net, size, inputs.numpy(), tuple(item.numpy() for item in outputs))


def _built(name: str) -> nn.Module:
    if name in LIGHT:
        return SmallNet()
    if name == "mobilefacenet":
        return MobileFaceNet(32, size_px=64)
    if name in ("segmenter", "detector"):
        from vnvision.models.dense import build_detector, build_segmenter

        build = build_segmenter if name == "segmenter" else build_detector
        return build("mobilenetv3_small_100", 3, weights="none")
    return timm.create_model(name, num_classes=4)


def _lively(net: nn.Module, size: int) -> nn.Module:
    """BatchNorm with statistics of noise and weights off one, so that folding it wrongly shows."""
    norms = [item for item in net.modules() if isinstance(item, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for norm in norms:
        norm.momentum = None  # the plain average over the batches
        norm.reset_running_stats()
        nn.init.uniform_(norm.weight, 0.8, 1.2)
        nn.init.uniform_(norm.bias, -0.1, 0.1)
    for slopes in (item.weight for item in net.modules() if isinstance(item, nn.PReLU)):
        nn.init.uniform_(slopes, 0.1, 0.4)  # equal ones would be written as a leaky ReLU
    net.train()
    for dropout in (item for item in net.modules() if isinstance(item, nn.Dropout)):
        dropout.eval()
    with torch.no_grad():
        for _ in range(2):
            net(torch.randn(8, 3, size, size))
    return net.eval()
