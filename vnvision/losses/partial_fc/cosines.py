"""Cosines to the centres held here, without a normalised copy of the centres."""

from __future__ import annotations

from typing import Any

import torch

from vnvision.losses.margin.comparison import SHORTEST


class CentreCosines(torch.autograd.Function):
    """cos_ij = e_i . w_j / |w_j|, and its gradient, in memory of one gradient of the centres.

    Composed of torch's own operations, the unit rows and their gradient would each be one more copy of
    the centres, which are the largest thing in memory. A centre shorter than ``SHORTEST`` is treated as in
    ``margin.unit_rows``.
    """

    @staticmethod
    def forward(
        ctx: Any, unit: torch.Tensor, weight: torch.Tensor, low: torch.dtype | None = None
    ) -> torch.Tensor:
        """Cosines in the type of ``unit``.

        Args:
            ctx: torch's.
            unit: (N, D) embeddings of length 1, float32 or wider.
            weight: (M, D) centres of any length.
            low: type of the matrix products, as autocast asks for; None for that of ``unit``.

        Returns:
            (N, M).
        """
        norms = torch.linalg.vector_norm(weight, dim=1)
        cosines = _product(unit, weight.T, low).mul_(norms.clamp(min=SHORTEST).reciprocal())
        ctx.save_for_backward(unit, weight, norms, cosines)
        ctx.low = low
        return cosines

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Gradients of unit rows and centres: d cos_ij / d w_j = e_i / |w_j| - cos_ij w_j / |w_j|^2."""
        unit, weight, norms, cosines = ctx.saved_tensors
        inverse = norms.clamp(min=SHORTEST).reciprocal()
        scratch = grad * cosines
        pull = torch.where(norms < SHORTEST, 0.0, scratch.sum(dim=0)) * inverse.square()
        scaled = torch.mul(grad, inverse, out=scratch)
        to_unit = _product(scaled, weight, ctx.low)
        if not ctx.needs_input_grad[1]:
            return to_unit, None, None
        to_weight = _product(scaled.T, unit, ctx.low)
        return to_unit, to_weight.addcmul_(weight, pull[:, None], value=-1.0), None


def _product(left: torch.Tensor, right: torch.Tensor, low: torch.dtype | None) -> torch.Tensor:
    with torch.autocast(left.device.type, enabled=False):
        if low is None:
            return left @ right
        return (left.to(low) @ right.to(low)).to(left.dtype)
