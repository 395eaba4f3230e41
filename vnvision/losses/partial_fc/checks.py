"""Checks of the layer's arguments."""

from __future__ import annotations

import torch

from vnvision.errors import ConfigError


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
