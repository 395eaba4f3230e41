"""Iterative stratification: dealing units that must stay whole into parts of given sizes, label by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows that must stay together.

    Attributes:
        size: how many rows.
        labels: how many of them have each label; rows without any label are counted in ``size`` only.
    """

    size: int
    labels: Mapping[int, int]


def deal(units: Sequence[Unit], shares: Sequence[float], seed: int) -> list[int]:
    """Part index of each unit.

    Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data", algorithm 1, with
    two changes because a unit can hold many rows: within a label large units go first, so that small ones
    level what they leave; and once a label has no more units left than there are parts without it, only
    those parts are dealt to, so that a label with enough units reaches every part. The same holds for units
    as such, so that no part stays empty.

    Args:
        units: what to deal.
        shares: fraction of the rows each part wants; they add up to 1.
        seed: of the random order among equals. Equal arguments give equal parts.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(units)).tolist()
    wanted = np.asarray(shares, dtype=np.float64)
    n_labels = 1 + max((label for unit in units for label in unit.labels), default=-1)
    totals = np.zeros(n_labels)
    waiting: list[list[int]] = [[] for _ in range(n_labels)]
    for i in order:
        for label, count in units[i].labels.items():
            totals[label] += count
            waiting[label].append(i)
    table = _Parts(
        waiting=len(units),
        rows=wanted * sum(unit.size for unit in units),
        labels=totals[:, None] * wanted,
        units=np.zeros((n_labels, len(wanted)), dtype=np.int64),
        all_units=np.zeros(len(wanted), dtype=np.int64),
        rng=rng,
    )
    part = [-1] * len(units)
    left = totals.copy()
    for _ in range(n_labels):
        label = int(np.argmin(np.where(left > 0, left, np.inf)))
        if left[label] <= 0:
            break
        queue = [i for i in waiting[label] if part[i] < 0]
        queue.sort(key=lambda i: -units[i].labels[label])
        for position, i in enumerate(queue):
            part[i] = table.choose(label, len(queue) - position)
            table.give(units[i], part[i])
            for other, count in units[i].labels.items():
                left[other] -= count
    for i in sorted((i for i in order if part[i] < 0), key=lambda i: -units[i].size):
        part[i] = table.choose(None, 0)
        table.give(units[i], part[i])
    return part


@dataclass(slots=True)
class _Parts:
    """How many rows, and rows of each label, every part still wants; how many units of a label it has."""

    waiting: int  # units not dealt yet
    rows: np.ndarray  # (parts,)
    labels: np.ndarray  # (labels, parts)
    units: np.ndarray  # (labels, parts)
    all_units: np.ndarray  # (parts,)
    rng: np.random.Generator

    def choose(self, label: int | None, remaining: int) -> int:
        """The part that wants this label most, then rows most, then by lot."""
        best = _lacking(np.arange(len(self.rows)), self.all_units, self.waiting)
        if label is not None:
            best = _lacking(best, self.units[label], remaining)
            best = _most(best, self.labels[label])
        best = _most(best, self.rows)
        return int(best[0] if len(best) == 1 else self.rng.choice(best))

    def give(self, unit: Unit, part: int) -> None:
        """Deal a unit to a part."""
        self.waiting -= 1
        self.all_units[part] += 1
        self.rows[part] -= unit.size
        for label, count in unit.labels.items():
            self.labels[label, part] -= count
            self.units[label, part] += 1


def _lacking(among: np.ndarray, units: np.ndarray, remaining: int) -> np.ndarray:
    """Those without any unit, where the remaining units only just suffice for them; else all."""
    empty: np.ndarray = among[units[among] == 0]
    return empty if empty.size and remaining <= len(empty) else among


def _most(among: np.ndarray, need: np.ndarray) -> np.ndarray:
    """Those whose need is the largest; sums of fractions are compared with a margin."""
    needs = need[among]
    most: np.ndarray = among[needs >= needs.max() - 1e-9]
    return most
