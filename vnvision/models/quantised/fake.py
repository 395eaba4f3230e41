"""Rounding to a grid of integers in float32, with a gradient: the grid of an activation, and of weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from vnvision.errors import ModelError
from vnvision.models.quantised.options import LIMITS, QuantOptions

SMALLEST_STEP = 1e-8
_SAMPLE = 1 << 16


class ActivationQuantiser(nn.Module):
    """Rounds a tensor to 8-bit integers and back, on a range it measures while training.

    The range is a moving average of each batch's minimum and maximum, or percentiles, as in Jacob et al.
    2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
    section 3.1; the gradient passes straight through inside the range and is 0 outside (Bengio et al. 2013).
    Until a range was measured, evaluation lets everything through. State is in buffers, so that a checkpoint
    resumes it, and nothing waits for the device.

    Args:
        options: grid and range.

    Attributes:
        low: lower end of the range, a scalar.
        high: upper end.
        seen: training passes so far.
    """

    low: torch.Tensor
    high: torch.Tensor
    seen: torch.Tensor

    def __init__(self, options: QuantOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.log_gain = nn.Parameter(torch.zeros(())) if options.learned_steps else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape, on the grid.

        Raises:
            ModelError: it is being written by the plain ONNX exporter, which would lose the integers.
        """
        if torch.onnx.is_in_onnx_export():
            raise ModelError(
                "a network trained for 8-bit integers is no float32 file",
                fix="write it with vnvision.export.qdq.to_qdq_onnx",
            )
        if self.training:
            self.observe(x.detach())
        elif not bool(self.seen):
            return x
        step, zero = self.grid()
        if not self.training:
            return self.rounded(x / step)
        low, high = LIMITS[self.options.activations]
        if self.log_gain is None:
            return torch.fake_quantize_per_tensor_affine(x, step, zero, low, high)
        scaled = _gradient_scaled(step, 1 / math.sqrt(x.numel() * high))
        return _learned(x, scaled, zero.float(), low, high)

    @torch.no_grad()
    def observe(self, x: torch.Tensor) -> None:
        """Move the range towards that of a batch, while ranges are measured."""
        low, high = _ends(x, self.options.percentile)
        kept = torch.where(self.seen == 0, 0.0, self.options.momentum)
        if self.options.observe_steps is not None:
            kept = torch.where(self.seen < self.options.observe_steps, kept, 1.0)
        self.low.copy_(kept * self.low + (1 - kept) * low)
        self.high.copy_(kept * self.high + (1 - kept) * high)
        self.seen += 1

    def grid(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Step (float32) and zero point (int32), scalars: real = step * (integer - zero point).

        0 is on the grid, since padding is 0. The step is widened until both ends of the range are inside:
        shifting the range instead, as is common, cuts half a step off one end, and puts every grey level of
        a picture normalised to -1..1 halfway between two integers.
        """
        first, last = LIMITS[self.options.activations]
        low, high = self.low.clamp(max=0), self.high.clamp(min=0)
        if self.options.activations == "int8_symmetric":
            zero = torch.zeros_like(low)
            step = torch.maximum(-low, high) / last
        else:
            zero = first + (-low / (high - low).clamp(min=SMALLEST_STEP) * (last - first)).round()
            below, above = (zero - first).clamp(min=0.5), (last - zero).clamp(min=0.5)
            step = torch.maximum(-low / below, high / above)
        step = step.clamp(min=SMALLEST_STEP)
        if self.log_gain is not None:
            step = step * self.log_gain.exp()
        return step, zero.to(torch.int32)

    @torch.no_grad()
    def rounded(self, scaled: torch.Tensor) -> torch.Tensor:
        """What was divided by the step, in place -> on the grid, as QuantizeLinear of ONNX does it."""
        step, zero = self.grid()
        low, high = LIMITS[self.options.activations]
        return scaled.round_().add_(zero).clamp_(low, high).sub_(zero).mul_(step)

    def fixed(self) -> FixedRounding:
        """The same rounding, its grid written down as numbers, for an exporter."""
        step, zero = self.grid()
        return FixedRounding(float(step), int(zero), *LIMITS[self.options.activations])


class FixedRounding(nn.Module):
    """Rounds to integers from ``low`` to ``high`` and back, on a grid that no longer moves."""

    def __init__(self, step: float, zero: int, low: int, high: int) -> None:
        super().__init__()
        self.numbers = step, zero, low, high

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape, on the grid."""
        return torch.fake_quantize_per_tensor_affine(x, *self.numbers)


def weight_steps(weight: torch.Tensor, limit: int) -> torch.Tensor:
    """(out,) step of each channel of a weight (out, ...): its largest magnitude is the last integer."""
    largest: torch.Tensor = weight.detach().flatten(1).abs().amax(dim=1)
    return (largest / limit).clamp(min=SMALLEST_STEP)


def rounded_weight(weight: torch.Tensor, limit: int, log_gain: torch.Tensor | None) -> torch.Tensor:
    """A weight (out, ...) on the grid of its channels; the gradient passes straight through."""
    steps = weight_steps(weight, limit)
    if log_gain is None:
        zeros = torch.zeros(len(steps), dtype=torch.int32, device=weight.device)
        return torch.fake_quantize_per_channel_affine(weight, steps, zeros, 0, -limit, limit)
    per_channel = weight[0].numel()
    steps = _gradient_scaled(steps * log_gain.exp(), 1 / math.sqrt(per_channel * limit))
    shape = (-1, *(1,) * (weight.ndim - 1))
    return _learned(weight, steps.view(shape), torch.zeros_like(steps).view(shape), -limit, limit)


def _ends(x: torch.Tensor, percentile: float | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Minimum and maximum of a tensor, or percentiles of an even sample of it."""
    if percentile is None:
        low, high = torch.aminmax(x)
        return low, high
    flat = x.reshape(-1).float()
    sample = flat[:: max(1, flat.numel() // _SAMPLE)]
    share = percentile / 100
    low, high = torch.quantile(sample, torch.tensor([1 - share, share], device=x.device))
    return low, high


def _learned(x: torch.Tensor, step: torch.Tensor, zero: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """A gradient for the step too: Esser et al. 2020, "Learned Step Size Quantization", equation 3."""
    scaled = (x / step + zero).clamp(low, high)
    return (scaled + (scaled.round() - scaled).detach() - zero) * step


def _gradient_scaled(step: torch.Tensor, factor: float) -> torch.Tensor:
    """The same step, its gradient times a factor (Esser et al. 2020, section 2.2)."""
    scaled = step * factor
    return scaled + (step - scaled).detach()
