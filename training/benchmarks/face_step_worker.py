"""One side of ``face_step_speed.py``: a process that trains a block of steps whenever it is told to.

It reads a line of JSON from stdin, ``{"do": "steps" | "profile", "n": 10}``, and answers with one on stdout.
Our side is ``vnvision train`` itself: the whole of ``vnvision.train.run.train`` with its own feed and
settings, held up between the steps of its loop, where it asks for leave.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import torch
from plain_arcface import CLIP_NORM, MARGIN_RAD, SCALE, WEIGHT_DECAY, Job, build

import vnvision.train.phase as phase
from vnvision.data.manifest import read_manifest
from vnvision.train.config import load_config
from vnvision.train.run import train

ROWS_OF_A_PROFILE = 15


class Gate:
    """Counts out blocks of steps and says what each took."""

    def __init__(self, orders: TextIO, answers: TextIO, device: str, waited: Callable[[], float]) -> None:
        self.orders, self.answers, self.device, self.waited = orders, answers, device, waited
        self.left, self.n = 0, 0
        self.began = (0.0, 0.0, 0.0)
        self.profiler: Any = None

    def pass_one(self) -> bool:
        """Before each step: True to take it, False to end."""
        if self.left == 0:
            if self.n:
                self._answer()
            line = self.orders.readline()
            if not line:
                return False
            order = json.loads(line)
            self.left = self.n = int(order["n"])
            if order["do"] == "profile":
                self.profiler = torch.profiler.profile()
                self.profiler.__enter__()
            self.began = self._clocks()
        self.left -= 1
        return True

    def _clocks(self) -> tuple[float, float, float]:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time(), self.waited()

    def _answer(self) -> None:
        wall, cpu, wait = (
            (now - then) / self.n for now, then in zip(self._clocks(), self.began, strict=True)
        )
        found: dict[str, Any] = {"seconds": wall, "cpu_seconds": cpu, "loader_wait": wait}
        if self.profiler is not None:
            self.profiler.__exit__(None, None, None)
            found["profile"] = _costs(self.profiler, self.device)
            self.profiler = None
        print(json.dumps(found), file=self.answers, flush=True)


def _costs(profiler: Any, device: str) -> dict[str, float]:
    """Share of the time an operation takes by itself, the most expensive first."""
    name = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    rows = sorted(profiler.key_averages(), key=lambda row: -getattr(row, name))
    total = sum(getattr(row, name) for row in rows) or 1.0
    return {row.key[:60]: round(getattr(row, name) / total, 4) for row in rows[:ROWS_OF_A_PROFILE]}


def our_config(job: Job, manifest: Path, words: dict[str, Any]) -> dict[str, Any]:
    """The same recipe as a configuration of ``vnvision train``; the schedule is its own cosine."""
    return {
        "name": "step_speed",
        "task": "embedding",
        "domain": "face",
        "data": str(manifest),
        "backbone": job.backbone,
        "weights": "none",
        "drop_rate": 0.0,
        "size_px": 112,
        "augment": {"hflip": 0.5},
        "epochs": 1000,
        "phases": [{"validate_every": 0}],
        "checkpoint_steps": 1 << 40,
        "batch_size": job.batch_size,
        "optimiser": "sgd",
        "lr": job.lr,
        "weight_decay": WEIGHT_DECAY,
        "clip_norm": CLIP_NORM,
        "workers": job.workers,
        "threads": job.threads,
        "accelerator": job.device,
        "tensorboard": False,
        "embedding": {
            "size": job.size,
            "head": "arcface",
            "head_options": {"margin_rad": MARGIN_RAD, "scale": SCALE},
        },
    } | words


class _EnoughError(Exception):
    """No more steps are wanted."""


def ours(job: Job, manifest: Path, out: Path, words: dict[str, Any], streams: tuple[TextIO, TextIO]) -> None:
    """``vnvision train``, one block of steps at a time."""
    step, meters = phase.train_step, [phase.Meter()]
    gate = Gate(*streams, job.device, lambda: meters[0].wait)

    def held_up(*args: Any) -> float:
        meters[0] = args[-1]
        if not gate.pass_one():
            raise _EnoughError
        return step(*args)

    phase.train_step = held_up
    config = load_config(our_config(job, manifest, words), {"output": str(out)})
    try:
        train(config, quiet=True)
    except _EnoughError:
        kept = json.loads((out / "run.json").read_text())
        print(json.dumps({"settings": kept["settings"]}), file=streams[1], flush=True)


def plain(job: Job, manifest: Path, streams: tuple[TextIO, TextIO]) -> None:
    """The plain loop, one block of steps at a time."""
    rows = read_manifest(manifest).split("train")
    people = sorted({row.extra["identity"] for row in rows.rows})
    number = {name: i for i, name in enumerate(people)}
    targets = [number[row.extra["identity"]] for row in rows.rows]
    total = 1000 * (len(rows) // job.batch_size)
    loop = build(job, [rows.file(row) for row in rows.rows], targets, total=total)
    gate = Gate(*streams, job.device, lambda: loop.wait)
    while gate.pass_one():
        loop.step()


def main() -> None:
    """``face_step_worker.py SIDE JSON``: started by ``face_step_speed.py``."""
    side, asked = sys.argv[1], json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints does not get in between the answers
    job, manifest = Job(**asked["job"]), Path(asked["manifest"])
    if side == "ours":
        ours(job, manifest, Path(asked["out"]), asked["words"], (sys.stdin, answers))
    else:
        plain(job, manifest, (sys.stdin, answers))


if __name__ == "__main__":
    main()
