"""From embeddings and the centres held here to the loss over all ranks."""

from __future__ import annotations

import torch

from vnvision.losses.margin.comparison import Comparison, unit_rows
from vnvision.losses.margin.head import MarginHead
from vnvision.losses.partial_fc.collectives import Ranks, Replicated, SumOverRanks
from vnvision.losses.partial_fc.cosines import CentreCosines
from vnvision.losses.partial_fc.cross_entropy import ShardedCrossEntropy


def compare_shard(
    embeddings: torch.Tensor,
    centres: torch.Tensor,
    column: torch.Tensor,
    ranks: Ranks,
    *,
    n_classes: int,
    sub_centres: int = 1,
    low: torch.dtype | None = None,
) -> Comparison:
    """The gathered batch against the centres held here.

    Args:
        embeddings: (N, D) raw rows of all ranks.
        centres: (C * K, D).
        column: (N,) int64, -1 where another rank holds the row's class.
        ranks: the processes that share the classes.
        n_classes: over all ranks, before sampling.
        sub_centres: K.
        low: type of the matrix products; None for float32.
    """
    unit, norms = unit_rows(embeddings)
    cosines = CentreCosines.apply(unit, centres, low)
    if sub_centres > 1:
        cosines = cosines.unflatten(1, (-1, sub_centres)).amax(dim=2)
    here = cosines.gather(1, column.clamp(min=0)[:, None])[:, 0]
    own = SumOverRanks.apply(torch.where(column >= 0, here, 0.0), ranks)
    return Comparison(cosines, column, own, norms, n_classes)


def sharded_loss(
    head: MarginHead, comparison: Comparison, ranks: Ranks, filter_cosine: float | None = None
) -> torch.Tensor:
    """What ``margin_loss`` is in one process: the mean over the gathered batch, the same on every rank."""
    dropped = None if filter_cosine is None else too_near(comparison, filter_cosine)
    if head.kind == "softmax":
        logits = head.logits(comparison)
        if dropped is not None:
            logits = logits.masked_fill(dropped, -torch.inf)
        loss = ShardedCrossEntropy.apply(logits, comparison.column, ranks)
    else:
        terms = head.terms(comparison)
        if dropped is not None:
            terms = terms.masked_fill(dropped, 0.0)
        loss = SumOverRanks.apply(terms.sum(dim=1), ranks).mean()
    penalty = head.penalty(comparison)
    return loss if penalty is None else loss + Replicated.apply(penalty, ranks)


def too_near(comparison: Comparison, filter_cosine: float) -> torch.Tensor:
    """(N, C) bool: negatives whose cosine to the embedding, before any margin, is above ``filter_cosine``.

    In sets gathered from the web they are often the same person under a second name (An et al. 2022, "Killing
    Two Birds with One Stone"). A row's own class is never among them.
    """
    near = comparison.cosines.detach() > filter_cosine
    index, elsewhere = comparison.column.clamp(min=0)[:, None], comparison.column < 0
    return near.scatter_(1, index, near.gather(1, index) & elsewhere[:, None])


def autocast_type(device_type: str) -> torch.dtype | None:
    """What autocast asks matrix products to be in; None outside it."""
    return torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else None
