"""Samples of tar shards one after another: shared over ranks and workers, shuffled by key, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vnvision.data.records.shard_set import ShardSample, ShardSet
from vnvision.errors import ConfigError

_SHARDS, _BUFFER = 7937, 7949


class ShardReader:
    """One epoch's samples for one worker of one rank.

    Shards are dealt out whole: each sample comes to exactly one worker. With a buffer the shards come in an
    order that follows from (seed, epoch), and each sample is drawn at random from the next ``shuffle`` ones.
    The order is known before a picture is read, so going on inside an epoch reads nothing twice.

    Args:
        path: the index, or its folder.
        seed: with the epoch it keys the order.
        epoch: which.
        shuffle: samples to draw from; 0 gives the order of the files.
        rank: of this process.
        world: processes.
        worker: of this rank.
        workers: of each rank.
        start: samples of this worker to pass over: ``position`` of the reader that was stopped.

    Attributes:
        position: samples given so far, those passed over included.

    Raises:
        ConfigError: numbers out of range, or fewer shards than there are workers over all ranks.
        DataError: no index, or a damaged one; while reading, a damaged shard.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        seed: int = 0,
        epoch: int = 0,
        shuffle: int = 0,
        rank: int = 0,
        world: int = 1,
        worker: int = 0,
        workers: int = 1,
        start: int = 0,
    ) -> None:
        if not (0 <= rank < world and 0 <= worker < workers and start >= 0 and shuffle >= 0):
            raise ConfigError(
                "share of the shards",
                expected="rank below world, worker below workers, nothing below 0",
                got=f"rank {rank} of {world}, worker {worker} of {workers}, from {start}, buffer {shuffle}",
            )
        self._set = ShardSet(path)
        counts = [shard.n for shard in self._set.index.shards]
        if len(counts) < world * workers:
            raise ConfigError(
                "fewer shards than workers",
                expected=f"{world * workers} shards or more for {world} ranks of {workers} workers",
                got=str(len(counts)),
                fix="pack again with a smaller --shard-mb, or take fewer workers",
            )
        order = np.arange(len(counts))
        if shuffle:
            order = np.random.default_rng((seed, _SHARDS, epoch)).permutation(len(counts))
        self._mine = order[rank * workers + worker :: world * workers].tolist()
        self._counts = counts
        self._key = (seed, _BUFFER, epoch, rank, worker)
        self._shuffle = shuffle
        self.position = start

    def __len__(self) -> int:
        """Samples that are left."""
        return max(0, sum(self._counts[shard] for shard in self._mine) - self.position)

    def __iter__(self) -> Iterator[ShardSample]:
        for number, (shard, place) in enumerate(self._order()):
            if number >= self.position:
                self.position = number + 1
                yield self._set.sample(shard, place)

    def _order(self) -> Iterator[tuple[int, int]]:
        """(shard, place) of each sample."""
        places = ((shard, place) for shard in self._mine for place in range(self._counts[shard]))
        if not self._shuffle:
            yield from places
            return
        rng = np.random.default_rng(self._key)
        waiting: list[tuple[int, int]] = []
        for one in places:
            if len(waiting) < self._shuffle:
                waiting.append(one)
                continue
            at = int(rng.integers(self._shuffle))
            yield waiting[at]
            waiting[at] = one
        yield from (waiting[at] for at in rng.permutation(len(waiting)).tolist())
