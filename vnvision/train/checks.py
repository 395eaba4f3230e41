"""What is checked of a run's data before anything long starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vnvision.data.manifest import Manifest
from vnvision.errors import ConfigError, DataError
from vnvision.train import checkpoint
from vnvision.train.config import TrainConfig
from vnvision.train.packed import crossing_groups


def changed_settings(config: TrainConfig, before: Mapping[str, Any], free: Collection[str]) -> list[str]:
    """What a configuration asks for otherwise than a run had it, as ``lr=0.1 (was 0.2)``.

    Args:
        config: what is asked.
        before: the configuration in the run's ``run.json``; keys that are newer than it count as default.
        free: keys that may differ.
    """
    try:
        had = TrainConfig.model_validate(before).model_dump(mode="json")
    except ValidationError:  # a key that is gone: said as a change, as any other
        had = dict(before)
    now = config.model_dump(mode="json")
    changed = [key for key in now if key not in free and now[key] != had.get(key)]
    return [f"{key}={now[key]!r} (was {had.get(key)!r})" for key in changed]


def same_data(config: TrainConfig, manifest: Manifest) -> None:
    """A run goes on with the data that it began with.

    Raises:
        ConfigError: it was changed.
    """
    if not config.resume or config.output is None:
        return
    latest = checkpoint.latest(Path(config.output) / "checkpoints")
    before = checkpoint.read_state(latest)["manifest"]["sha256"] if latest else manifest.sha256
    if before != manifest.sha256:
        raise ConfigError(
            f"cannot resume {config.output} with other data",
            expected=f"{manifest.path} with sha256 {before}",
            got=manifest.sha256,
            fix="restore it, or start anew with another output",
        )


def all_there(manifest: Manifest, files: tuple[Path, ...]) -> None:
    """Raises DataError where a manifest's picture is missing."""
    missing = [
        (row.line, row.path) for row, file in zip(manifest.rows, files, strict=True) if not file.is_file()
    ]
    if missing:
        line, path = missing[0]
        raise DataError(
            f"{manifest.path}: {len(missing)} of {len(files)} pictures missing, first in row {line}: {path}",
            fix="run: vnvision data check MANIFEST",
        )


def no_group_crosses(manifest: Manifest) -> None:
    """Raises DataError where a leakage group stands in several splits."""
    crossing = crossing_groups(manifest)
    if crossing:
        raise DataError(
            f"{manifest.path}: {len(crossing)} groups stand in several splits, the first is {crossing[0]!r}",
            fix="run: vnvision data check MANIFEST, then vnvision data split",
        )
