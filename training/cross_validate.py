"""Choose between recipes by group cross-validation on the train and val rows; the test split is not read.

    python training/cross_validate.py training/crossval/ibean.yaml --folds 3 --out FOLDER

The file names a config and candidates, each a mapping of changes to it; the first is what the others are
compared with. Every candidate trains once a fold, in a process of its own, on the same folds: groups are
never divided. A fold that was finished is not trained again, so a run that was stopped goes on.

Prints a row a candidate: its figure over all held-out pictures, and the difference to the first candidate on
the same pictures with a 95 % interval, bootstrapped by group. The epoch is chosen on the held-out fold, for
every candidate alike, so the the figures are too high by some; differences are what this is for.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.ranking import RankedScores


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


class HeldOut(NamedTuple):
    """What one candidate answered for the pictures it was not trained on.

    Attributes:
        groups: N keys.
        logits: (N, C).
        truth: (N,) label indices.
        seconds: of training, a fold.
    """

    groups: list[str]
    logits: np.ndarray
    truth: np.ndarray
    seconds: float


def held_out(folders: list[Path]) -> HeldOut:
    """All folds of a candidate, one after the other."""
    from vnvision.imaging import read
    from vnvision.train.config import TrainConfig
    from vnvision.train.predictor import load_run
    from vnvision.train.prepare import parts

    groups: list[str] = []
    logits, truth, seconds = [], [], []
    for folder in folders:
        predictor = load_run(folder)
        _, part, _ = parts(TrainConfig.model_validate(predictor.config))
        logits += [predictor.logits([read(file).image])[0] for file in part.files]
        groups += part.manifest.group_keys()
        truth.append(part.raw)
        seconds.append(json.loads((folder / "report.json").read_text())["model"]["train_seconds"])
    return HeldOut(groups, np.array(logits), np.concatenate(truth), float(np.mean(seconds)))


def figure(name: str, found: HeldOut) -> Callable[[np.ndarray], np.ndarray]:
    """Weights of the pictures (N, B) -> the figure of each draw (B,)."""
    right = found.logits.argmax(1) == found.truth
    if name == "accuracy":
        return lambda weights: right @ weights / weights.sum(0)
    if name == "balanced_accuracy":
        rows = [found.truth == label for label in np.unique(found.truth)]
        return lambda weights: np.mean([(right * r) @ weights / (r @ weights) for r in rows], axis=0)
    margin = found.logits[:, 1] - found.logits[:, 0]
    if found.logits.shape[1] != 2:
        raise SystemExit("auroc here is of two classes")
    ranked = RankedScores(margin, found.truth == 1)
    return lambda weights: ranked.metrics(weights)["auroc"]


def row(name: str, metric: str, found: HeldOut, first: HeldOut) -> dict[str, object]:
    """One candidate's figure beside the first candidate's, on the same pictures."""
    own, other = figure(metric, found), figure(metric, first)

    def draws(weights: np.ndarray) -> dict[str, np.ndarray]:
        value = own(weights)
        return {"value": value, "gain": value - other(weights)}

    drawn = resample(draws, ClusterBootstrap(found.groups, 2000))
    whole = draws(np.ones((len(found.truth), 1)))
    sizes = {"n": len(found.truth), "n_groups": len(set(found.groups))}
    value, gain = (summarise(float(whole[key][0]), drawn.get(key), **sizes) for key in ("value", "gain"))
    return {
        "candidate": name,
        "n": sizes["n"],
        "groups": sizes["n_groups"],
        metric: [value.value, value.low, value.high],
        "gain": [gain.value, gain.low, gain.high],
        "seconds_per_fold": round(found.seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("candidates", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--metric", choices=("accuracy", "balanced_accuracy", "auroc"), default="accuracy")
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
        found = held_out([root / name / str(fold) for fold in range(args.folds)])
        first = found if first is None else first
        print(json.dumps(row(name, args.metric, found, first)), flush=True)


if __name__ == "__main__":
    main()
