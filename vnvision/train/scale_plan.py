"""A training plan in words: what a configuration takes on which machine, and what would make it fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from vnvision.data.records.sources import is_packed
from vnvision.errors import ConfigError
from vnvision.losses.margin import build_head
from vnvision.train.config import TrainConfig
from vnvision.train.embedding_config import EmbeddingConfig
from vnvision.train.faces import check_classes, identities
from vnvision.train.packed import open_data, splits_of
from vnvision.train.resident import keeps_resident
from vnvision.train.scale import FITS, Machine, Work, fits, memory
from vnvision.train.scale_net import network_cost
from vnvision.train.scale_remedies import remedies
from vnvision.train.scale_time import seconds, steps_per_epoch

_GB, _GIB = 10**9, 1 << 30


def _h200(name: str, devices: int, link: float = float("inf")) -> Machine:
    return Machine(name, devices, 141 * _GB, 495e12, 989e12, 4.8e12, link)


MACHINES = (
    Machine("laptop, 16 GB, CPU", 1, 12 * _GIB, 0.4e12, 0.4e12, 50e9),
    Machine("one GPU of 24 GB", 1, 24 * _GIB, 82e12, 165e12, 1.0e12),
    _h200("one H200", 1),
    _h200("eight H200, one node", 8, 450e9),
    _h200("32 H200, four nodes", 32, 50e9),
)
"""Figures of the makers' data sheets (dense products; float32 in TF32 on GPUs), a laptop's four quick cores.

Links: NVLink of 900 GB/s in both directions together; 400 Gbit/s a GPU between nodes.
"""
MANIFEST_ROW_BYTES, _MANIFEST_ROW_S = 1200, 1.4e-4  # measured on 40,000 rows of four columns
PACKED_ROW_BYTES = 70  # a .rec, with its targets: training/benchmarks/packed_loader_speed.py
PICTURES_A_PERSON = 20
"""Taken where a plan is for people who are not in a manifest."""


def work_of(config: TrainConfig, n_classes: int, n_pictures: int, *, mixed: bool, memory: int) -> Work:
    """The phase of a configuration that takes most memory.

    Args:
        config: of an embedding.
        n_classes: people of the training split.
        n_pictures: of it.
        mixed: 16 bit products.
        memory: bytes of the device, which ``resident: auto`` looks at.

    Raises:
        ConfigError: another task, or an unknown network or head.
    """
    embedding = _embedding(config)
    head = build_head(embedding.head, **embedding.head_options)
    stages = [
        network_cost(
            config.backbone,
            embedding.size,
            size_px=config.size_px,
            train=phase.train,
            mixed=mixed,
            lora=embedding.lora,
        )
        for phase in config.phases
    ]
    start = embedding.distill is not None and embedding.distill.teacher == "start"
    works = [
        Work(
            stages=part,
            embedding_size=embedding.size,
            n_classes=n_classes if embedding.margin_weight > 0 else 0,
            n_pictures=n_pictures,
            batch_size=config.batch_size,
            accumulate=config.accumulate,
            optimiser=config.optimiser,
            mixed=mixed,
            sample_rate=embedding.sample_rate,
            sub_centres=head.sub_centres,
            checkpointing=config.checkpointing,
            ema=config.ema is not None,
            teacher=sum(stage.parameters for stage in part) if start else 0,
            resident=keeps_resident(
                "auto" if config.resident is not False else False, n_pictures, config.size_px, memory
            ),
            size_px=config.size_px,
        )
        for part in stages
    ]
    return max(works, key=lambda work: _peak(work))


def counted(config: TrainConfig) -> tuple[int, int]:
    """People and pictures of the training split of the configuration's data; all of it without splits."""
    column = _embedding(config).identity
    data = open_data(config.data, identity=column)
    train = data.split(config.train_split) if splits_of(data) or not is_packed(config.data) else data
    codes = identities(train, column)
    return check_classes(codes, f"the training split of {train.path}"), int((codes >= 0).sum())


