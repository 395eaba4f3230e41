"""Checks of the layer's arguments, and of batches: these end the same on every rank, so that none waits."""

from __future__ import annotations

import torch

from vnvision.errors import ConfigError, DataError
from vnvision.losses.partial_fc.collectives import Ranks


def check_batch(
    embeddings: torch.Tensor,
    target: torch.Tensor,
    dim: int,
    n_classes: int,
    step: int | None,
    ranks: Ranks,
) -> None:
    """Every rank learns what all ranks were given, before anything else is exchanged.

    Raises:
        DataError: on every rank alike, if on any rank shapes or types are wrong or a class is out of range,
            or if batch sizes or steps differ.
    """
    facts = [*_shape(embeddings), *_target(target), -1 if step is None else step]
    table = ranks.gather(torch.tensor([facts], device=embeddings.device)).tolist()
    for rank, (rows, width, labels, low, high, _) in enumerate(table):
        where = f" on rank {rank}" if ranks.world > 1 else ""
        if rows < 1 or width != dim or labels != rows:
            raise DataError(
                f"embeddings and classes{where} do not fit Partial FC",
                expected=f"floating point (n, {dim}) and int64 (n,), n of 1 or more",
                got=f"{_said(rows, width)} and {_said(labels)}",
            )
        if low < 0 or high >= n_classes:
            raise DataError(
                f"class{where} out of range", expected=f"0 to {n_classes - 1}", got=f"{low} to {high}"
            )
    for name, column in (("batch size", 0), ("step", 5)):
        values = [row[column] for row in table]
        if len(set(values)) > 1:
            raise DataError(f"{name} of the ranks", expected="the same on all", got=str(values))


def _shape(embeddings: torch.Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        return -1, -1
    return embeddings.shape[0], embeddings.shape[1]


def _target(target: torch.Tensor) -> tuple[int, int, int]:
    if target.ndim != 1 or target.dtype != torch.int64:
        return -1, 0, 0
    if not len(target):
        return 0, 0, 0
    low, high = target.aminmax()
    return len(target), int(low), int(high)


def _said(*sizes: int) -> str:
    return "another shape or type" if sizes[0] < 0 else str(tuple(sizes))


def check_ready(step: int | None, optimiser: torch.optim.Optimizer | None) -> None:
    """What a training step with sampling needs.

    Raises:
        ConfigError: no step, or no optimiser attached.
    """
    if step is None or optimiser is None:
        raise ConfigError(
            "Partial FC with sample_rate below 1",
            expected="layer.attach(optimiser) once and forward(embeddings, target, step)",
            got="no optimiser attached" if optimiser is None else "no step",
        )


def check_options(
    n_classes: int, dim: int, sub_centres: int, sample_rate: float, filter_cosine: float | None
) -> None:
    """Arguments of the layer.

    Raises:
        ConfigError: one is out of range.
    """
    for name, value in (("n_classes", n_classes), ("dim", dim), ("sub_centres", sub_centres)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(
                f"{name} of Partial FC", expected="a whole number of 1 or more", got=repr(value)
            )
    if not 0.0 < sample_rate <= 1.0:
        raise ConfigError(
            "sample_rate of Partial FC", expected="more than 0, at most 1", got=repr(sample_rate)
        )
    if filter_cosine is not None and not 0.0 < filter_cosine < 1.0:
        raise ConfigError(
            "filter_cosine of Partial FC", expected="None, or between 0 and 1", got=repr(filter_cosine)
        )
