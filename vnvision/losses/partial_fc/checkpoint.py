"""Files of class centres, a range of classes each, that any number of ranks can read again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from vnvision import atomic
from vnvision.errors import ModelError
from vnvision.losses.partial_fc.lending import scalars_on_device
from vnvision.losses.partial_fc.shard_files import ShardFacts, copy_range, read_all, read_common

if TYPE_CHECKING:
    from vnvision.losses.partial_fc.layer import PartialFC


def state_shard(layer: PartialFC, step: int) -> tuple[dict[str, torch.Tensor], ShardFacts]:
    """This rank's part of the layer, between steps.

    Returns:
        Tensors ``weight`` and ``state.<entry>`` with a row a centre; ``scalar.<entry>``, ``head.<name>`` and
        ``head_state.<parameter>.<entry>``, the same on every rank. And what the file says of itself.

    Raises:
        DataError: the last batch, not yet checked, was bad; the same on every rank.
    """
    layer.settle()
    rows, shard = layer.rows, layer.shard
    tensors = {"weight": rows.weight}
    tensors |= {f"state.{name}": value for name, value in rows.state().items()}
    tensors |= {f"scalar.{name}": value for name, value in rows.scalars.items()}
    tensors |= {f"head.{name}": value for name, value in layer.head.state_dict().items()}
    for name, parameter in layer.head.named_parameters():
        state = {} if rows.optimiser is None else rows.optimiser.state.get(parameter, {})
        for key, value in state.items():
            if value is not None:
                tensors[f"head_state.{name}.{key}"] = torch.as_tensor(value)
    facts = ShardFacts(
        n_classes=layer.n_classes,
        dim=layer.dim,
        sub_centres=layer.sub_centres,
        start=shard.start,
        end=shard.end,
        step=step,
        generation=layer.generation,
        optimiser=rows.made_by,
        head=type(layer.head).__name__,
    )
    return tensors, facts


def save_shard(layer: PartialFC, folder: Path, step: int) -> Path:
    """Write ``centres-<first>-<last>.safetensors``, whole or not at all.

    The checkpoint is whole when all ranks have written: call it on every rank into a fresh folder, wait for
    all, then let one rank rename the folder. ``load_shards`` refuses a set with gaps or of different steps.

    Args:
        layer: between steps.
        folder: made where missing.
        step: optimiser steps done.

    Raises:
        DataError: the last batch, not yet checked, was bad; the same on every rank.
    """
    tensors, facts = state_shard(layer, step)
    path = folder / f"centres-{facts.start:010d}-{facts.end - 1:010d}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    aside = Path(name)
    try:
        plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        save_file(plain, aside, metadata=facts.to_metadata())
        with open(aside, "rb") as stream:
            os.fsync(stream.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    atomic.sync_folder(folder)
    return path


def load_shards(layer: PartialFC, files: Sequence[Path], *, optimiser: bool) -> int:
    """Fill the layer from the files of any number of ranks; each rank reads the rows it holds.

    Args:
        layer: of as many classes as were saved, attached to its optimiser if that state is wanted.
        files: all of one checkpoint, in any order.
        optimiser: whether to take optimiser state, or only centres and head.

    Returns:
        The step at which they were saved.

    Raises:
        ModelError: a file is missing or damaged, files do not belong together, or they do not fit the layer.
    """
    found = read_all(files)
    first = found[0][1]
    _check_fit(layer, first, optimiser)
    rows, shard = layer.rows, layer.shard
    with_rows, common = read_common(found[0][0])
    weight = copy_range(found, "weight", layer, rows.weight)
    state = {}
    for name in with_rows if optimiser else []:
        state[name] = copy_range(found, f"state.{name}", layer, torch.empty_like(rows.weight))
    layer.head.load_state_dict(common["head"])
    rows.put(weight, state, len(shard))
    rows.scalars, rows.made_by, layer.generation = {}, "", first.generation
    if optimiser:
        rows.scalars, rows.made_by = common["scalar"], first.optimiser
        _put_head_state(layer, common["head_state"])
    return first.step


def _check_fit(layer: PartialFC, saved: ShardFacts, optimiser: bool) -> None:
    want = {
        "n_classes": layer.n_classes,
        "dim": layer.dim,
        "sub_centres": layer.sub_centres,
        "head": type(layer.head).__name__,
    }
    got = {name: getattr(saved, name) for name in want}
    if got != want:
        fix = (
            "build the layer as it was saved, then add or remove identities"
            if want["dim"] == got["dim"]
            else None
        )
        raise ModelError(
            "saved class centres do not fit the layer", expected=str(want), got=str(got), fix=fix
        )
    if not optimiser or not saved.optimiser:
        return
    attached = layer.rows.optimiser
    kind = None if attached is None else type(attached).__name__
    if kind != saved.optimiser:
        raise ModelError(
            "optimiser of the saved class centres",
            expected=saved.optimiser,
            got=kind or "none attached",
            fix="call layer.attach first, or load_shards(files, optimiser=False) to start the moments afresh",
        )


def _put_head_state(layer: PartialFC, packed: dict[str, torch.Tensor]) -> None:
    if layer.rows.optimiser is None:
        return
    by_name: dict[str, dict[str, Any]] = {}
    for flat, value in packed.items():
        name, _, key = flat.rpartition(".")
        by_name.setdefault(name, {})[key] = value
    for group in layer.rows.optimiser.param_groups:
        on_device = scalars_on_device(group)
        for name, parameter in layer.head.named_parameters():
            if name in by_name and any(p is parameter for p in group["params"]):
                layer.rows.optimiser.state[parameter] = {
                    key: value.to(parameter.device)
                    if on_device or value.shape == parameter.shape != ()
                    else value
                    for key, value in by_name[name].items()
                }
