"""A fold of a cross-validation as a run of its own: how far it is, and training it in another process."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from vnvision.errors import ConfigError, ModelError
from vnvision.train.checks import changed_settings
from vnvision.train.config import TrainConfig

_FREE = ("resume", "output", "card")
_FIX = "give another --out, or remove the folder"


def fold_state(folder: Path, config: TrainConfig, manifest_sha256: str) -> Literal["new", "begun", "done"]:
    """How far the run of a fold is. One that was trained on other rows has seen what it would be asked.

    Args:
        folder: of the run.
        config: what it is to be trained with.
        manifest_sha256: of the manifest it is to be trained on.

    Raises:
        ConfigError: the folder holds something else, or a run of another configuration or manifest.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return "new"
    told = _told(folder)
    changed = changed_settings(config, told["config"], _FREE)
    before = told.get("manifest", {}).get("sha256")  # none yet: it was stopped before it learnt anything
    if before not in (None, manifest_sha256):
        changed.append(f"manifest sha256 {manifest_sha256[:12]} (was {before[:12]})")
    done = (folder / "report.json").is_file()
    if done and before is None:
        changed.append("a manifest (it names none)")
    if changed:
        raise ConfigError(f"{folder} was trained otherwise", got=", ".join(changed), fix=_FIX)
    return "done" if done else "begun"


def _told(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {}
    if "config" not in told:
        raise ConfigError(f"{folder} is no run folder", expected="a run.json with its config", fix=_FIX)
    return told


def train_apart(config: str | Path, words: Sequence[str], threads: int | None = None) -> None:
    """``vnvision train CONFIG key=value ...`` in a process of its own, without its output.

    Args:
        config: YAML file.
        words: ``key=value``.
        threads: of the process; None leaves it to the process.

    Raises:
        ModelError: it failed; the line ends with what it said last.
    """
    asked = ["train", str(config), *words]
    own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-m", "vnvision", *asked], env={**os.environ, **own}, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1].removeprefix("vnvision: ")
        raise ModelError(
            "training failed",
            got=f"exit code {done.returncode} after: {last[:400]}",
            fix=f"see all of it with: vnvision {shlex.join(asked)}",
        )
