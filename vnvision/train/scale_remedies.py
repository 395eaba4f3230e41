"""What would make a training step fit on a machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from vnvision.train.scale import Machine, Work, fits, memory

_LEAST_PICTURES = 8  # of a micro-batch on one device: BatchNorm's statistics need some
_MANY_PEOPLE = 50_000  # below, sampled classes cost accuracy and save little
_SAMPLE_RATE = 0.1  # An et al. 2022 lose nothing measurable at this rate with many people
Change = tuple[dict[str, Any], str]
Option = Callable[[Work, Machine], Iterator[Change]]


def remedies(work: Work, machine: Machine) -> list[str]:
    """Changes to the configuration, one after another until a step fits; empty where it does already.

    Cheap ones first; a change that saves nothing is left out. Where all of them do not help, the last word
    is a number of devices, on which the batch may stay as it is, or that no number of these helps.
    """
    said: list[str] = []
    spread, said_before = work, said
    for option in _OPTIONS:
        if fits(work, machine):
            return said
        if option is _smaller:
            spread, said_before = work, said
        changed, words = _helped(work, machine, option)
        work, said = changed, [*said, *words]
    return said if fits(work, machine) else [*said_before, _more_devices(spread, machine)]


def _helped(work: Work, machine: Machine, option: Option) -> tuple[Work, list[str]]:
    """The option's mildest change with which a step fits, else its last that saves something."""
    best, said = work, list[str]()
    for changes, words in option(work, machine):
        changed = dataclasses.replace(work, **changes)
        if _total(changed, machine) < _total(best, machine):
            best, said = changed, [words]
        if fits(best, machine):
            break
    return best, said


def _on_disk(work: Work, machine: Machine) -> Iterator[Change]:
    yield {"resident": False}, "resident=false"


def _sampled(work: Work, machine: Machine) -> Iterator[Change]:
    if work.n_classes > _MANY_PEOPLE and work.sample_rate > _SAMPLE_RATE:
        yield {"sample_rate": _SAMPLE_RATE}, f"embedding.sample_rate={_SAMPLE_RATE}"


def _again(work: Work, machine: Machine) -> Iterator[Change]:
    yield {"checkpointing": True}, "checkpointing=true"


def _smaller(work: Work, machine: Machine) -> Iterator[Change]:
    batch, accumulate = work.batch_size, work.accumulate
    while batch % (2 * machine.devices) == 0 and batch // (2 * machine.devices) >= _LEAST_PICTURES:
        batch, accumulate = batch // 2, accumulate * 2
        yield {"batch_size": batch, "accumulate": accumulate}, f"batch_size={batch} accumulate={accumulate}"


def _one_state(work: Work, machine: Machine) -> Iterator[Change]:
    yield {"optimiser": "sgd"}, "optimiser=sgd"


_OPTIONS: tuple[Option, ...] = (
    _on_disk, _sampled, _again, _smaller, _one_state,
)  # fmt: skip


def _more_devices(work: Work, machine: Machine) -> str:
    for times in (2, 4, 8, 16, 32, 64, 128):
        more = dataclasses.replace(machine, devices=machine.devices * times)
        batch = max(work.batch_size, _LEAST_PICTURES * more.devices)
        batch = -(-batch // more.devices) * more.devices
        if fits(dataclasses.replace(work, batch_size=batch), more):
            return f"{more.devices} such devices"
    return "a device with more memory"


def _total(work: Work, machine: Machine) -> int:
    return memory(work, machine.devices, runtime=machine.runtime).total
