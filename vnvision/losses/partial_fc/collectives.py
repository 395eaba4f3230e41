"""The few collectives Partial FC needs, also in one process without torch.distributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that share the classes.

    Attributes:
        rank: of this process within the group.
        world: how many.
        group: torch's process group; None is the default group, or one process where none was started.
    """

    rank: int
    world: int
    group: Any = None

    @classmethod
    def of(cls, group: Any = None) -> Ranks:
        """The group's ranks; one process where torch.distributed is not initialised."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls(0, 1)
        return cls(distributed.get_rank(group), distributed.get_world_size(group), group)

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """(n, ...) of every rank, equal in shape -> (world * n, ...) in the order of ranks; no gradient."""
        if self.world == 1:
            return tensor.detach()
        out = tensor.new_empty((self.world * tensor.shape[0], *tensor.shape[1:]))
        distributed.all_gather_into_tensor(out, tensor.detach().contiguous(), group=self.group)
        return out

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum over ranks, in place; no gradient."""
        if self.world > 1:
            distributed.all_reduce(tensor, distributed.ReduceOp.SUM, group=self.group)
        return tensor

    def largest(self, tensor: torch.Tensor) -> torch.Tensor:
        """Maximum over ranks, in place; no gradient."""
        if self.world > 1:
            distributed.all_reduce(tensor, distributed.ReduceOp.MAX, group=self.group)
        return tensor

    def share(self, tensor: torch.Tensor, rank: int) -> torch.Tensor:
        """What ``rank`` holds, written into every rank's ``tensor``."""
        if self.world > 1:
            distributed.broadcast(tensor, group=self.group, group_src=rank)
        return tensor


class GatherEmbeddings(torch.autograd.Function):
    """Local rows of every rank, in float32 or wider; the gradient comes back summed over ranks, times world.

    Each rank's backward pass sees only its own classes, so the sum over ranks is the whole gradient. A
    wrapper such as DistributedDataParallel then averages over ranks what each made of its own rows, where
    the gradient of the mean over the global batch is their sum: the factor ``world`` undoes that average.
    """

    @staticmethod
    def forward(ctx: Any, embeddings: torch.Tensor, ranks: Ranks) -> torch.Tensor:
        """(n, D) -> (world * n, D)."""
        ctx.ranks, ctx.dtype, ctx.n = ranks, embeddings.dtype, embeddings.shape[0]
        return ranks.gather(embeddings).to(torch.promote_types(embeddings.dtype, torch.float32))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """(world * n, D) -> (n, D)."""
        ranks = ctx.ranks
        if ranks.world == 1:
            return grad.to(ctx.dtype), None
        own = grad.new_empty((ctx.n, grad.shape[1]))
        distributed.reduce_scatter_tensor(own, grad.contiguous(), group=ranks.group)
        return own.mul_(ranks.world).to(ctx.dtype), None


class SumOverRanks(torch.autograd.Function):
    """The sum over ranks; each rank's gradient stays with its own addend."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, ranks: Ranks) -> torch.Tensor:
        """Any shape, the same on all ranks."""
        return ranks.add(tensor.clone())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """As it came: every rank holds the whole gradient of the sum."""
        return grad, None


class Replicated(torch.autograd.Function):
    """A value that every rank computes alike: its gradient is divided by world, as ranks will be summed."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, ranks: Ranks) -> torch.Tensor:
        """Any shape."""
        ctx.world = ranks.world
        return tensor.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """One rank's share."""
        return grad / ctx.world, None
