"""What the calculator predicts against what a real training step takes on this CPU. Prints JSON.

Each case trains a few steps in a process of its own, with the parts a run trains with: network, class
centres, fused optimiser, clipping. Memory is the most the process held, less the most before anything was
built. Time: the network's speed is measured on its own, the matrix and memory speed of this machine too,
and the whole step is predicted from these. Seconds are those of the one thread's processor time, so that
other programs disturb little.

    python training/benchmarks/scale_check.py
    python training/benchmarks/scale_check.py --case sampled
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASES: dict[str, dict[str, Any]] = {
    "iresnet18": {"backbone": "iresnet18", "batch_size": 8, "n_classes": 1_000},
    "checkpointing": {"backbone": "iresnet18", "batch_size": 16, "n_classes": 1_000, "checkpointing": True},
    "frozen": {"backbone": "iresnet18", "batch_size": 16, "n_classes": 1_000, "train": "layer4"},
    "sampled": {
        "backbone": "mobilefacenet", "batch_size": 16, "n_classes": 300_000, "optimiser": "sgd",
        "sample_rate": 0.1,
    },
    "full": {"backbone": "mobilefacenet", "batch_size": 16, "n_classes": 100_000},
    "average": {"backbone": "mobilefacenet", "batch_size": 24, "n_classes": 1_000, "ema": True},
}  # fmt: skip
DIM, STEPS = 512, 3


def peak_bytes() -> int:
    """The most memory this process has held so far.

    Linux's ``ru_maxrss`` starts at what the parent held: its own mark of the process is read there.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def work_of(case: dict[str, Any]) -> Any:
    """The calculator's view of a case."""
    from vnvision.train.scale import Work
    from vnvision.train.scale_net import network_cost

    rest = {key: value for key, value in case.items() if key not in ("backbone", "train")}
    stages = network_cost(case["backbone"], DIM, train=case.get("train", "all"))
    return Work(stages=stages, embedding_size=DIM, n_pictures=10_000, **rest)


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """A case's steps, in this process."""
    import torch

    from vnvision.train.allocator import keep_freed_memory

    torch.set_num_threads(1)
    keep_freed_memory()
    steps(case | {"backbone": "timm:test_efficientnet", "batch_size": 2, "n_classes": 8, "train": "all"}, 2)
    before = peak_bytes()
    seconds = steps(case, STEPS)
    return {"bytes": peak_bytes() - before, "step_s": round(statistics.median(seconds[1:]), 3)}


def steps(case: dict[str, Any], count: int) -> list[float]:
    """Train on random pictures; seconds of each step."""
    import torch
    from timm.optim import create_optimizer_v2
    from timm.utils import ModelEmaV3

    from vnvision.losses.margin import build_head
    from vnvision.losses.partial_fc import PartialFC, clip_grad_norm_
    from vnvision.models import StagedNet, build_embedder

    built = build_embedder(case["backbone"], DIM, checkpointing=case.get("checkpointing", False))
    net = StagedNet(built).to(memory_format=torch.channels_last)
    net.freeze_before(case.get("train", "all"))
    centres = PartialFC(
        build_head("cosface"), case["n_classes"], DIM, sample_rate=case.get("sample_rate", 1.0)
    )
    kind = case.get("optimiser", "adamw")
    extra = {"momentum": 0.9} if kind == "sgd" else {}
    optimiser = create_optimizer_v2(net.net, opt=kind, lr=1e-3, weight_decay=0.01, fused=True, **extra)
    optimiser.add_param_group({"params": list(centres.parameters())})
    centres.attach(optimiser)
    average = ModelEmaV3(net, decay=0.99) if case.get("ema") else None
    random, seconds = torch.Generator().manual_seed(0), []
    for step in range(count):
        inputs = torch.randn(case["batch_size"], 3, 112, 112, generator=random)
        target = torch.randint(case["n_classes"], (case["batch_size"],), generator=random)
        start = time.process_time()
        net.train()
        centres(net(net.frozen(inputs)), target, step).backward()
        clip_grad_norm_((p for p in net.parameters() if p.requires_grad), centres, 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if average is not None:
            average.update(net, step=step)
        seconds.append(time.process_time() - start)
    return seconds


def network_speed(case: dict[str, Any]) -> float:
    """Faces a second, forward and backward of the network alone."""
    import torch

    from vnvision.models import StagedNet, build_embedder

    torch.set_num_threads(1)
    built = build_embedder(case["backbone"], DIM, checkpointing=case.get("checkpointing", False))
    net = StagedNet(built).to(memory_format=torch.channels_last)
    net.freeze_before(case.get("train", "all"))
    net.train()
    inputs = torch.randn(case["batch_size"], 3, 112, 112)

    def run() -> None:
        net(net.frozen(inputs)).square().mean().backward()
        net.zero_grad(set_to_none=True)

    return float(case["batch_size"]) / fastest(run, 2)


def machine_speed() -> tuple[float, float]:
    """Operations a second of a matrix product, bytes a second of an addition in place; one thread."""
    import torch

    torch.set_num_threads(1)
    left, right = torch.randn(512, 512), torch.randn(512, 4096)
    flops = 2 * 512 * 512 * 4096 / fastest(lambda: left @ right, 5)
    large = torch.randn(1 << 24)
    return flops, 2 * large.nbytes / fastest(lambda: large.add_(1.0), 5)


def fastest(run: Callable[[], Any], times: int) -> float:
    """Seconds of the quickest of some runs, after one to warm up."""
    seconds = []
    for _ in range(times + 1):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def compare(name: str, flops: float, bandwidth: float) -> dict[str, Any]:
    """Prediction and measurement of a case."""
    from vnvision.train.scale import Machine, memory
    from vnvision.train.scale_time import seconds

    case = CASES[name]
    words = [sys.executable, __file__, "--measure", name]
    seen = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)
    work = work_of(case)
    said = memory(work)
    here = Machine("this one", 1, 0, flops, flops, bandwidth, reached=1.0)
    when = seconds(work, here, faces_per_s=network_speed(case)).total
    return {
        **case,
        "predicted_mib": round(said.total / 2**20),
        "measured_mib": round(seen["bytes"] / 2**20),
        "measured_over_predicted": round(seen["bytes"] / said.total, 3),
        "predicted_step_s": round(when, 3),
        "measured_step_s": seen["step_s"],
        "time_over_predicted": round(seen["step_s"] / when, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--case", choices=CASES, action="append", help="only these")
    parser.add_argument("--measure", choices=CASES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(CASES[asked.measure])))
        return
    flops, bandwidth = machine_speed()
    rows = {name: compare(name, flops, bandwidth) for name in asked.case or CASES}
    machine = {
        "gflops": round(flops / 1e9, 1),
        "gb_per_s": round(bandwidth / 1e9, 1),
        "threads": 1,
        "processor": platform.processor() or platform.machine(),
    }
    print(json.dumps({"machine": machine, "cases": rows}, indent=2))


if __name__ == "__main__":
    main()
