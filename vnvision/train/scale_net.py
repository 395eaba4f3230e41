"""What an embedding network costs, stage by stage, found without memory for its weights or activations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from vnvision.models import StagedNet, build_embedder
from vnvision.models.lora import add_lora
from vnvision.train.embedding_config import LoraConfig
from vnvision.train.faces import learn_lora_only

_FEW, _MORE = 2, 4  # pictures: what grows with them is told from what does not


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage of a network.

    Attributes:
        name: as in ``StagedNet``.
        parameters: learnt numbers and buffers.
        learning: of these, the ones an optimiser steps.
        kept: bytes a picture kept for the backward pass.
        kept_once: bytes kept besides, whatever the batch: weights cast to a 16 bit type.
        entering: bytes a picture of what enters the stage.
        largest: bytes a picture of the largest tensor the stage makes.
        macs: multiply-accumulates a picture, forward.
        frozen: it runs without gradient.
    """

    name: str
    parameters: int
    learning: int
    kept: float
    kept_once: float
    entering: float
    largest: float
    macs: float
    frozen: bool


@functools.lru_cache(maxsize=64)
def network_cost(
    backbone: str,
    embedding_size: int,
    *,
    size_px: int = 112,
    train: str = "all",
    mixed: bool = False,
    lora: LoraConfig | None = None,
) -> tuple[StageCost, ...]:
    """Cost of every stage.

    Args:
        backbone: as for ``build_embedder``.
        embedding_size: D.
        size_px: side of the pictures.
        train: first stage that learns, as ``PhaseConfig.train``.
        mixed: matrix products and convolutions in a 16 bit type.
        lora: low-rank updates, which alone learn where they are given.

    Raises:
        ConfigError: an unknown network or stage.
    """
    with torch.device("meta"):
        net = StagedNet(build_embedder(backbone, embedding_size))
        if lora is not None:
            add_lora(net.net, lora.rank, lora.alpha, lora.targets or ("*",))
    net.freeze_before(train)
    learn_lora_only(net.net)
    net.train()
    with FakeTensorMode(allow_non_fake_inputs=True):
        net.to_empty(device="cpu")  # of a kind that has a device, as autocast needs, and still no memory
        few, more = (_passed(net, count, size_px, mixed) for count in (_FEW, _MORE))
    return tuple(
        _stage(net, index, one, other) for index, (one, other) in enumerate(zip(few, more, strict=True))
    )


@dataclass(slots=True)
class _Pass:
    """One stage's part of one forward pass, in bytes and multiply-accumulates of the whole batch."""

    kept: int = 0
    entering: int = 0
    largest: int = 0
    macs: int = 0


def _stage(net: StagedNet, index: int, few: _Pass, more: _Pass) -> StageCost:
    stage = net.stages[index]
    named = {id(p): p for module in stage.modules for p in module.parameters()}
    buffers = {id(b): b for module in stage.modules for b in module.buffers()}
    kept = (more.kept - few.kept) / (_MORE - _FEW)
    return StageCost(
        name=stage.name,
        parameters=sum(p.numel() for p in (*named.values(), *buffers.values())),
        learning=sum(p.numel() for p in named.values() if p.requires_grad),
        kept=kept,
        kept_once=max(0.0, few.kept - kept * _FEW),
        entering=few.entering / _FEW,
        largest=few.largest / _FEW,
        macs=few.macs / _FEW,
        frozen=index < net.n_frozen,
    )


def _passed(net: StagedNet, count: int, size_px: int, mixed: bool) -> list[_Pass]:
    """A training pass over fake pictures, stage by stage."""
    out: list[_Pass] = []
    own = {_storage(part) for part in (*net.parameters(), *net.buffers())}
    seen: dict[int, torch.Tensor] = {}
    x = torch.zeros(count, 3, size_px, size_px)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
        for index, stage in enumerate(net.stages):
            out.append(_Pass(entering=_bytes(x)))
            with torch.set_grad_enabled(index >= net.n_frozen):
                x = _run(stage.run, x, out[-1], own, seen)
    return out


def _run(
    stage: Callable[[Any], Any], x: torch.Tensor, cost: _Pass, own: set[int], seen: dict[int, torch.Tensor]
) -> torch.Tensor:
    """Run a stage, and add up what autograd keeps that nothing before it kept."""

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        place = _storage(tensor)
        if place not in own and place not in seen:
            seen[place] = tensor  # held, so that no later storage takes its number
            cost.kept += tensor.untyped_storage().nbytes()
        if place not in own and len(tensor) == len(x):  # a picture's, not a weight cast to another type
            cost.largest = max(cost.largest, _bytes(tensor))
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor), FlopCounterMode(display=False) as counter:
        result: torch.Tensor = stage(x)
    cost.largest = max(cost.largest, _bytes(result))
    cost.macs = counter.get_total_flops() // 2
    return result


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
