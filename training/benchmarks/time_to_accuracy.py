"""Wall time from process start to a validation accuracy: timm's script and ours, in turn, in one run.

    python training/benchmarks/time_to_accuracy.py --timm-script TRAIN_PY --set ibean --out FOLDER

Both sides: the same ImageNet weights, augmentation, batch, threads and workers; imports, caching and
compiling count.
The target is the tuned baseline's best validation accuracy less one point (``timm_tuned.yaml``). Each
seed runs timm, then ours. A run that never gets there counts as unbounded. Prints JSON with every epoch,
and the same comparison at every other accuracy that both sides reach in most seeds: on a small validation
set a single target is within the noise, the row of them is not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from timm_script import Job, run_timm

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "configs" / "benchmark"
LINE = re.compile(r"phase (\d+) epoch +(\d+).* val accuracy ([\d.]+)")


def run_ours(config: Path, out: Path, seed: int) -> list[dict[str, float]]:
    """Train; every validation with its wall time since the process was started."""
    command = [sys.executable, "-m", "vnvision", "train"]
    env = {"PYTHONPYCACHEPREFIX": str(out.parent / "pycache"), **os.environ}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    words = [*command, str(config), f"output={out}", f"seed={seed}"]
    # Untimed, as for timm: writes the byte code, so that the timed start is the usual one.
    subprocess.run([*words, "--print-config"], env=env, stdout=subprocess.DEVNULL, check=True)
    subprocess.run([sys.executable, "-c", "import vnvision.train.run"], env=env, check=True)
    began, rows = time.monotonic(), []
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    tail = []
    for line in process.stderr or ():
        tail = [*tail[-20:], line]
        found = LINE.search(line)
        if found:
            accuracy = 100 * float(found.group(3))
            rows.append({"epoch": len(rows), "wall_s": time.monotonic() - began, "val_top1": accuracy})
    if process.wait() != 0:
        raise SystemExit(f"our run failed: {''.join(tail)}")
    return rows


def seconds_to(rows: list[dict[str, float]], target: float) -> float:
    """First wall time at or above the target; infinite where it was never reached.

    Both sides print rounded accuracies (timm 95.455, ours 0.9545): a hundredth of a point is no difference.
    """
    return next((row["wall_s"] for row in rows if row["val_top1"] >= target - 0.01), math.inf)


def levels(seeds: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Median seconds and their ratio at every accuracy a validation of timm's gave and both medians reach."""
    rows = []
    for target in sorted({row["val_top1"] for entry in seeds for row in entry["timm"]}):
        timm_s, ours_s = (
            statistics.median(seconds_to(entry[side], target) for entry in seeds) for side in ("timm", "ours")
        )
        if math.isfinite(timm_s) and math.isfinite(ours_s):
            rows.append({"target": target, "timm_s": timm_s, "ours_s": ours_s, "ratio": timm_s / ours_s})
    return rows


def compare(args: argparse.Namespace) -> dict[str, object]:
    tuned = yaml.safe_load((HERE / "timm_tuned.yaml").read_text())[args.set]
    config = args.config or CONFIGS / f"{args.set}_fast.yaml"
    manifest = Path(os.environ["VNVISION_DATA"]) / tuned["manifest"]
    target, seeds = tuned["target"], []
    for seed in args.seeds:
        job = Job(args.timm_script, manifest, tuned["size_px"], seed, 2)
        theirs = [vars(e) for e in run_timm(job, tuned["args"], args.out / f"timm{seed}")]
        ours = run_ours(config, args.out / f"ours{seed}", seed)
        entry = {
            "seed": seed,
            "timm_s": seconds_to(theirs, target),
            "ours_s": seconds_to(ours, target),
            "timm": theirs,
            "ours": ours,
        }
        seeds.append(entry)
        print(f"seed {seed}: timm {entry['timm_s']:.0f} s, ours {entry['ours_s']:.0f} s", file=sys.stderr)
    timm_s = statistics.median(entry["timm_s"] for entry in seeds)
    ours_s = statistics.median(entry["ours_s"] for entry in seeds)
    # A side that never arrives gives no ratio: that is not a speed-up.
    ratio = timm_s / ours_s if math.isfinite(timm_s) and math.isfinite(ours_s) else None
    return {
        "set": args.set,
        "target": target,
        "timm_median_s": timm_s,
        "ours_median_s": ours_s,
        "ratio": ratio,
        "levels": levels(seeds),
        "seeds": seeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--timm-script", type=Path, required=True)
    parser.add_argument("--set", choices=("ibean", "malaria"), required=True)
    parser.add_argument("--config", type=Path, help="ours; default: training/configs/benchmark/SET_fast.yaml")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    print(json.dumps(compare(args), default=str))


if __name__ == "__main__":
    main()
