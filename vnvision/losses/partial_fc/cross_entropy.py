"""Softmax cross-entropy of logits whose classes are spread over ranks."""

from __future__ import annotations

from typing import Any

import torch

from vnvision.losses.partial_fc.collectives import Ranks


class ShardedCrossEntropy(torch.autograd.Function):
    """Mean over rows of log sum_j exp(z_ij) - z_iy, the sum over the classes of all ranks.

    Two small collectives: the rows' largest logit, then their sums and own logits together. The gradient,
    (p - 1[j = y]) / N, needs none.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, column: torch.Tensor, ranks: Ranks) -> torch.Tensor:
        """The loss, the same on every rank.

        Args:
            ctx: torch's.
            logits: (N, C) for the classes held here; -inf takes a class out. C is 1 or more.
            column: (N,) int64 column of the row's own class, -1 where another rank holds it.
            ranks: the processes that share the classes.
        """
        largest = ranks.largest(logits.amax(dim=1))
        share = logits.sub(largest[:, None]).exp_()
        held, index = column >= 0, column.clamp(min=0)[:, None]
        own = torch.where(held, logits.gather(1, index)[:, 0] - largest, 0.0)
        total, own = ranks.add(torch.stack((share.sum(dim=1), own)))
        share.div_(total[:, None])
        ctx.save_for_backward(share, held, index)
        return (total.log() - own).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Worked out in place: a second backward pass through the same graph is refused by torch."""
        share, held, index = ctx.saved_tensors
        share.scatter_(1, index, share.gather(1, index) - held[:, None].to(share))
        return share.mul_(grad / len(share)), None, None
