"""Batches of P people with K pictures each, and weights that make up for people with few or many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vnvision.data.sampling import sample_weights
from vnvision.errors import ConfigError, DataError

Key = tuple[int, int]
_ORDER, _PICTURES = 7927, 7933


class IdentityBatches:
    """Batches of (epoch, index) for the steps ``start`` to ``stop``, one rank's people of each.

    A batch over all ranks has ``people`` different persons with ``pictures`` each; a person with fewer shows
    some of them again, as rarely as can be. Without weights every person is in an epoch at most once, and
    each draws other pictures in each epoch. Everything follows from (seed, epoch) and (seed, step), so that a
    run starts again at any step, and the union over ranks does not depend on their number.

    Source: Hermans et al. 2017, "In Defense of the Triplet Loss for Person Re-Identification".

    Args:
        codes: (N,) whole numbers, the person that each picture shows; -1 is unknown and never drawn.
        people: P, over all ranks.
        pictures: K.
        seed: of the order.
        start: first step.
        stop: the step behind the last.
        rank: of this process.
        world: processes.
        weights: (C,) of each person by code, 0 or more; people are then drawn in proportion to them, without
            replacement in a batch (Efraimidis and Spirakis 2006). None visits everybody alike.

    Attributes:
        per_epoch: steps of an epoch.

    Raises:
        DataError: codes or weights of another shape or range, or fewer people than a batch has.
        ConfigError: sizes below 1, or people that do not divide over the ranks.
    """

    def __init__(
        self,
        codes: np.ndarray,
        people: int,
        pictures: int,
        *,
        seed: int,
        start: int,
        stop: int,
        rank: int = 0,
        world: int = 1,
        weights: np.ndarray | None = None,
    ) -> None:
        for name, value in (("people", people), ("pictures", pictures), ("world", world)):
            if value < 1:
                raise ConfigError(f"{name} of a batch", expected="1 or more", got=str(value))
        if people % world or not 0 <= rank < world or not 0 <= start <= stop:
            raise ConfigError(
                "people of a batch do not divide over the processes",
                expected=f"a multiple of {world}, a rank in 0..{world - 1}, and steps in order",
                got=f"{people} people, rank {rank}, steps {start}..{stop}",
            )
        self._group(_whole_numbers(codes))
        self.people, self.pictures, self.seed = people, pictures, seed
        self.start, self.stop, self.rank, self.world = start, stop, rank, world
        self.weights = None if weights is None else self._checked(weights)
        able = len(self._persons) if self.weights is None else int((self.weights > 0).sum())
        if able < people:
            raise DataError(
                "too few people for a batch",
                expected=f"{people} with a picture and a weight above 0",
                got=str(able),
                fix="take fewer people a batch",
            )
        self.per_epoch = len(self._persons) // people

    def _group(self, codes: np.ndarray) -> None:
        order = np.argsort(codes, kind="stable")
        self._rows = order[int((codes < 0).sum()) :]
        self._persons, self._starts = np.unique(codes[self._rows], return_index=True)
        self._counts = np.diff(np.append(self._starts, len(self._rows)))

    def _checked(self, weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights, np.float64)
        fits = weights.ndim == 1 and len(weights) > self._persons.max(initial=-1)
        if not fits or not np.isfinite(weights).all() or (weights < 0).any():
            expected = f"{int(self._persons.max(initial=-1)) + 1} finite numbers from 0"
            raise DataError("weights of people", expected=expected, got=str(weights.shape))
        return weights[self._persons]

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[Key]]:
        share = self.people // self.world
        mine = slice(self.rank * share, (self.rank + 1) * share)
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.stop):
            now, place = divmod(step, self.per_epoch)
            if self.weights is not None:
                chosen = self._drawn(step)
            else:
                if now != epoch:
                    order = np.random.default_rng((self.seed, _ORDER, now)).permutation(len(self._persons))
                chosen = order[place * self.people : (place + 1) * self.people]
            epoch = now
            yield [(epoch, row) for person in chosen[mine].tolist() for row in self._shown(person, step)]

    def _drawn(self, step: int) -> np.ndarray:
        assert self.weights is not None
        rng = np.random.default_rng((self.seed, _ORDER, step))
        with np.errstate(divide="ignore"):
            race = rng.exponential(size=len(self.weights)) / self.weights  # the first to arrive are drawn
        return np.argsort(race, kind="stable")[: self.people]

    def _shown(self, person: int, step: int) -> list[int]:
        when = step // self.per_epoch if self.weights is None else step
        rng = np.random.default_rng((self.seed, _PICTURES, when, person))
        count = int(self._counts[person])
        rounds = -(-self.pictures // count)
        order = np.concatenate([rng.permutation(count) for _ in range(rounds)])[: self.pictures]
        rows: list[int] = self._rows[self._starts[person] + order].tolist()
        return rows


def picture_weights(
    codes: np.ndarray, *, power: float = 0.5, groups: np.ndarray | None = None, group_power: float = 1.0
) -> np.ndarray:
    """Weight of each picture for a weighted sampler: 1 on average over those that can be drawn.

    A picture of a person with n pictures weighs n ** -power: 0 draws every picture alike, 1 every person, and
    0.5, 1 / sqrt(n), lies between. With groups (region, demographic group) the weights of each group are then
    scaled so that a group of m pictures is drawn in proportion to m ** (1 - group_power): 1 draws every group
    alike.

    Args:
        codes: (N,) person of each picture, -1 unknown.
        power: 0 or more.
        groups: (N,) group of each picture, -1 unknown.
        group_power: 0 or more.

    Returns:
        (N,) float64; 0 where the person, or the group where groups are given, is unknown.

    Raises:
        DataError: other shapes or values, or a negative power.
    """
    codes = _whole_numbers(codes)
    if groups is None:
        return sample_weights(codes, int(codes.max(initial=-1)) + 1, power)
    groups = _whole_numbers(groups)
    if groups.shape != codes.shape:
        raise DataError("groups of pictures", expected=f"({len(codes)},)", got=str(groups.shape))
    known = (codes >= 0) & (groups >= 0)
    n_people, n_groups = int(codes.max(initial=-1)) + 1, int(groups.max(initial=-1)) + 1
    weights = sample_weights(np.where(known, codes, -1), n_people, power)
    wanted = sample_weights(np.where(known, groups, -1), n_groups, group_power)
    for group in np.unique(groups[known]).tolist():
        rows = known & (groups == group)
        weights[rows] *= wanted[rows].sum() / weights[rows].sum()
    return weights


def people_weights(groups: np.ndarray, power: float = 1.0) -> np.ndarray:
    """Weight of each person by their group, for ``IdentityBatches``: rare groups come as often as others.

    Args:
        groups: (C,) group of each person by code, -1 unknown: never drawn.
        power: 1 draws every group alike, 0 every person.

    Returns:
        (C,) float64, 1 on average over people with a group.

    Raises:
        DataError: other shapes or values, or a negative power.
    """
    groups = _whole_numbers(groups)
    return sample_weights(groups, int(groups.max(initial=-1)) + 1, power)


def _whole_numbers(codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu" or (codes.size and codes.min() < -1):
        got = f"{codes.dtype} {codes.shape}"
        raise DataError("codes of people or groups", expected="(N,) whole numbers from -1", got=got)
    return codes.astype(np.int64)
