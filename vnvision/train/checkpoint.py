"""Checkpoints that are whole or absent: a folder written aside, synced, then renamed into place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vnvision import atomic
from vnvision.errors import ModelError
from vnvision.spec import TaskSpec

_PREFIX = "step_"
_STATE = "run.json"


def save(
    folder: Path,
    tensors: dict[str, dict[str, torch.Tensor]],
    spec: TaskSpec,
    state: dict[str, Any],
    *,
    parts: Mapping[str, Path] | None = None,
) -> Path:
    """Write ``<name>.safetensors`` for each set of tensors, ``spec.json`` and ``run.json``.

    ``parts`` are finished folders of the same file system that are moved in under their names. A kill at any
    moment leaves the old folder, the new one, or ``.tmp`` folders that nobody reads.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, group in tensors.items():
        path = aside / f"{name}.safetensors"
        save_file({key: value.detach().cpu().contiguous() for key, value in group.items()}, path)
        _sync(path)
    for name, part in (parts or {}).items():
        part.rename(aside / name)
    spec.save(aside / "spec.json")
    atomic.write_json(aside / _STATE, state)
    atomic.sync_folder(aside)
    old = folder.with_name(f".{folder.name}.old.tmp")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    aside.rename(folder)
    atomic.sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def load(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """One set of tensors.

    Raises:
        ModelError: the file is missing or damaged.
    """
    path = folder / f"{name}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as exc:
        raise ModelError(f"cannot read checkpoint file {path}", got=str(exc)) from exc


def read_state(folder: Path) -> dict[str, Any]:
    """``run.json`` of a checkpoint.

    Raises:
        ModelError: missing or not JSON.
    """
    path = folder / _STATE
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelError(f"{folder} is not a checkpoint", got=f"{path.name}: {exc}") from exc
    return state


def step_folder(root: Path, serial: int) -> Path:
    """Where the ``serial``-th optimiser step's checkpoint lies."""
    return root / f"{_PREFIX}{serial:09d}"


def latest(root: Path) -> Path | None:
    """The newest whole checkpoint, or None."""
    found = sorted(path for path in root.glob(f"{_PREFIX}*") if (path / _STATE).is_file())
    return found[-1] if found else None


def prune(root: Path, keep: int = 2) -> None:
    """Remove all but the newest ``keep`` checkpoints, and what a kill left half-written."""
    for path in sorted(root.glob(f"{_PREFIX}*"))[:-keep]:
        shutil.rmtree(path, ignore_errors=True)
    for path in root.glob(".*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def recover(folder: Path) -> None:
    """Undo a kill between the two renames of ``save``: put the old folder back where none took its place."""
    old = folder.with_name(f".{folder.name}.old.tmp")
    if old.is_dir() and not folder.exists():
        old.rename(folder)


def pack_optimiser(optimiser: torch.optim.Optimizer, names: dict[int, str]) -> dict[str, torch.Tensor]:
    """Optimiser state as flat tensors ``<parameter>::<entry>``."""
    packed = {}
    for parameter, entries in optimiser.state.items():
        if id(parameter) not in names:
            continue  # a margin head's: kept with its class centres
        for key, value in entries.items():
            packed[f"{names[id(parameter)]}::{key}"] = torch.as_tensor(value)
    return packed


def unpack_optimiser(
    optimiser: torch.optim.Optimizer, names: dict[int, str], packed: dict[str, torch.Tensor]
) -> None:
    """Put ``pack_optimiser``'s tensors back."""
    by_name: dict[str, dict[str, torch.Tensor]] = {}
    for flat, value in packed.items():
        name, _, key = flat.rpartition("::")
        by_name.setdefault(name, {})[key] = value
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            entries = by_name.get(names.get(id(parameter), ""))
            if entries:
                optimiser.state[parameter] = {k: _like(parameter, v) for k, v in entries.items()}


def _like(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """In the parameter's memory layout: a fused optimiser walks both by address, not by index."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value).detach()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
