"""MobileFaceNet: one million parameters, and a learnt weight for every cell of the last map."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from vnvision.errors import ConfigError
from vnvision.models.embedding_parts import STRIDE_PX, EmbeddingNet
from vnvision.models.prelu import PReLU
from vnvision.models.staged import Stage, chain

# Table 1: expansion t, output channels c, repeats n, stride of the first.
_ROWS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
_STEM = 64
_LAST = 512
_SLOPE = 0.25  # where PReLU starts


class MobileFaceNet(EmbeddingNet):
    """Inverted residuals with PReLU, ended by a global depthwise convolution (GDC) instead of an average.

    Source: Chen et al. 2018, "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on
    Mobile Devices", Table 1 (0.99 M parameters with D = 128).

    Args:
        embedding_size: D.
        width: factor on the channels between the units; the channels inside them (expansion t) stay, as
            in the wider network of arcface_torch, where it is 2.
        drop_rate: dropout before the last layer.
        size_px: side of the pictures, a multiple of 16; the kernel of the GDC depends on it.

    Raises:
        ConfigError: an option out of range.
    """

    def __init__(
        self, embedding_size: int = 128, *, width: float = 1.0, drop_rate: float = 0.0, size_px: int = 112
    ) -> None:
        super().__init__(size_px, embedding_size, drop_rate)
        if width <= 0 or round(_STEM * width) < 1:
            raise ConfigError("width is wrong", expected="above 0", got=str(width))
        n_in, inside = round(_STEM * width), _STEM
        self.stem = nn.Sequential(_conv(3, n_in, 3, 2), _conv(n_in, n_in, 3, groups=n_in))
        rows = []
        for expansion, channels, repeats, stride in _ROWS:
            n_out = round(channels * width)
            first = Bottleneck(n_in, expansion * inside, n_out, stride)
            more = (Bottleneck(n_out, expansion * channels, n_out, 1) for _ in range(repeats - 1))
            rows.append(nn.Sequential(first, *more))
            n_in, inside = n_out, channels
        self.blocks = nn.Sequential(*rows)
        self.conv_head = _conv(n_in, _LAST, 1)
        cells = size_px // STRIDE_PX
        self.pool = nn.Sequential(_conv(_LAST, _LAST, cells, groups=_LAST, pad=0, linear=True), nn.Flatten())
        self.num_features = _LAST
        self.fc = nn.Linear(_LAST, embedding_size, bias=False)
        self.features = nn.BatchNorm1d(embedding_size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)

    def body(self) -> tuple[Stage, ...]:
        """``stem, blocks.0 ... blocks.4`` (the rows of the paper's table), ``conv_head``."""
        stem = self.stage("stem", self.stem)
        return (
            Stage("stem", stem.modules, chain(self.checked, stem.run)),
            *(self.stage(f"blocks.{i}", block) for i, block in enumerate(self.blocks)),
            self.stage("conv_head", self.conv_head),
        )

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        """How timm's layer-wise learning rate decay groups the parameters."""
        blocks = r"^blocks\.(\d+)" if coarse else r"^blocks\.(\d+)\.(\d+)"
        end = r"^(?:conv_head|pool|fc|features)"
        return {"stem": r"^stem", "blocks": [(blocks, None), (end, (99999,))]}


class Bottleneck(nn.Module):
    """1x1 to ``inside`` channels, 3x3 depthwise, linear 1x1; with a shortcut where the shapes agree."""

    def __init__(self, n_in: int, inside: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.expand = _conv(n_in, inside, 1)
        self.depthwise = _conv(inside, inside, 3, stride, groups=inside)
        self.project = _conv(inside, n_out, 1, linear=True)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        inside: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        return x + inside if self.residual else inside


def _conv(
    n_in: int,
    n_out: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    pad: int | None = None,
    linear: bool = False,
) -> nn.Sequential:
    pad = kernel // 2 if pad is None else pad
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(n_in, n_out, kernel, stride, pad, groups=groups, bias=False),
        bn=nn.BatchNorm2d(n_out),
    )
    if not linear:
        parts["act"] = PReLU(n_out, _SLOPE)
    return nn.Sequential(parts)
