"""Choose between recipes by group cross-validation on the train and val rows; the test split is not read.

    python training/cross_validate.py training/crossval/ibean.yaml --folds 3 --out FOLDER

The file names a config and candidates, each a mapping of changes to it; the first is what the others are
compared with. Every candidate trains once a fold, in a process of its own, on the same folds: groups are
never divided. A fold that was finished is not trained again, so a run that was stopped goes on.

Prints a row a candidate: accuracy over all held-out pictures, and its difference to the first candidate on
the same pictures with a 95 % interval, bootstrapped by group. The epoch is chosen on the held-out fold, for
every candidate alike, so the accuracies are too high by some; differences are what this is for.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise


def train_fold(config: str, changes: dict[str, Any], folds: int, fold: int, out: Path, threads: int) -> None:
    """Train one fold in its own process, going on where an earlier try was stopped."""
    if (out / "report.json").is_file():
        return
    words = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    words += [f"folds={folds}", f"fold={fold}", f"output={out}", "n_boot=0", "tensorboard=false"]
    words += [f"threads={threads}"]
    words += ["resume=true"] if (out / "run.json").is_file() else []
    done = subprocess.run(
        [sys.executable, "-m", "vnvision", "train", config, *words],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"fold {fold} failed: {done.stderr[-1500:]}")


def held_out(out: Path) -> tuple[list[str], np.ndarray, float]:
    """Groups, whether each held-out picture was answered right, and the seconds it took to train."""
    from vnvision.imaging import read
    from vnvision.train.config import TrainConfig
    from vnvision.train.predictor import load_run
    from vnvision.train.prepare import parts

    predictor = load_run(out)
    _, part, _ = parts(TrainConfig.model_validate(predictor.config))
    answers = [predictor.logits([read(file).image]).argmax(1)[0] for file in part.files]
    seconds = json.loads((out / "report.json").read_text())["model"]["train_seconds"]
    return part.manifest.group_keys(), np.array(answers) == part.raw, seconds


def row(
    name: str, groups: list[str], right: np.ndarray, first: np.ndarray, seconds: float
) -> dict[str, object]:
    """One candidate's figures beside the first candidate's."""
    gain = right.astype(float) - first

    def means(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(0)
        return {"accuracy": right @ weights / total, "gain": gain @ weights / total}

    draws = resample(means, ClusterBootstrap(groups, 2000))
    sizes = {"n": len(groups), "n_groups": len(set(groups))}
    accuracy = summarise(float(right.mean()), draws.get("accuracy"), **sizes)
    change = summarise(float(gain.mean()), draws.get("gain"), **sizes)
    return {
        "candidate": name,
        "n": len(groups),
        "groups": len(set(groups)),
        "accuracy": [accuracy.value, accuracy.low, accuracy.high],
        "gain": [change.value, change.low, change.high],
        "seconds_per_fold": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("candidates", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="folds at once, sharing the cores")
    args = parser.parse_args()
    asked = yaml.safe_load(args.candidates.read_text(encoding="utf-8"))
    threads = max(1, (os.cpu_count() or 1) // args.jobs)
    root = args.out / args.candidates.stem
    with ThreadPoolExecutor(args.jobs) as pool:
        waiting = [
            pool.submit(
                train_fold, asked["config"], changes, args.folds, fold, root / name / str(fold), threads
            )
            for name, changes in asked["candidates"].items()
            for fold in range(args.folds)
        ]
        for done in waiting:
            done.result()
    first = None
    for name in asked["candidates"]:
        parts = [held_out(root / name / str(fold)) for fold in range(args.folds)]
        groups = [key for keys, _, _ in parts for key in keys]
        right = np.concatenate([correct for _, correct, _ in parts])
        first = right if first is None else first
        seconds = float(np.mean([spent for _, _, spent in parts]))
        print(json.dumps(row(name, groups, right, first, seconds)), flush=True)


if __name__ == "__main__":
    main()
