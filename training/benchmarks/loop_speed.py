"""Images a second of our loop and of timm's own training script, in turn, in one run.

    python training/benchmarks/loop_speed.py --timm-script TRAIN_PY --out FOLDER

EfficientNet-Lite0 at 224, batch 32, two threads, two workers, the same pictures. Three settings: timm eager;
ours eager with the same memory layout (contiguous, no compile); ours with our settings (channels_last; since
freed memory is kept, ``torch.compile`` saves nothing more here: ``training/LOG.md``). The first epoch of each
run is left out (warm-up); the median of the rest counts.
Also says how long the loop waited for the loader, as a share of the time, and how fast the loader is alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from timm_script import Job, run_timm

EAGER = ("compile=false", "channels_last=false", "workers=2")
SETTINGS = ("compile=false", "channels_last=true", "workers=2")


def ours(config: Path, out: Path, words: tuple[str, ...], epochs: int) -> tuple[list[float], float]:
    phases = f"phases=[{{train: all, validate_every: 0, epochs: {epochs}}}]"
    command = [sys.executable, "-m", "vnvision", "train", str(config), f"output={out}", phases, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    with (out / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[1:]
    # The last epoch's row is written before the final validation begins, so every row is training alone.
    rates = [float(row["images_per_s"]) for row in rows]
    waited = statistics.median(float(row["loader_wait_s"]) * float(row["images_per_s"]) for row in rows)
    images = 32 * (int(rows[0]["serial"]) // 2)
    return rates, waited / images


def loader_rate(config: Path) -> float:
    """Augmented, normalised images a second from two workers with nothing else to do, at 224."""
    from vnvision.data.augment import Augmenter
    from vnvision.imaging import Preprocessor
    from vnvision.train.config import load_config
    from vnvision.train.data import Pictures, Steps, make_loader
    from vnvision.train.prepare import parts, task_spec

    settings = load_config(config)
    part, _, manifest = parts(settings)
    preprocessor = Preprocessor(task_spec(settings, manifest).preprocess)
    pictures = Pictures(part.files, preprocessor, Augmenter(settings.phase_augment(0), 224), 0)
    steps = Steps(len(part), 32, accumulate=1, seed=0, start=0, stop=40)
    times = [time.perf_counter() for _ in make_loader(pictures, steps, workers=2, table=preprocessor.table)]
    return 32 * (len(times) // 2) / (times[-1] - times[-1 - len(times) // 2])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--timm-script", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent
    config = here.parent / "configs" / "benchmark" / "ibean_fast.yaml"
    manifest = Path(os.environ["VNVISION_DATA"]) / "agri" / "ibean" / "manifest.csv"
    rates: dict[str, list[float]] = {"timm": [], "ours_eager": [], "ours": []}
    waits = []
    for number in range(args.rounds):
        job = Job(args.timm_script, manifest, 224, number, 2)
        epochs = run_timm(
            job, {"opt": "adamw", "lr": 1e-3, "epochs": args.epochs}, args.out / f"timm{number}"
        )
        rates["timm"] += [epoch.train_images_s for epoch in epochs[1:]]
        rates["ours_eager"] += ours(config, args.out / f"eager{number}", EAGER, args.epochs)[0]
        found, wait = ours(config, args.out / f"ours{number}", SETTINGS, args.epochs)
        rates["ours"] += found
        waits.append(wait)
        print({name: [round(v, 1) for v in values] for name, values in rates.items()}, file=sys.stderr)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    loader = loader_rate(config)
    result = {
        "images_per_s": medians,
        "eager_ratio": medians["ours_eager"] / medians["timm"],
        "settings_ratio": medians["ours"] / medians["timm"],
        "loader_wait_share": statistics.median(waits),
        "loader_images_per_s": loader,
        "loader_ratio": loader / medians["ours"],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
