"""PReLU with a backward pass that is fast on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class PReLU(nn.PReLU):
    """``torch.nn.PReLU``, the same weights and the same numbers; only its gradient costs less on a CPU.

    torch's CPU kernel for it goes number by number, which was more than half of the backward pass of a
    MobileFaceNet (``training/benchmarks/face_step_speed.py``). Here it is made of operations that use the
    processor's vectors. Elsewhere (an accelerator, another type, a graph being traced, no gradient) this is
    torch's own function. Gradients of gradients exist only there.

    He et al. 2015, "Delving Deep into Rectifiers", equations 1 and 8 to 11.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, ...) -> the same shape: x where x > 0, weight * x elsewhere."""
        if _by_vectors(x, self.weight):
            result: torch.Tensor = _PReLUByVectors.apply(x, self.weight)
            return result
        return functional.prelu(x, self.weight)


class _PReLUByVectors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return functional.prelu(x, weight)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        x, weight = ctx.saved_tensors
        above = torch.ops.aten.threshold_backward(grad, x, 0.0)  # grad where x > 0, else 0
        below = grad - above
        to_x = above.addcmul_(below, _over_channels(weight, x))
        if not ctx.needs_input_grad[1]:
            return to_x, None
        others = [axis for axis in range(x.ndim) if axis != 1 or weight.numel() == 1]
        return to_x, below.mul_(x).sum(others).view_as(weight)


def _by_vectors(x: torch.Tensor, weight: torch.Tensor) -> bool:
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return False
    plain = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and x.ndim > 1
    return plain and (x.requires_grad or weight.requires_grad)


def _over_channels(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return weight.view(-1, *[1] * (x.ndim - 2))
