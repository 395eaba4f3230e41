"""Choose between recipes by group cross-validation on the train and val rows; the test split is not read.

    python training/cross_validate.py training/crossval/ibean.yaml --folds 3 --out FOLDER

The file names a config and candidates, each a mapping of changes to it; the first is what the others are
compared with. Every candidate trains once a fold, in a process of its own, on the same folds: groups are
never divided. A fold that was finished is not trained again, so a run that was stopped goes on; one that was
trained otherwise, on other rows or in other folds is an error, for it may have seen what it would be asked.

Prints a row a candidate: its figure over all held-out pictures, and the difference to the first candidate on
the same pictures with a 95 % interval, bootstrapped by group. The epoch is chosen on the held-out fold, for
every candidate alike, so the figures are too high by some; differences are what this is for.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from vnvision.data.manifest import read_manifest
from vnvision.errors import VnvisionError
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.ranking import RankedScores
from vnvision.train.config import load_config, parse_overrides
from vnvision.train.folds import fold_state, train_apart


class Fold(NamedTuple):
    """One training: the folder of its run, and the words that ask for it."""

    out: Path
    words: list[str]


def planned(asked: dict[str, Any], folds: int, root: Path, threads: int) -> list[Fold]:
    """Every candidate's folds that are not done; one that was stopped goes on.

    Raises:
        ConfigError: a fold there was trained with another configuration, on other rows or in other folds.
    """
    found = []
    for name, changes in asked["candidates"].items():
        for fold in range(folds):
            out = root / name / str(fold)
            words = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
            words += [f"folds={folds}", f"fold={fold}", f"output={out}", "n_boot=0", "tensorboard=false"]
            words += [f"threads={threads}"]
            config = load_config(asked["config"], parse_overrides(words))
            state = fold_state(out, config, read_manifest(config.data).sha256)
            if state != "done":
                found.append(Fold(out, [*words, "resume=true"] if state == "begun" else words))
    return found


def train_all(config: str, folds: list[Fold], jobs: int, threads: int) -> None:
    """Train in processes of their own, so many at once; after a failure no further one begins.

    Raises:
        ModelError: a training failed.
    """
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(train_apart, config, fold.words, threads) for fold in folds]
        try:
            for done in as_completed(waiting):
                done.result()
        except VnvisionError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
    """Read the arguments; a mistake or a failed training is one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("candidates", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--metric", choices=("accuracy", "balanced_accuracy", "auroc"), default="accuracy")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="folds at once, sharing the cores")
    args = parser.parse_args()
    try:
        judge(args)
    except (VnvisionError, OSError) as exc:
        sys.exit(f"cross_validate: {exc}")


def judge(args: argparse.Namespace) -> None:
    """Train what is not done, then print a row a candidate."""
    asked = yaml.safe_load(args.candidates.read_text(encoding="utf-8"))
    threads = max(1, (os.cpu_count() or 1) // args.jobs)
    root = args.out / args.candidates.stem
    train_all(asked["config"], planned(asked, args.folds, root, threads), args.jobs, threads)
    first = None
    for name in asked["candidates"]:
        found = held_out([root / name / str(fold) for fold in range(args.folds)])
        first = found if first is None else first
        print(json.dumps(row(name, args.metric, found, first)), flush=True)


if __name__ == "__main__":
    main()
