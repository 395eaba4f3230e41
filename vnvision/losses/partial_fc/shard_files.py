"""Reading files of class centres: what each says of itself, and the rows of a range."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from vnvision.errors import ModelError

if TYPE_CHECKING:
    from vnvision.losses.partial_fc.layer import PartialFC

_KEY = "partial_fc"
_VERSION = 1
_PART = 16384  # classes read at a time


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What a file of class centres says of itself.

    Attributes:
        n_classes: over all files.
        dim: length of an embedding.
        sub_centres: centres a class.
        start: first class of the file.
        end: one past the last.
        step: optimiser steps done.
        generation: how often identities had been added.
        optimiser: class name of the optimiser whose state is in, "" for none.
        head: class name of the margin head.
    """

    n_classes: int
    dim: int
    sub_centres: int
    start: int
    end: int
    step: int
    generation: int
    optimiser: str
    head: str

    def to_metadata(self) -> dict[str, str]:
        """For safetensors, which carries text."""
        return {_KEY: json.dumps({"version": _VERSION, **asdict(self)})}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str] | None, path: Path) -> ShardFacts:
        """Back from safetensors.

        Raises:
            ModelError: not such a file, or of another version.
        """
        try:
            values = json.loads((metadata or {})[_KEY])
            version = values.pop("version")
            facts = cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise ModelError(f"{path} holds no class centres", fix="give files of save_shard") from exc
        if version != _VERSION:
            raise ModelError(f"class centres in {path}", expected=f"version {_VERSION}", got=str(version))
        return facts


def read_all(files: Sequence[Path]) -> list[tuple[Path, ShardFacts]]:
    """The files in the order of their classes.

    Raises:
        ModelError: unreadable, or not exactly one checkpoint: gaps, overlaps, different steps.
    """
    if not files:
        raise ModelError("class centres", expected="the files of a checkpoint", got="none")
    found = sorted(((path, _facts(path)) for path in files), key=lambda item: item[1].start)
    first = found[0][1]
    alike = ("n_classes", "dim", "sub_centres", "step", "generation", "optimiser", "head")
    for name in alike:
        values = sorted({str(getattr(facts, name)) for _, facts in found})
        if len(values) > 1:
            raise ModelError(
                f"files of class centres differ in {name}",
                expected="files of one checkpoint",
                got=", ".join(values),
            )
    edges = [0, *(facts.end for _, facts in found)]
    starts = [*(facts.start for _, facts in found), first.n_classes]
    for edge, start in zip(edges, starts, strict=True):
        if edge != start:
            raise ModelError(
                "files of class centres do not cover every class once",
                expected=f"classes from {edge}",
                got=f"classes from {start}" if start < first.n_classes else "no file",
            )
    return found


def read_common(path: Path) -> tuple[list[str], dict[str, dict[str, torch.Tensor]]]:
    """Names of the state entries with rows; and what is the same in every file, by its first word."""
    names, common = [], {"scalar": {}, "head": {}, "head_state": {}}  # type: ignore[var-annotated]
    with safe_open(path, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118
            word, _, rest = key.partition(".")
            if word == "state":
                names.append(rest)
            elif word in common:
                common[word][rest] = file.get_tensor(key)
    return names, common


def copy_range(
    found: list[tuple[Path, ShardFacts]], name: str, layer: PartialFC, out: torch.Tensor
) -> torch.Tensor:
    """Fill ``out`` (classes held by the layer * K, D) with its rows of tensor ``name``.

    Raises:
        ModelError: a file cannot be read or lacks the tensor.
    """
    shard, each = layer.shard, layer.sub_centres
    for path, facts in found:
        low, high = max(shard.start, facts.start), min(shard.end, facts.end)
        if low >= high:
            continue
        try:
            with safe_open(path, framework="pt") as file:
                rows = file.get_slice(name)
                for at in range(low, high, _PART):
                    to = min(at + _PART, high)
                    part = rows[(at - facts.start) * each : (to - facts.start) * each]
                    out[(at - shard.start) * each : (to - shard.start) * each] = part.to(out.device)
        except (OSError, SafetensorError) as exc:
            raise ModelError(f"cannot read {name} of {path}", got=str(exc)) from exc
    return out


def _facts(path: Path) -> ShardFacts:
    try:
        with safe_open(path, framework="pt") as file:
            return ShardFacts.from_metadata(file.metadata(), path)
    except (OSError, SafetensorError) as exc:
        raise ModelError(f"cannot read class centres {path}", got=str(exc)) from exc
