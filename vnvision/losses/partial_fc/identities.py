"""More or fewer identities, with all that the others have learnt."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from vnvision.errors import DataError
from vnvision.losses.margin.centres import SPREAD
from vnvision.losses.margin.comparison import unit_rows
from vnvision.losses.partial_fc.collectives import Ranks
from vnvision.losses.partial_fc.sampling import first_rows
from vnvision.losses.partial_fc.sharding import Shard, split

if TYPE_CHECKING:
    from vnvision.losses.partial_fc.layer import PartialFC


def add(layer: PartialFC, count: int, centres: torch.Tensor | None, key: int) -> range:
    """Append classes to a layer and spread all classes over the ranks anew.

    Args:
        layer: between steps.
        count: how many.
        centres: (count, D) directions for them, such as the mean embedding of each new person (Qi, Brown,
            Lowe 2018, "Low-Shot Learning with Imprinted Weights"); None draws them. All centres of a
            class start there, apart from some noise.
        key: of the draw.

    Returns:
        The new classes' numbers. Their optimiser state starts at zero.

    Raises:
        DataError: no or negative count, centres of another shape, or other arguments on another rank.
    """
    if count < 1:
        raise DataError("identities to add", expected="1 or more", got=str(count))
    if centres is not None and tuple(centres.shape) != (count, layer.dim):
        raise DataError(
            "centres of the identities to add",
            expected=str((count, layer.dim)),
            got=str(tuple(centres.shape)),
        )
    values = b"" if centres is None else centres.detach().float().cpu().contiguous().numpy().tobytes()
    _same_everywhere(layer.ranks, b"add %d " % count + values, layer.weight.device)
    old = layer.n_classes
    sources = torch.cat((torch.arange(old), torch.full((count,), -1)))
    _rearrange(layer, sources, _first(layer, old, count, centres, key))
    layer.generation += 1
    return range(old, old + count)


def remove(layer: PartialFC, classes: Sequence[int]) -> torch.Tensor:
    """Take classes out; those behind them move up, and all are spread over the ranks anew.

    Args:
        layer: between steps.
        classes: their numbers; one named twice counts once.

    Returns:
        (n_classes before,) int64: the new number of each class, -1 for the removed.

    Raises:
        DataError: a number out of range, or fewer classes left than ranks.
    """
    wrong = [number for number in classes if not 0 <= number < layer.n_classes]
    if wrong:
        raise DataError(
            "identities to remove", expected=f"0 to {layer.n_classes - 1}", got=", ".join(map(str, wrong[:5]))
        )
    kept = torch.ones(layer.n_classes, dtype=torch.bool)
    kept[torch.as_tensor(list(classes), dtype=torch.int64)] = False
    left = int(kept.sum())
    if left < layer.ranks.world:
        raise DataError(
            "identities left after removal", expected=f"at least {layer.ranks.world}", got=str(left)
        )
    _same_everywhere(layer.ranks, f"remove {sorted(set(classes))}".encode(), layer.weight.device)
    _rearrange(layer, kept.nonzero()[:, 0], None)
    return torch.where(kept, kept.cumsum(0) - 1, -1)


def _first(layer: PartialFC, old: int, count: int, centres: torch.Tensor | None, key: int) -> torch.Tensor:
    """(count, K * D) rows of the new classes."""
    drawn = first_rows(Shard(old, old + count), layer.sub_centres * layer.dim, key)
    if centres is None:
        return drawn
    unit, _ = unit_rows(centres.detach().float().cpu())
    placed = (unit * SPREAD * layer.dim**0.5).repeat(1, layer.sub_centres)  # as long as a drawn centre
    return placed if layer.sub_centres == 1 else placed + 0.1 * drawn


def _rearrange(layer: PartialFC, sources: torch.Tensor, new: torch.Tensor | None) -> None:
    """Class c becomes what ``sources[c]`` was; -1 takes the next of ``new``."""
    ranks, rows = layer.ranks, layer.rows
    old_shards = split(layer.n_classes, ranks.world)
    shard = split(len(sources), ranks.world)[ranks.rank]
    mine = sources[shard.start : shard.end]
    moved = {name: _moved(part, mine, old_shards, ranks) for name, part in rows.state().items()}
    weight = _moved(rows.weight, mine, old_shards, ranks)
    if new is not None:
        fresh = (sources < 0).cumsum(0)[shard.start : shard.end][mine < 0] - 1
        by_class = weight.view(len(shard), -1)
        by_class[(mine < 0).to(weight.device)] = new[fresh].to(weight)
    layer.n_classes = len(sources)
    rows.put(weight, moved, len(shard))


def _moved(part: torch.Tensor, mine: torch.Tensor, shards: list[Shard], ranks: Ranks) -> torch.Tensor:
    """(classes here * K, D) -> the rows of the classes ``mine``, each rank's in turn; zeros for -1."""
    held = part.view(len(shards[ranks.rank]), -1)
    out = held.new_zeros((len(mine), held.shape[1]))
    for rank, shard in enumerate(shards):
        chunk = held if rank == ranks.rank else held.new_empty((len(shard), held.shape[1]))
        ranks.share(chunk, rank)
        wanted = ((mine >= shard.start) & (mine < shard.end)).nonzero()[:, 0]
        out[wanted.to(out.device)] = chunk[(mine[wanted] - shard.start).to(out.device)]
    return out.view(-1, part.shape[1])


def _same_everywhere(ranks: Ranks, said: bytes, device: torch.device) -> None:
    mark = torch.tensor([zlib.crc32(said)], device=device)
    if len(set(ranks.gather(mark).tolist())) > 1:
        raise DataError(
            "identities to add or remove", expected="the same on every rank", got="different ones"
        )
