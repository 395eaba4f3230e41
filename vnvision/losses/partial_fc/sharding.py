"""Which classes a rank holds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from vnvision.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Shard:
    """Classes ``start`` to ``end - 1``.

    Attributes:
        start: the first class held.
        end: one past the last.
    """

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def split(n_classes: int, world: int) -> list[Shard]:
    """Consecutive ranges, one a rank; sizes differ by one at most, the larger ones first.

    Raises:
        ConfigError: fewer classes than ranks.
    """
    if n_classes < world:
        raise ConfigError(
            "classes over ranks",
            expected=f"at least {world} classes for {world} ranks",
            got=str(n_classes),
            fix="use fewer processes",
        )
    size, spare = divmod(n_classes, world)
    starts = [rank * size + min(rank, spare) for rank in range(world + 1)]
    return [Shard(start, end) for start, end in itertools.pairwise(starts)]
