"""Optimiser state of the centres, in the optimiser's hands for the time of a step."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from vnvision.errors import ConfigError, ModelError
from vnvision.losses.partial_fc.rows import CentreRows


def attach(rows: CentreRows, optimiser: torch.optim.Optimizer) -> None:
    """Have this optimiser's steps borrow and return rows and state; an earlier one is let go.

    Raises:
        ConfigError: the optimiser does not hold the parameter.
        ModelError: the state here is that of another kind of optimiser.
    """
    if not any(_holds(group, rows.sampled) for group in optimiser.param_groups):
        raise ConfigError(
            "the optimiser does not hold Partial FC's parameter", fix="build it with layer.parameters() too"
        )
    kind = type(optimiser).__name__
    if rows.made_by not in ("", kind):
        raise ModelError(
            "optimiser state of the class centres",
            expected=f"that of {kind}",
            got=rows.made_by,
            fix="call layer.reset_state() to start the moments afresh",
        )
    for hook in rows.hooks:
        hook.remove()
    rows.optimiser = optimiser
    rows.hooks = [
        optimiser.register_step_pre_hook(partial(_hand_over, rows)),
        optimiser.register_step_post_hook(partial(_take_back, rows)),
    ]


def scalars_on_device(group: dict[str, Any]) -> bool:
    """Whether an optimiser of these options keeps its step counter where the parameters are."""
    return bool(group.get("fused") or group.get("capturable"))


def _hand_over(rows: CentreRows, optimiser: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    if any(value is not None for value in (*args[1:], kwargs.get("closure"))):
        raise ConfigError(
            "optimiser.step(closure) with Partial FC", expected="a step without a closure", got="a closure"
        )
    if rows.sampled.grad is None or not (rows.entries or rows.scalars):
        return
    group = next(group for group in optimiser.param_groups if _holds(group, rows.sampled))
    device = rows.sampled.device if scalars_on_device(group) else torch.device("cpu")
    scalars = {name: value.to(device) for name, value in rows.scalars.items()}
    optimiser.state[rows.sampled] = scalars | rows.lent_state()


def _take_back(rows: CentreRows, optimiser: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
    if rows.sampled.grad is None:
        return
    for name, value in optimiser.state.pop(rows.sampled, {}).items():
        if value is None:
            continue
        if isinstance(value, torch.Tensor) and value.shape == rows.sampled.shape:
            rows.keep(name, value)
        elif torch.as_tensor(value).ndim == 0:
            rows.scalars[name] = torch.as_tensor(value)
        else:
            raise ConfigError(
                f"{type(optimiser).__name__} keeps {name}, which is not row by row",
                expected="an optimiser like SGD or AdamW for the class centres",
                got=f"shape {tuple(value.shape)}",
            )
    rows.made_by = type(optimiser).__name__
    rows.take_back()


def _holds(group: dict[str, Any], parameter: torch.nn.Parameter) -> bool:
    return any(one is parameter for one in group["params"])
