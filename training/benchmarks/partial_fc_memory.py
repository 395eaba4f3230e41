"""Peak memory of Partial FC's training step on a CPU, against what `predicted_bytes` says. Prints JSON.

Each rank runs in a process of its own and measures its resident memory: the most before the layer is
made, and the most until some steps are done. What libraries take is before, and not in the difference.

    python training/benchmarks/partial_fc_memory.py
    python training/benchmarks/partial_fc_memory.py --sample-rate 1.0 --batch 16 --ranks 1
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def peak_bytes() -> int:
    """The most memory this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """One rank's steps, in this process."""
    import torch
    from torch import distributed

    from vnvision.losses.margin import build_head
    from vnvision.losses.partial_fc import PartialFC

    torch.set_num_threads(1)
    if asked.ranks > 1:
        where = f"file://{asked.store}"
        distributed.init_process_group("gloo", init_method=where, rank=asked.rank, world_size=asked.ranks)
    kinds = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
        "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True),
    }
    warm(kinds[asked.optimiser])
    before, start = peak_bytes(), time.perf_counter()
    layer = PartialFC(build_head("cosface"), asked.classes, asked.dim, sample_rate=asked.sample_rate)
    layer.attach(optimiser := kinds[asked.optimiser](layer.parameters()))
    made, seconds = time.perf_counter() - start, []
    random = torch.Generator().manual_seed(asked.rank)
    rows = asked.batch // asked.ranks
    for step in range(asked.steps):
        embeddings = torch.randn(rows, asked.dim, generator=random, requires_grad=True)
        target = torch.randint(asked.classes, (rows,), generator=random)
        start = time.perf_counter()
        optimiser.zero_grad()
        layer(embeddings, target, step).backward()
        optimiser.step()
        seconds.append(round(time.perf_counter() - start, 2))
    return {"bytes": peak_bytes() - before, "making_s": round(made, 1), "step_s": seconds}


def warm(kind: Any) -> None:
    """A step of a small layer, so that what libraries load at first use is not counted."""
    import torch

    from vnvision.losses.margin import build_head
    from vnvision.losses.partial_fc import PartialFC

    layer = PartialFC(build_head("cosface"), 64, 8, sample_rate=0.5)
    layer.attach(optimiser := kind(layer.parameters()))
    layer(torch.ones(2, 8, requires_grad=True), torch.tensor([0, 63]), 0).backward()
    optimiser.step()


def launch(asked: argparse.Namespace) -> dict[str, Any]:
    """All ranks, and the prediction."""
    from vnvision.losses.partial_fc import predicted_bytes

    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, *sys.argv[1:], "--store", str(Path(folder) / "store"), "--rank"]
        ranks = [
            subprocess.Popen([*words, str(r)], stdout=subprocess.PIPE, text=True) for r in range(asked.ranks)
        ]
        texts = [process.communicate()[0] for process in ranks]
    if any(process.returncode for process in ranks):
        sys.exit("a rank failed")
    seen = [json.loads(text) for text in texts]
    said = predicted_bytes(
        asked.classes, asked.dim, asked.ranks, asked.sample_rate, asked.batch, asked.optimiser
    )
    return {
        "classes": asked.classes,
        "dim": asked.dim,
        "ranks": asked.ranks,
        "sample_rate": asked.sample_rate,
        "batch": asked.batch,
        "optimiser": asked.optimiser,
        "steps": asked.steps,
        "predicted_mib_a_rank": round(said / 2**20),
        "measured_mib": [round(one["bytes"] / 2**20) for one in seen],
        "measured_over_predicted": [round(one["bytes"] / said, 3) for one in seen],
        "making_s": [one["making_s"] for one in seen],
        "step_s": [one["step_s"] for one in seen],
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--classes", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--sample-rate", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=128, help="faces a step over all ranks")
    parser.add_argument("--optimiser", choices=("sgd", "adamw"), default="sgd")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rank", type=int, help="measure this rank, in this process")
    parser.add_argument("--store", help="file by which ranks meet")
    asked = parser.parse_args()
    print(json.dumps(launch(asked) if asked.rank is None else measure(asked), indent=2))


if __name__ == "__main__":
    main()
