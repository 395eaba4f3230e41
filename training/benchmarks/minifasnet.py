"""The MiniFASNet liveness networks in torch, and their conversion to a folder that ``Liveness`` reads.

    python training/benchmarks/minifasnet.py --weights DIR --out DIR

Weights: github.com/minivision-ai/Silent-Face-Anti-Spoofing, Apache-2.0. A MobileFaceNet whose channels were
pruned one by one, so that the widths follow no rule: they are taken from the tensors of the state dict, as
are the blocks with squeeze-and-excitation. What shapes do not tell is the layout: 3 x 3 convolutions, stride
2 in the first and in each block between two stages, a residual sum in every other block.

The networks take blue, green, red from 0 to 255 without normalisation, at 80 x 80; output 1 of 3 is the live
class, and softmax is left to the caller.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from vnvision import atomic
from vnvision.export.onnx import to_onnx
from vnvision.faces.liveness import LIVENESS_FILE, LivenessModels, LivenessSpec
from vnvision.spec import Label, PreprocessSpec, TaskSpec

SOURCE = "github.com/minivision-ai/Silent-Face-Anti-Spoofing"
# Steps 4 and 5 cancel: the network is given what the picture holds.
PREPROCESS = PreprocessSpec(size_px=(80, 80), colour="bgr", std=(1 / 255,) * 3)
LIVE_INDEX, CLASSES = 1, 3
STAGES = {"conv_3": 4, "conv_4": 6, "conv_5": 2}
BETWEEN = ("conv_23", "conv_34", "conv_45")
State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Published:
    """A published file: its bytes, and how many face boxes wide its crop is."""

    file: str
    sha256: str
    scale: float


PUBLISHED = (
    Published(
        "2.7_80x80_MiniFASNetV2.pth", "a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0", 2.7
    ),
    Published(
        "4_0_0_80x80_MiniFASNetV1SE.pth",
        "84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990",
        4.0,
    ),
)


class Conv(nn.Module):
    """Convolution, BatchNorm and, where the state dict has one, PReLU."""

    def __init__(self, state: State, name: str, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        out, per_group, side, _ = state[f"{name}.conv.weight"].shape
        # One input channel a filter means depthwise here: no pointwise layer has a single input.
        groups = out if per_group == 1 else 1
        self.conv = nn.Conv2d(
            per_group * groups, out, side, stride=stride, padding=padding, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(out)
        self.prelu = nn.PReLU(out) if f"{name}.prelu.weight" in state else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.prelu(self.bn(self.conv(x)))


class Excite(nn.Module):
    """Squeeze-and-excitation: channels weighted by what the whole map holds."""

    def __init__(self, state: State, name: str) -> None:
        super().__init__()
        few, many = state[f"{name}.fc1.weight"].shape[:2]
        self.fc1, self.bn1 = nn.Conv2d(many, few, 1, bias=False), nn.BatchNorm2d(few)
        self.fc2, self.bn2 = nn.Conv2d(few, many, 1, bias=False), nn.BatchNorm2d(many)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = torch.relu(self.bn1(self.fc1(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(self.bn2(self.fc2(squeezed)))


class Block(nn.Module):
    """Widen, filter each channel by itself, narrow; with stride 1 the input is added."""

    def __init__(self, state: State, name: str, stride: int) -> None:
        super().__init__()
        self.conv = Conv(state, f"{name}.conv")
        self.conv_dw = Conv(state, f"{name}.conv_dw", stride=stride, padding=1)
        self.project = Conv(state, f"{name}.project")
        has_excite = f"{name}.se_module.fc1.weight" in state
        self.se_module = Excite(state, f"{name}.se_module") if has_excite else nn.Identity()
        self.residual = stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.se_module(self.project(self.conv_dw(self.conv(x))))
        return x + out if self.residual else out


class Stage(nn.Module):
    def __init__(self, state: State, name: str, blocks: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*[Block(state, f"{name}.model.{i}", 1) for i in range(blocks)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class MiniFASNet(nn.Module):
    """(N, 3, 80, 80) BGR 0..255 -> (N, 3) logits. Takes its widths from ``state``, not its weights."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.conv1 = Conv(state, "conv1", stride=2, padding=1)
        self.conv2_dw = Conv(state, "conv2_dw", padding=1)
        for between, (stage, blocks) in zip(BETWEEN, STAGES.items(), strict=True):
            self.add_module(between, Block(state, between, 2))
            self.add_module(stage, Stage(state, stage, blocks))
        self.conv_6_sep = Conv(state, "conv_6_sep")
        self.conv_6_dw = Conv(state, "conv_6_dw")
        width, channels = state["linear.weight"].shape
        self.linear = nn.Linear(channels, width, bias=False)
        self.bn = nn.BatchNorm1d(width)
        self.prob = nn.Linear(width, len(state["prob.weight"]), bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2_dw(self.conv1(x))
        for between, stage in zip(BETWEEN, STAGES, strict=True):
            x = self.get_submodule(stage)(self.get_submodule(between)(x))
        x = self.conv_6_dw(self.conv_6_sep(x)).flatten(1)
        return self.prob(self.bn(self.linear(x)))


def load(path: str | Path) -> MiniFASNet:
    """A published file as a network in evaluation mode; every tensor must find its place."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    state = {name.removeprefix("module."): value for name, value in saved.items()}
    net = MiniFASNet(state)
    net.load_state_dict(state, strict=True)
    return net.eval()


def convert(weights: str | Path, out: str | Path) -> Path:
    """Both published files as ONNX with their ``liveness.json``, in folder ``out``."""
    folder, specs = Path(out), []
    labels = tuple(Label(id=name) for name in ("attack_0", "live", "attack_2"))
    task = TaskSpec(kind="classification", preprocess=PREPROCESS, labels=labels)
    for known in PUBLISHED:
        source = Path(weights) / known.file
        if (got := atomic.sha256_file(source)) != known.sha256:
            raise SystemExit(f"{source} is not the published file: sha256 {got[:12]}")
        file = Path(known.file).with_suffix(".onnx").name
        to_onnx(load(source), task, folder / file, name=source.stem)
        specs.append(
            LivenessSpec(
                file=file,
                sha256=atomic.sha256_file(folder / file),
                scale=known.scale,
                preprocess=PREPROCESS,
                classes=CLASSES,
                live_index=LIVE_INDEX,
                output="logits",
            )
        )
    LivenessModels(models=tuple(specs), licence="Apache-2.0", source=SOURCE).save(folder / LIVENESS_FILE)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", required=True, help="folder with the two published .pth files")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    print(convert(args.weights, args.out))


if __name__ == "__main__":
    main()
