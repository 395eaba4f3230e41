"""Partial FC: the last layer of face training, for more identities than one device holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from vnvision.losses.margin.head import MarginHead
from vnvision.losses.partial_fc import checkpoint, checks, identities
from vnvision.losses.partial_fc.batches import BatchCheck
from vnvision.losses.partial_fc.collectives import GatherEmbeddings, Ranks
from vnvision.losses.partial_fc.lending import attach
from vnvision.losses.partial_fc.loss import autocast_type, compare_shard, sharded_loss
from vnvision.losses.partial_fc.rows import CentreRows
from vnvision.losses.partial_fc.sampling import first_rows, keyed_number, sample
from vnvision.losses.partial_fc.sharding import Shard, split

_FIRST, _DRAW = 1, 2  # what a key is for


class PartialFC(torch.nn.Module):
    """Class centres sharded over ranks, of which a step compares a part.

    An et al. 2021, "Partial FC: Training 10 Million Identities on a Single Machine", and 2022, "Killing Two
    Birds with One Stone". Each rank holds a range of classes and compares with it the embeddings of all
    ranks. The classes of the batch are always compared, every other one with chance ``sample_rate``: a chance
    keyed by (seed, step, class), which neither a resume nor the number of ranks changes.

    The gradient that reaches ``embeddings`` is ``world`` times that of the loss, which is the mean over the
    global batch; DistributedDataParallel's average over ranks then gives the backbone exactly the gradient
    of that loss. Class centres and a head's own parameters get it as it is: do not wrap this layer.

    An optimiser steps only the sampled centres. Between its visits a centre, its momentum and its moments
    rest: neither weight decay nor the moments' decay touches them. Adam's ``step`` counts optimiser steps,
    not visits, as in torch's SparseAdam: a centre first met late moves (1 - beta1) / sqrt(1 - beta2) times
    the learning rate at first, 3.2 times with the usual betas.

    Cosines are float32, or matrix products in autocast's type inside autocast; all that follows is float32.

    Args:
        head: a margin head.
        n_classes: identities over all ranks.
        dim: length D of an embedding.
        sample_rate: chance of a class that the batch does not hold, in (0, 1]; 1 is the full softmax.
        sub_centres: K, centres a class; take ``head.sub_centres``.
        filter_cosine: leave out negatives whose cosine to the embedding is above this; None keeps all.
        seed: keys first centres and draws.
        group: process group; None is the default one, or one process.

    Raises:
        ConfigError: an argument out of range, or fewer classes than ranks.
    """

    def __init__(
        self,
        head: MarginHead,
        n_classes: int,
        dim: int,
        *,
        sample_rate: float = 1.0,
        sub_centres: int = 1,
        filter_cosine: float | None = None,
        seed: int = 0,
        group: Any = None,
    ) -> None:
        super().__init__()
        checks.check_options(n_classes, dim, sub_centres, sample_rate, filter_cosine)
        self.head, self.n_classes, self.dim, self.sub_centres = head, n_classes, dim, sub_centres
        self.sample_rate, self.filter_cosine, self.seed = float(sample_rate), filter_cosine, seed
        self.ranks = Ranks.of(group)
        self.batches = BatchCheck(dim, self.ranks)
        self.generation = 0  # how often identities were added
        width = sub_centres * dim
        first = first_rows(self.shard, width, self._key(_FIRST, 0)).view(-1, dim)
        self.rows = CentreRows(first, len(self.shard), sampling=self.sample_rate < 1.0)
        if self.ranks.world > 1:
            for parameter in head.parameters():
                parameter.register_hook(lambda grad: self.ranks.add(grad.clone()))

    @property
    def shard(self) -> Shard:
        """Classes held here."""
        return split(self.n_classes, self.ranks.world)[self.ranks.rank]

    @property
    def weight(self) -> torch.Tensor:
        """(classes held here * K, D) centres, as of the last optimiser step; without gradient."""
        return self.rows.weight

    @property
    def sampled(self) -> torch.nn.Parameter:
        """The centres an optimiser steps: all held here, or between forward and step the sampled ones."""
        return self.rows.sampled

    @property
    def sampled_classes(self) -> torch.Tensor | None:
        """(S,) numbers of the classes lent to the optimiser; None without sampling, or between steps."""
        return None if self.rows.index is None else self.rows.index + self.shard.start

    def attach(self, optimiser: torch.optim.Optimizer) -> None:
        """Name the optimiser that steps ``parameters()``; before training and before ``load_shards``.

        From then on its state of the centres is kept here, not in ``optimiser.state``.

        Raises:
            ConfigError: it does not hold the parameters.
            ModelError: the state kept is of another kind of optimiser.
        """
        attach(self.rows, optimiser)

    def forward(
        self, embeddings: torch.Tensor, target: torch.Tensor, step: int | None = None
    ) -> torch.Tensor:
        """Mean loss over the batches of all ranks, the same number on each.

        Args:
            embeddings: (n, D) raw embeddings of this rank, n the same on all ranks.
            target: (n,) int64 classes, 0 to n_classes - 1.
            step: number of the optimiser step; needed in training when sample_rate < 1. Micro-batches of
                one step share it; each compares also the classes that those before it drew.

        Raises:
            DataError: shapes or classes are wrong on any rank; the same on all. See ``BatchCheck`` for when.
            ConfigError: sampling without ``step`` or without ``attach``.
        """
        sampling = self.training and self.rows.sampling
        if sampling:
            checks.check_ready(step, self.rows.optimiser)
        embeddings, target = self.batches(embeddings, target, self.n_classes, step)
        low = autocast_type(embeddings.device.type)
        with torch.autocast(embeddings.device.type, enabled=False):
            everyone = GatherEmbeddings.apply(embeddings, self.ranks).to(self.weight.dtype)
            targets = self.ranks.gather(target)
            centres = self._centres(targets, step)
            comparison = compare_shard(
                everyone,
                centres,
                self._columns(targets, self.rows.index if sampling else None),
                self.ranks,
                n_classes=self.n_classes,
                sub_centres=self.sub_centres,
                low=low,
            )
            return sharded_loss(self.head, comparison, self.ranks, self.filter_cosine)

    def settle(self) -> None:
        """Check the last batch, as ``forward`` does the one before; for a GPU, at the end of a training."""
        self.batches.settle()

    def add_identities(self, count: int, centres: torch.Tensor | None = None) -> range:
        """Append classes, between steps, the same on every rank; see ``identities.add``."""
        self.batches.settle()
        return identities.add(self, count, centres, self._key(_FIRST, self.generation + 1))

    def remove_identities(self, classes: Sequence[int]) -> torch.Tensor:
        """Take classes out, between steps, the same on every rank; see ``identities.remove``."""
        self.batches.settle()
        return identities.remove(self, classes)

    def save_shard(self, folder: str | Path, *, step: int) -> Path:
        """Write this rank's classes, between steps; every rank calls it. See ``checkpoint.save_shard``."""
        return checkpoint.save_shard(self, Path(folder), step)

    def load_shards(self, files: Sequence[str | Path], *, optimiser: bool = True) -> int:
        """Read the files of any number of ranks; returns their step. See ``checkpoint.load_shards``."""
        return checkpoint.load_shards(self, [Path(file) for file in files], optimiser=optimiser)

    def reset_state(self) -> None:
        """Forget the optimiser state of all centres held here."""
        self.rows.put(self.weight, {}, len(self.shard))
        self.rows.scalars, self.rows.made_by = {}, ""

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return (
            f"n_classes={self.n_classes}, dim={self.dim}, sub_centres={self.sub_centres}, "
            f"sample_rate={self.sample_rate}, classes {self.shard.start}..{self.shard.end - 1} "
            f"on rank {self.ranks.rank} of {self.ranks.world}"
        )

    def _key(self, purpose: int, number: int) -> int:
        return keyed_number(self.seed, purpose, number)

    def _centres(self, targets: torch.Tensor, step: int | None) -> torch.Tensor:
        if not self.training:
            return self.weight
        index, at = None, -1 if step is None else step
        if self.rows.sampling:
            index = sample(self.shard, targets, self.sample_rate, self._key(_DRAW, at))
        return self.rows.lend(index, at)

    def _columns(self, targets: torch.Tensor, index: torch.Tensor | None) -> torch.Tensor:
        """(N,) column of each row's own class here, -1 where another rank holds it."""
        local = targets - self.shard.start
        held = (local >= 0) & (local < len(self.shard))
        at = local if index is None else torch.searchsorted(index, local)
        return torch.where(held, at, -1)
