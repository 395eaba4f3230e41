"""Convolution and linear layer with weights on a grid of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from vnvision.models.quantised.fake import ActivationQuantiser, rounded_weight, weight_steps
from vnvision.models.quantised.options import QuantOptions

LARGEST_BIAS = 2**30
"""A bias takes at most half of int32, so that the sum of products still fits beside it."""


class _Quantised(nn.Module):
    """What both layers share.

    In training the rounded weight and the bias are used in float32, with a gradient. In evaluation sums are
    those of integers, exact in float32 up to 2^24, and the next quantiser's rounding is done here by one
    factor, as integer kernels do it: otherwise numbers nearly halfway between two integers would become
    another one than in the field, and every such difference makes more of them in the next layer.

    Attributes:
        options: the grids.
        log_gain: logarithm of the learned factors on the measured steps, (out,); None without.
        ends: what rounds the input, and what rounds the output or None, in a tuple: a module that is an
            attribute would be saved twice. Empty where the input is not rounded.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    options: QuantOptions
    log_gain: nn.Parameter | None
    ends: tuple[ActivationQuantiser, ActivationQuantiser | None] | tuple[()]

    def apply_weight(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The layer's own sum of products."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the float32 layer gives, with rounded weights."""
        if self.training or not self.ends or not bool(self.ends[0].seen):
            weight = rounded_weight(self.weight, self.options.weight_limit, self.log_gain)
            return self.apply_weight(x, weight, self.bias)
        return self._by_integers(x, *self.ends)

    @torch.no_grad()
    def _by_integers(
        self, x: torch.Tensor, before: ActivationQuantiser, after: ActivationQuantiser | None
    ) -> torch.Tensor:
        step = before.grid()[0]
        weight, steps, bias = integers(self, step)
        sums = self.apply_weight((x / step).round_(), weight, bias)
        factor = step * steps
        if after is None:
            return sums.mul_(_over_channels(factor, sums))
        return after.rounded(sums.mul_(_over_channels(factor / after.grid()[0], sums)))


class QuantisedConv2d(_Quantised, nn.Conv2d):
    """A convolution whose weight is rounded on each pass, with a step for every output channel.

    Weight and bias are those of the layer it is made of, under the same names and in float32, where small
    changes add up.
    """

    def apply_weight(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """(N, in, H, W) -> (N, out, H', W')."""
        return self._conv_forward(x, weight, bias)


class QuantisedLinear(_Quantised, nn.Linear):
    """A linear layer whose weight is rounded on each pass; see ``QuantisedConv2d``."""

    def apply_weight(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """(..., in) -> (..., out)."""
        return functional.linear(x, weight, bias)


def quantised(layer: nn.Conv2d | nn.Linear, options: QuantOptions) -> QuantisedConv2d | QuantisedLinear:
    """The layer with its weight rounded; it takes over the parameters without a copy."""
    kind: Callable[..., Any] = QuantisedConv2d if isinstance(layer, nn.Conv2d) else QuantisedLinear
    made: QuantisedConv2d | QuantisedLinear = kind(**_shape(layer))
    made.weight, made.bias = layer.weight, layer.bias
    made.options, made.ends = options, ()
    gain = torch.zeros(len(made.weight), device=made.weight.device) if options.learned_steps else None
    made.log_gain = None if gain is None else nn.Parameter(gain)
    return made.train(layer.training)


@torch.no_grad()
def integers(
    layer: QuantisedConv2d | QuantisedLinear | _Quantised, input_step: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Weight and bias as whole numbers in float32, and (out,) the step of each channel.

    The bias has step (input's step) * (channel's step), so that it can be added to sums of products. Where
    it would leave int32 because a channel's weights are nearly 0, that channel gets a larger step; this
    moves its result by less than 1e-6 of the bias. Without ``input_step`` the bias stays as it is.
    """
    limit, bias = layer.options.weight_limit, layer.bias
    steps = weight_steps(layer.weight, limit)
    if layer.log_gain is not None:
        steps = steps * layer.log_gain.exp()
    if bias is not None and input_step is not None:
        steps = torch.maximum(steps, bias.abs() / (input_step * LARGEST_BIAS))
    shape = (-1, *(1,) * (layer.weight.ndim - 1))
    weight = (layer.weight / steps.view(shape)).round_().clamp_(-limit, limit)
    if bias is not None and input_step is not None:
        bias = (bias / (input_step * steps)).round_()
    return weight, steps, bias


def _over_channels(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.view(-1, 1, 1) if like.ndim == 4 else values


def plain(layer: QuantisedConv2d | QuantisedLinear) -> nn.Conv2d | nn.Linear:
    """The float32 layer of the same shape, weight and bias."""
    made = (nn.Conv2d if isinstance(layer, nn.Conv2d) else nn.Linear)(**_shape(layer))
    made.weight, made.bias = layer.weight, layer.bias
    return made.train(layer.training)


def _shape(layer: nn.Conv2d | nn.Linear) -> dict[str, Any]:
    """What builds a layer of the same shape, without memory for its weights."""
    shared: dict[str, Any] = {"bias": layer.bias is not None, "device": "meta"}
    if isinstance(layer, nn.Linear):
        return shared | {"in_features": layer.in_features, "out_features": layer.out_features}
    names = "in_channels out_channels kernel_size stride padding dilation groups padding_mode"
    return shared | {name: getattr(layer, name) for name in names.split()}
