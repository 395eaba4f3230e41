"""Memory of a face training step, predicted before anything is bought or started.

Pure functions of what is trained (``Work``) and where (``Machine``). What they predict is the training
process itself: workers that read pictures, and other programs, come on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from vnvision.errors import ConfigError
from vnvision.losses.partial_fc import predicted_bytes
from vnvision.losses.partial_fc.memory import STATES
from vnvision.train.scale_net import StageCost

FLOAT = 4
"""Bytes of a number in 32 bits."""
_LEVEL, _CHANNELS = 1, 3
_WORKING = 4  # tensors alive in a layer's backward pass: gradients on both sides, and what it works with
_PASSING = 5  # alive in a residual unit without gradient: the shortcut, and what its layers take and give
_GAPS = 0.15  # of what comes and goes: optimiser states settle where activations were (scale_check.py)
FITS = 0.92
"""Share of a device's memory that a plan may take: allocators leave gaps."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is trained.

    Attributes:
        stages: of the network, see ``network_cost``.
        embedding_size: D.
        n_classes: people; 0 where only a teacher teaches.
        n_pictures: of the training split.
        batch_size: pictures of a micro-batch, over all processes.
        accumulate: micro-batches of a step.
        optimiser: ``sgd`` or ``adamw``.
        mixed: 16 bit products.
        sample_rate: of Partial FC.
        sub_centres: K.
        checkpointing: activations are computed again in the backward pass.
        ema: an average of the weights is kept.
        teacher: parameters of a network that teaches beside it.
        resident: all pictures are kept on the device.
        size_px: side of the pictures.
    """

    stages: tuple[StageCost, ...]
    embedding_size: int
    n_classes: int
    n_pictures: int
    batch_size: int
    accumulate: int = 1
    optimiser: str = "adamw"
    mixed: bool = False
    sample_rate: float = 1.0
    sub_centres: int = 1
    checkpointing: bool = False
    ema: bool = False
    teacher: int = 0
    resident: bool = False
    size_px: int = 112


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it is trained.

    Attributes:
        name: for people.
        devices: processes, one a device.
        memory: bytes of one device.
        flops: operations a second of one device at its best, a multiply-accumulate being two; by precision.
        bandwidth: bytes a second between a device and its memory.
        link: bytes a second that a device sends to the next one; the slowest link counts.
        reached: share of ``flops`` that a network's training step is assumed to reach.
        runtime: bytes that libraries take before anything is trained.
    """

    name: str
    devices: int
    memory: int
    flops: float
    flops_mixed: float
    bandwidth: float
    link: float = float("inf")
    reached: float = 0.3
    runtime: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on the device that holds most, at the height of a step; ``gaps`` are the allocator's."""

    parameters: int
    gradients: int
    optimiser: int
    average: int
    teacher: int
    activations: int
    centres: int
    batch: int
    resident: int
    gaps: int
    runtime: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, field.name) for field in fields(self))


def memory(work: Work, devices: int = 1, *, runtime: int = 0) -> Memory:
    """Peak memory of a training step on one of ``devices`` devices.

    Raises:
        ConfigError: an optimiser that class centres do not know, or a batch that does not divide.
    """
    each = per_device(work, devices)
    parameters = sum(stage.parameters for stage in work.stages) * FLOAT
    learning = sum(stage.learning for stage in work.stages) * FLOAT
    if work.optimiser not in STATES:
        raise ConfigError("optimiser", expected=" or ".join(STATES), got=repr(work.optimiser))
    picture = _CHANNELS * work.size_px**2
    # torch's DistributedDataParallel keeps what it sends in buckets of its own.
    gradients = learning * (2 if devices > 1 else 1)
    states = learning * STATES[work.optimiser]
    activations = activation_bytes(work.stages, each, checkpointing=work.checkpointing) - learning
    return Memory(
        parameters=parameters,
        gradients=gradients,
        optimiser=states,
        average=parameters if work.ema else 0,
        teacher=work.teacher * FLOAT,
        activations=activations,
        centres=centre_bytes(work, devices),
        batch=each * picture * (FLOAT + _LEVEL),
        resident=work.n_pictures * picture if work.resident else 0,
        gaps=int(_GAPS * (gradients + states + activations)),
        runtime=runtime,
    )


def activation_bytes(stages: Sequence[StageCost], pictures: int, *, checkpointing: bool) -> int:
    """Most that activations, their gradients and the weights' gradients take together.

    The backward pass goes through the stages from the last: what a stage kept is freed as its gradients
    come. At stage k there is what stages 0 to k kept, the gradients of the weights of k and all behind it,
    and what one layer works with. With checkpointing only what enters
    each stage is kept, and of one stage at a time everything.

    Args:
        stages: of the network.
        pictures: on this device.
        checkpointing: stages are computed again.

    Returns:
        Bytes; at least the gradients of all weights.
    """
    learning = [stage for stage in stages if not stage.frozen]
    frozen = max((_PASSING * stage.largest * pictures for stage in stages if stage.frozen), default=0.0)
    gradients = [stage.learning * FLOAT for stage in learning]
    kept = [_kept(stage, pictures) for stage in learning]
    before = [stage.entering * pictures for stage in learning] if checkpointing else kept
    peaks = [frozen + sum(gradients)]  # what frozen stages free is seldom whole enough for gradients
    for k, stage in enumerate(learning):
        held = sum(before[:k]) + kept[k] + (before[k] if checkpointing else 0)
        peaks.append(held + sum(gradients[k:]) + _WORKING * stage.largest * pictures)
    return int(max(peaks))


def _kept(stage: StageCost, pictures: int) -> float:
    return stage.kept * pictures + stage.kept_once


def centre_bytes(work: Work, devices: int) -> int:
    """Class centres on the device that holds most, with all that a step needs of them."""
    if work.n_classes == 0:
        return 0
    gathered = work.batch_size * work.embedding_size * FLOAT * 2 if devices > 1 else 0
    return gathered + predicted_bytes(
        work.n_classes,
        work.embedding_size,
        devices,
        work.sample_rate,
        work.batch_size,
        work.optimiser,
        sub_centres=work.sub_centres,
        mixed=work.mixed,
    )


def fits(work: Work, machine: Machine) -> bool:
    """Whether a step stays within ``FITS`` of a device's memory."""
    return memory(work, machine.devices, runtime=machine.runtime).total <= FITS * machine.memory


def per_device(work: Work, devices: int) -> int:
    """Pictures of a micro-batch on each device.

    Raises:
        ConfigError: the batch does not divide.
    """
    if work.batch_size % devices:
        raise ConfigError(
            "batch_size does not divide over the devices",
            expected=f"a multiple of {devices}",
            got=str(work.batch_size),
        )
    return work.batch_size // devices
