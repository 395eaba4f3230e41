"""What has to be agreed over ranks between the backward pass and the optimiser's step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

if TYPE_CHECKING:
    from vnvision.losses.partial_fc.layer import PartialFC


def clip_grad_norm_(shared: Iterable[torch.Tensor], layer: PartialFC, max_norm: float) -> torch.Tensor:
    """Scale all gradients so that their joint norm, over the centres of all ranks, is at most ``max_norm``.

    torch's own function would see this rank's centres only, scale the backbone by another factor on each
    rank, and the copies of the backbone would drift apart.

    Args:
        shared: parameters whose gradients are equal on all ranks: the backbone's.
        layer: its centres and its head's parameters are scaled with them.
        max_norm: above 0.

    Returns:
        The joint norm before, a scalar, the same on all ranks.
    """
    parameters = [*shared, *layer.head.parameters()]
    common, centres = [p.grad for p in parameters if p.grad is not None], layer.sampled.grad
    square = layer.weight.new_zeros(())
    if centres is not None:
        square += torch.linalg.vector_norm(centres).square()
    layer.ranks.add(square)
    if common:
        square = square + get_total_norm(common).square().to(square)
    norm = square.sqrt()
    clip_grads_with_norm_([*parameters, layer.sampled], max_norm, norm)
    return norm


def share_overflow(layer: PartialFC) -> None:
    """After the backward pass under a loss scaler (float16): all ranks skip the step if one has to.

    A scaler looks at this rank's gradients only, and an overflow in one shard would leave ranks a step
    apart. bfloat16 needs no scaler and no call. Call it before the scaler's ``unscale_`` or ``step``.
    """
    grad = layer.sampled.grad
    bad = layer.weight.new_zeros(1)
    if grad is not None and grad.numel():
        bad += 1.0 - torch.isfinite(grad.sum()).to(bad)
    layer.ranks.add(bad)
    if grad is not None:
        grad[:1].masked_fill_(bad > 0, torch.inf)
