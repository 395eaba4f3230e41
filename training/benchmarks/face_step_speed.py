"""Seconds of one training step: ``vnvision train`` and a plain PyTorch loop of the arcface_torch recipe.

    python training/benchmarks/face_step_speed.py --backbones mobilefacenet iresnet18 --classes 1000 10000
    python training/benchmarks/face_step_speed.py --device cuda --backbones mobilefacenet iresnet50 \
        --batch 512 --classes 100000 --workers 12
    python training/benchmarks/face_step_speed.py --backbones mobilefacenet --classes 1000 --profile

The same network, batch, classes, drawn pictures and loader workers on both sides (``plain_arcface.py`` says
what the plain loop is). Each side is a process that is stopped while the other runs; blocks of steps take
turns after some that are not counted. Loading counts. Prints JSON: for each network and number of classes the
median seconds a step of both, and their ratio, taken within each round, with 95 % bootstrap intervals over
rounds; on a GPU also faces a second and the share of its bf16 peak (forward and backward as three times the
forward multiply-accumulates of network and class product, each two operations).

``cpu_ratio`` is the ratio of processor seconds of the two main processes: it hardly moves with what else
runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from face_step_people import draw_pictures, write_people
from plain_arcface import Job

from vnvision.models.embedder import describe_embedder
from vnvision.train.config import parse_overrides

SIDES = ("plain", "ours")
BF16_PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense matrix products a second, from the makers' data sheets (SXM boards)."""


class Side:
    """A process that trains when told, and is stopped, its loader workers too, while it is not its turn."""

    def __init__(self, name: str, asked: dict[str, Any]) -> None:
        worker = str(Path(__file__).with_name("face_step_worker.py"))
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [sys.executable, worker, name, json.dumps(asked)]
        self.name = name
        self.process = subprocess.Popen(command, start_new_session=True, **pipes)

    def run(self, n: int, do: str = "steps") -> dict[str, Any]:
        """Train n steps, then stop.

        Raises:
            SystemExit: the process ended.
        """
        os.killpg(self.process.pid, signal.SIGCONT)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"do": do, "n": n}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self.process.wait()}")
        os.killpg(self.process.pid, signal.SIGSTOP)
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        """End it and its loader workers, whatever they are doing."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> dict[str, Any]:
        """Close it; gives what it says at the end."""
        os.killpg(self.process.pid, signal.SIGCONT)
        out, _ = self.process.communicate(timeout=120)
        last = out.strip().splitlines()
        return json.loads(last[-1]) if last else {}


def interval(values: Sequence[float], draws: int = 2000) -> dict[str, float]:
    """Median, and a 95 % percentile bootstrap interval of it."""
    kept = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(0).integers(0, len(kept), (draws, len(kept)))
    low, high = np.quantile(np.median(kept[drawn], axis=1), (0.025, 0.975))
    return {"median": float(np.median(kept)), "low": float(low), "high": float(high), "n": len(kept)}


def summary(blocks: dict[str, list[dict[str, float]]], job: Job) -> dict[str, Any]:
    """Medians of both sides, and ratios of the blocks of each round."""
    found: dict[str, Any] = {}
    for name, key in (("ratio", "seconds"), ("cpu_ratio", "cpu_seconds")):
        rounds = zip(blocks["plain"], blocks["ours"], strict=True)
        found[name] = interval([plain[key] / ours[key] for plain, ours in rounds])
    for side, rows in blocks.items():
        found[side] = {
            "step_s": interval([block["seconds"] for block in rows]),
            "faces_per_s": interval([job.batch_size / block["seconds"] for block in rows]),
            "loader_wait_s": interval([block["loader_wait"] for block in rows])["median"],
        }
    return found


def peak_share(job: Job, faces_per_s: float) -> float | None:
    """Share of the GPU's bf16 peak; None where that is not known."""
    import torch

    name = torch.cuda.get_device_name()
    peak = next((value for key, value in BF16_PEAK.items() if key in name), None)
    macs = describe_embedder(job.backbone, job.size).macs + job.classes * job.size
    return None if peak is None else faces_per_s * macs * 6 / peak


def compare(job: Job, manifest: Path, out: Path, args: argparse.Namespace) -> dict[str, Any]:
    asked = {
        "job": asdict(job),
        "manifest": str(manifest),
        "out": str(out),
        "words": parse_overrides(args.set),
    }
    sides: dict[str, Side] = {}
    try:
        for name in SIDES:
            sides[name] = Side(name, asked)
            sides[name].run(args.warm)
        return take_turns(sides, job, args)
    finally:
        for side in sides.values():
            side.kill()


def take_turns(sides: dict[str, Side], job: Job, args: argparse.Namespace) -> dict[str, Any]:
    blocks: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for number in range(args.rounds):
        for name in SIDES if number % 2 == 0 else SIDES[::-1]:
            blocks[name].append(sides[name].run(args.steps))
    result: dict[str, Any] = {**asdict(job), **summary(blocks, job)}
    if args.profile:
        result["profiles"] = {
            name: side.run(args.steps, "profile")["profile"] for name, side in sides.items()
        }
    if job.device == "cuda":
        result["peak_share"] = peak_share(job, result["ours"]["faces_per_s"]["median"])
    ends = {name: side.end() for name, side in sides.items()}
    return result | {"settings": ends["ours"].get("settings"), "blocks": blocks}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbones", nargs="+", default=["mobilefacenet", "iresnet18"])
    parser.add_argument("--classes", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=512, help="length of an embedding")
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="loader workers of each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4, help="steps of a block")
    parser.add_argument("--warm", type=int, default=3, help="steps before the first block")
    parser.add_argument("--profile", action="store_true", help="which operations take the time, as shares")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of our configuration")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # a stopped side would outlive this process
    found = []
    with tempfile.TemporaryDirectory() as folder:
        names = draw_pictures(Path(folder), 128)
        for backbone in args.backbones:
            for classes in args.classes:
                manifest = write_people(Path(folder), names, classes, rows=64 * args.batch)
                sizes = (args.batch, classes, args.size, args.lr, args.workers, args.threads)
                job, out = Job(backbone, *sizes, args.device), Path(folder) / f"{backbone}_{classes}"
                found.append(compare(job, manifest, out, args))
                brief = {key: found[-1][key] for key in ("backbone", "classes", "ratio", "cpu_ratio")}
                print(json.dumps(brief), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
