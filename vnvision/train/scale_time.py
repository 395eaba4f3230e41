"""Time of a face training step, from a measured or an assumed speed of the network."""

from __future__ import annotations

from dataclasses import dataclass

from vnvision.losses.partial_fc.memory import STATES
from vnvision.train.scale import FLOAT, Machine, Work, per_device

_BACKWARD = 2  # multiply-accumulates of a backward pass for each of the forward pass
_CENTRE_PASSES = 12  # times (batch, centres) is read or written by the head, the softmax and their gradients
_DRAW_PASSES, _INT64 = 6, 8  # of the draw of classes, which looks at every one


@dataclass(frozen=True, slots=True)
class Seconds:
    """Of one optimiser step; nothing is taken to overlap."""

    network: float
    centres: float
    optimiser: float
    communication: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.network + self.centres + self.optimiser + self.communication


def seconds(work: Work, machine: Machine, *, faces_per_s: float | None = None) -> Seconds:
    """Time of one optimiser step.

    Args:
        work: what is trained.
        machine: where.
        faces_per_s: forward and backward of the network on one device, as measured; None assumes the share
            ``machine.reached`` of the device's best.
    """
    each = per_device(work, machine.devices) * work.accumulate
    best = machine.flops_mixed if work.mixed else machine.flops
    network = each / faces_per_s if faces_per_s else each * step_flops(work) / (best * machine.reached)
    held, compared = _centre_rows(work, machine.devices)
    matrix = work.batch_size * compared
    products = 3 * 2 * matrix * work.embedding_size / (best * machine.reached)
    passes = _CENTRE_PASSES * matrix * FLOAT / machine.bandwidth
    states = STATES.get(work.optimiser, 2)
    stepped = compared * work.embedding_size + sum(stage.learning for stage in work.stages)
    drawn = held * _INT64 * _DRAW_PASSES if work.sample_rate < 1 else 0  # every class takes part in the draw
    return Seconds(
        network=network,
        centres=work.accumulate * (products + passes + drawn / machine.bandwidth),
        # Weights, gradients and states are read, and all but gradients written.
        optimiser=stepped * FLOAT * (3 + 2 * states) / machine.bandwidth,
        communication=_sent(work, machine.devices) / machine.link if machine.devices > 1 else 0.0,
    )


def step_flops(work: Work) -> float:
    """Operations of a training step for one picture: forward, and backward where something learns."""
    again = 1 if work.checkpointing else 0
    macs = sum(stage.macs * (1 if stage.frozen else 1 + _BACKWARD + again) for stage in work.stages)
    return 2 * macs


def steps_per_epoch(work: Work) -> int:
    """As ``Steps`` counts them: what does not fill a batch waits for the next epoch."""
    return max(1, work.n_pictures // (min(work.batch_size, max(1, work.n_pictures)) * work.accumulate))


def _centre_rows(work: Work, devices: int) -> tuple[int, float]:
    """Centres that a device holds, and those it compares in a step."""
    held = -(-work.n_classes // devices) * work.sub_centres
    own = min(work.batch_size * work.sub_centres, held) / devices if work.sample_rate < 1 else 0
    return held, min(float(held), held * work.sample_rate + own)


def _sent(work: Work, devices: int) -> float:
    """Bytes a device sends in a step: a ring's all-reduce of gradients, embeddings there and back."""
    learning = sum(stage.learning for stage in work.stages) * FLOAT
    embeddings = work.batch_size * work.embedding_size * FLOAT * work.accumulate
    return 2 * (devices - 1) / devices * (learning + embeddings)
