"""Training steps with and without ``keep_freed_memory``, in turn, each in a process of its own.

    python training/benchmarks/allocator_speed.py

EfficientNet-Lite0, batch 32, two threads, AdamW, no loader. Prints JSON: per size and memory layout the
median images a second of both, their ratio, and the peak memory of both.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

SIZES = (96, 160, 224)


def measure(keep: bool, steps: int) -> dict[str, float]:
    """Images a second of each size and layout in this process."""
    import timm
    import torch

    from vnvision.train.allocator import keep_freed_memory

    if keep and not keep_freed_memory():
        raise SystemExit("keep_freed_memory has no effect here: glibc only")
    torch.set_num_threads(2)
    rates: dict[str, float] = {}
    for name, layout in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        net = timm.create_model("tf_efficientnet_lite0", num_classes=3).train().to(memory_format=layout)
        optimiser = torch.optim.AdamW(net.parameters(), 1e-3, fused=True)
        for size in SIZES:
            images = torch.randn(32, 3, size, size).contiguous(memory_format=layout)
            labels, times = torch.randint(0, 3, (32,)), []
            for _ in range(steps + 1):
                began = time.perf_counter()
                torch.nn.functional.cross_entropy(net(images), labels).backward()
                optimiser.step()
                optimiser.zero_grad()
                times.append(time.perf_counter() - began)
            rates[f"{name} {size}"] = 32 / statistics.median(times[1:])
    return rates | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--one", choices=("default", "keep"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one == "keep", args.steps)))
        return
    found: dict[str, list[dict[str, float]]] = {"default": [], "keep": []}
    for _ in range(args.rounds):
        for name, rows in found.items():
            command = [sys.executable, __file__, "--one", name, "--steps", str(args.steps)]
            rows.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    result = {}
    for key in found["keep"][0]:
        before, after = (statistics.median(row[key] for row in found[name]) for name in ("default", "keep"))
        result[key] = {"default": before, "keep": after, "ratio": after / before}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