def row(work: Work, machine: Machine, *, faces_per_s: float | None = None) -> list[str]:
    """One line of the table: machine, memory with its largest parts, time, verdict."""
    if work.batch_size % machine.devices:
        work = dataclasses.replace(work, batch_size=-(-work.batch_size // machine.devices) * machine.devices)
    taken = memory(work, machine.devices, runtime=machine.runtime)
    parts = {field.name: getattr(taken, field.name) for field in dataclasses.fields(taken)}
    largest = sorted(parts.items(), key=lambda item: -item[1])[:3]
    ready = fits(work, machine)
    step = seconds(work, machine, faces_per_s=faces_per_s).total
    verdict = "fits" if ready else "does not fit; " + ", ".join(remedies(work, machine))
    return [
        machine.name,
        f"{taken.total / _GIB:.1f} of {machine.memory / _GIB:.0f} GiB",
        ", ".join(f"{name} {size / _GIB:.1f}" for name, size in largest),
        _span(step) if ready else "-",
        _span(step * steps_per_epoch(work)) if ready else "-",
        verdict,
    ]


def plan(config: TrainConfig, people: Sequence[int] = (), machines: Sequence[Machine] = MACHINES) -> str:
    """What ``vnvision train CONFIG --plan`` prints.

    Args:
        config: of an embedding.
        people: numbers of identities to plan for; those of the manifest, if none.
        machines: where.

    Raises:
        ConfigError: another task.
        DataError: no manifest, where no people are given.
    """
    cases = [(n, n * PICTURES_A_PERSON) for n in people] or [counted(config)]
    lines = [
        f"{config.backbone}, D = {_embedding(config).size}, batch {config.batch_size}"
        f" x {config.accumulate}, {config.optimiser}, sample_rate {_embedding(config).sample_rate}"
    ]
    for n_classes, n_pictures in cases:
        table = [["", "memory a device", "most of it, GiB", "a step", "an epoch", ""]]
        for machine in machines:
            mixed = _mixed(config, machine)
            work = work_of(config, n_classes, n_pictures, mixed=mixed, memory=machine.memory)
            table.append(row(work, machine))
        lines += ["", f"{n_classes:,} people, {n_pictures:,} pictures", *_aligned(table)]
        lines += [_host(n_pictures, packed=is_packed(config.data))]
    share = round(100 * FITS)
    lines += ["", f"Memory: a step fits up to {share} % of a device. Workers that read pictures come on top."]
    lines += ["Times assume 30 % of a device's best and ready pictures; they are not measured."]
    return "\n".join(lines) + "\n"


def _host(n_pictures: int, *, packed: bool) -> str:
    if packed:
        size = n_pictures * PACKED_ROW_BYTES / _GIB
        return f"The index of the packed set takes {size:.1f} GiB of host memory in each process."
    size, reading = n_pictures * MANIFEST_ROW_BYTES / _GIB, _span(n_pictures * _MANIFEST_ROW_S)
    return f"The manifest takes {size:.1f} GiB of host memory in each process, and {reading} to read."


def _mixed(config: TrainConfig, machine: Machine) -> bool:
    """As a run resolves ``precision: auto``: 16 bit on GPUs."""
    return (
        machine.flops_mixed > machine.flops if config.precision == "auto" else config.precision != "32-true"
    )


def _embedding(config: TrainConfig) -> EmbeddingConfig:
    if config.embedding is None:
        raise ConfigError("no plan for this task", expected="task: embedding", got=config.task)
    return config.embedding


def _peak(work: Work) -> int:
    return memory(work).total


def _span(s: float) -> str:
    for limit, unit, size in ((1, "ms", 1e-3), (120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if s < limit:
            return f"{s / size:.3g} {unit}"
    return f"{s / 86_400:.3g} days"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
