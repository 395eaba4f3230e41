"""IResNet, the residual networks of the ArcFace family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from vnvision.models.embedding_parts import EmbeddingNet, FixedScaleNorm
from vnvision.models.prelu import PReLU
from vnvision.models.staged import Stage, chain

DEPTHS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    100: (3, 13, 30, 3),
    200: (6, 26, 60, 6),
}
"""Layers by name -> residual units in each of the four stages."""
_WIDTHS = (64, 128, 256, 512)
_WEIGHT_STD = 0.1
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class IResNet(EmbeddingNet):
    """A residual network that starts at full resolution and ends in BN-Dropout-FC-BN.

    Unit: BN-Conv-BN-PReLU-Conv-BN, the stride in the second convolution. The last BatchNorm's scale is
    fixed at 1. Key names are those of arcface_torch up to that BatchNorm, see ``own_names``. BatchNorm has
    epsilon 1e-5 and momentum 0.1; convolutions start at N(0, 0.1^2).

    Source: Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition"; the unit
    from Han et al. 2017, "Deep Pyramidal Residual Networks", with PReLU. Name after Duta et al. 2020,
    "Improved Residual Networks for Image and Video Recognition".

    Args:
        depths: residual units in each of the four stages, see ``DEPTHS``.
        embedding_size: D.
        drop_rate: dropout before the last layer.
        size_px: side of the pictures, a multiple of 16; the size of ``fc`` depends on it.

    Raises:
        ConfigError: an option out of range.
    """

    def __init__(
        self, depths: Sequence[int], embedding_size: int = 512, *, drop_rate: float = 0.0, size_px: int = 112
    ) -> None:
        super().__init__(size_px, embedding_size, drop_rate)
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.prelu = PReLU(_WIDTHS[0])
        before = (_WIDTHS[0], *_WIDTHS)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(n, n_in, n_out) for n, n_in, n_out in zip(depths, before, _WIDTHS, strict=False)
        )
        self.bn2 = nn.BatchNorm2d(_WIDTHS[-1])
        self.pool = nn.Flatten()
        self.num_features = _WIDTHS[-1] * (size_px // 16) ** 2
        self.fc = nn.Linear(self.num_features, embedding_size)
        self.features = FixedScaleNorm(embedding_size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=_WEIGHT_STD)

    def body(self) -> tuple[Stage, ...]:
        """``stem, layer1 ... layer4``; the BatchNorm of the last map belongs to ``layer4``."""
        stem = self.stage("stem", self.conv1, self.bn1, self.prelu)
        return (
            Stage("stem", stem.modules, chain(self.checked, stem.run)),
            self.stage("layer1", self.layer1),
            self.stage("layer2", self.layer2),
            self.stage("layer3", self.layer3),
            self.stage("layer4", self.layer4, self.bn2),
        )

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        """How timm's layer-wise learning rate decay groups the parameters."""
        blocks = r"^layer(\d+)" if coarse else r"^layer(\d+)\.(\d+)"
        return {
            "stem": r"^(?:conv1|bn1|prelu)",
            "blocks": [(blocks, None), (r"^(?:bn2|fc|features)", (99999,))],
        }

    def own_names(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A state dict with arcface_torch's names of the last BatchNorm, under ours; its scale is 1 there."""
        moved = {f"features.{name}": f"features.norm.{name}" for name in _STATISTICS}
        return {moved.get(key, key): value for key, value in state.items() if key != "features.weight"}


class Unit(nn.Module):
    """BN-Conv-BN-PReLU-Conv-BN beside a shortcut: (N, C, H, W) -> (N, C', H / stride, W / stride)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.prelu = PReLU(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One residual unit."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        result: torch.Tensor = self.bn3(self.conv2(x)) + shortcut
        return result


def _stage(depth: int, n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(Unit(n_in, n_out, 2), *(Unit(n_out, n_out, 1) for _ in range(depth - 1)))
