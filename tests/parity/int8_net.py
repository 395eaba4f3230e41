"""A small network with everything that rounding has to get past."""

from __future__ import annotations

from torch import nn


def block(n_in, n_out, act, groups=1):
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, 1, 1, groups=groups, bias=False), nn.BatchNorm2d(n_out), act
    )


class Pad(nn.Module):
    """Padding that depends on the size, as TensorFlow's "same" does."""

    def forward(self, x):
        side = x.shape[-1] % 2 + 1
        return nn.functional.pad(x, [side, side, side, side])


class Net(nn.Module):
    """PReLU (steep slopes; one for all), a depthwise layer, ReLU6, a sum, BatchNorm before the last layer."""

    def __init__(self, act="prelu"):
        super().__init__()
        made = (lambda c: nn.PReLU(c)) if act == "prelu" else (lambda c: nn.ReLU6())
        self.stem = nn.Sequential(Pad(), nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), made(16))
        self.wide, self.depth = block(16, 32, made(32)), block(32, 32, made(1), groups=32)
        self.narrow = block(32, 16, nn.Identity())
        self.norm, self.fc, self.last = nn.BatchNorm2d(16), nn.Linear(16 * 12 * 12, 6), nn.BatchNorm1d(6)
        for layer in self.modules():
            if isinstance(layer, (nn.BatchNorm2d, nn.BatchNorm1d)):
                layer.running_mean.uniform_(-0.3, 0.3)
                layer.running_var.uniform_(0.3, 3)
            if isinstance(layer, nn.PReLU):
                layer.weight.data.uniform_(-0.3, 1.2 if layer.num_parameters == 32 else 0.9)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.narrow(self.depth(self.wide(x)))
        return self.last(self.fc(self.norm(x).flatten(1)))
