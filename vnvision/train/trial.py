"""A short measured trial: does another memory layout or ``torch.compile`` pay on this machine?"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable

import torch

from vnvision.tasks import Batch
from vnvision.train.state import Run, Settings

_STEPS = 3
_TOO_SHORT = 12
# Compiling was seen to save at most this share of a step, and to take this long; below that it cannot pay.
_BEST_SAVING = 0.5
_COMPILE_SECONDS = 60.0


def choose_settings(run: Run, batch: Batch, steps_left: int, *, max_seconds: float = 90.0) -> Settings:
    """Pick memory layout and compilation by timing real steps on a copy of what learns.

    What the config fixes is not tried. The model, its statistics and the random state are left as they
    were. A run too short to repay the trial takes channels_last without compiling, the best guess on the
    machines measured so far.

    Args:
        run: the run; its net stands at the phase to be timed.
        batch: one real batch, inputs (N, C, H, W) of the first trainable stage.
        steps_left: optimiser steps the choice is for.
        max_seconds: nothing new is tried after this long.
    """
    config = run.config
    spatial = isinstance(batch.inputs, torch.Tensor) and batch.inputs.ndim == 4
    layout = spatial if config.channels_last == "auto" else bool(config.channels_last)
    fixed = config.channels_last != "auto" and config.compile != "auto"
    if fixed or not spatial or steps_left < _TOO_SHORT:
        return Settings(layout, compile=config.compile is True)
    began, measured = time.monotonic(), {}
    if config.channels_last == "auto" and spatial:
        measured["contiguous"] = _step_seconds(run, batch, channels_last=False, compiled=False)[0]
    layout_name = "channels_last" if layout else "contiguous"
    if layout_name not in measured:
        measured[layout_name] = _step_seconds(run, batch, channels_last=layout, compiled=False)[0]
    if config.channels_last == "auto":
        layout = measured["channels_last"] <= measured.get("contiguous", float("inf"))
    eager = measured["channels_last" if layout else "contiguous"]
    use_compile = config.compile is True
    could_save = steps_left * eager * _BEST_SAVING
    if config.compile == "auto" and could_save > _COMPILE_SECONDS and time.monotonic() - began < max_seconds:
        compiled, warm = _step_seconds(run, batch, channels_last=layout, compiled=True)
        measured |= {"compiled": compiled, "compile_s": warm}
        # The compiler keeps what it built, so most of the warm-up is already paid when training starts.
        use_compile = (eager - compiled) * steps_left > 0.25 * warm
    return Settings(layout, use_compile, measured)


def _loss(run: Run, model: Callable[[torch.Tensor], torch.Tensor], batch: Batch) -> torch.Tensor:
    """Of class centres nothing is timed: they cost the same in every layout, and all processes share them."""
    if run.criterion is None:
        return run.task.step(model, batch)["loss"]
    return model(batch.inputs).float().square().mean()


def _step_seconds(run: Run, batch: Batch, *, channels_last: bool, compiled: bool) -> tuple[float, float]:
    """Median seconds of a step, and seconds of the first one."""
    state = torch.get_rng_state()
    net = copy.deepcopy(run.net).train()
    inputs = batch.inputs
    layout = torch.channels_last if channels_last else torch.contiguous_format
    if isinstance(inputs, torch.Tensor) and inputs.ndim == 4:
        net, inputs = net.to(memory_format=layout), inputs.contiguous(memory_format=layout)
    model: Callable[[torch.Tensor], torch.Tensor] = torch.compile(net, dynamic=False) if compiled else net
    trial = Batch(inputs, batch.targets, batch.known)
    times = []
    for _ in range(_STEPS + 1):
        began = time.perf_counter()
        with run.fabric.autocast():
            loss = _loss(run, model, trial)
        loss.backward()
        net.zero_grad(set_to_none=True)
        if run.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    torch.set_rng_state(state)
    return statistics.median(times[1:]), times[0]
