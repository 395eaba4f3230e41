"""Which classes a step compares, and random numbers that follow from keys alone."""

from __future__ import annotations

import hashlib

import torch

from vnvision.losses.margin.centres import SPREAD
from vnvision.losses.partial_fc.sharding import Shard
from vnvision.losses.splitmix import STRIDE, mix_, shifted

_BLOCK = 1024  # classes that are drawn together at the start


def keyed_number(*parts: int) -> int:
    """A number in 0..2^63 - 1 that follows from ``parts`` and looks random."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def drawn(shard: Shard, rate: float, key: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Every class on its own with chance ``rate``, whatever rank holds it and on any device.

    The c-th number of the SplitMix64 stream started at ``key`` decides on class c.

    Returns:
        (classes in the shard,) bool.
    """
    state = torch.arange(shard.start + 1, shard.end + 1, device=device)
    return shifted(mix_(state.mul_(STRIDE).add_(key)), 11) < int(rate * 2**53)


def sample(shard: Shard, targets: torch.Tensor, rate: float, key: int) -> torch.Tensor:
    """The classes of a step: those of the batch always, others by chance.

    Args:
        shard: classes held here.
        targets: (N,) classes of the gathered batch.
        rate: chance of each class.
        key: of this step.

    Returns:
        (S,) int64 positions within the shard, ascending; at least one.
    """
    chosen = drawn(Shard(shard.start, shard.end + 1), rate, key, targets.device)
    here = (targets >= shard.start) & (targets < shard.end)
    # One slot more, for classes held elsewhere: to leave their rows out, a GPU's host would have to wait.
    chosen.index_fill_(0, torch.where(here, targets - shard.start, len(shard)), True)
    index = chosen[:-1].nonzero()[:, 0]  # the one wait: how many were drawn sizes all that follows
    return index if len(index) else index.new_zeros(1)


def first_rows(shard: Shard, width: int, key: int) -> torch.Tensor:
    """Random first centres, the same for a class whatever rank holds it.

    Args:
        shard: classes wanted.
        width: numbers a class.
        key: of the draw.

    Returns:
        (classes in the shard, width) float32, normal with standard deviation ``margin.centres.SPREAD``.
    """
    rows = torch.empty(len(shard), width)
    for block in range(shard.start // _BLOCK, -(-shard.end // _BLOCK)):
        generator = torch.Generator().manual_seed(keyed_number(key, block))
        values = torch.randn(_BLOCK, width, generator=generator)
        low, high = max(shard.start, block * _BLOCK), min(shard.end, (block + 1) * _BLOCK)
        part = values[low - block * _BLOCK : high - block * _BLOCK]
        torch.mul(part, SPREAD, out=rows[low - shard.start : high - shard.start])
    return rows
