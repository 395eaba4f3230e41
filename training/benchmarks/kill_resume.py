"""Kill a training run with SIGKILL again and again, resume it each time, compare with one left alone.

    python training/benchmarks/kill_resume.py --kills 20 --inside 5 --out FOLDER

Two workers, mixup, EMA and ``torch.compile``. ``--inside`` of the kills happen while a checkpoint is being
written: the folder is watched, and the process is killed when a half-written checkpoint appears (its
remains prove it). The others happen at drawn moments. Prints JSON; exits 1 where weights differ in a bit
or more than one checkpoint interval was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors.numpy import load_file

from vnvision.data.synthetic import write_leaves

INTERVAL = 3


def command(manifest: Path, output: Path, *, compile_: bool, resume: bool) -> list[str]:
    """The run under test."""
    config = output.parent / "kill.yaml"
    config.write_text(
        "backbone: test_efficientnet\nweights: none\nsize_px: 64\naugment: crops\nbatch_size: 16\nepochs: 5\n"
        f"mixup: 0.4\ncutmix: 1.0\nema: 0.9\nworkers: 2\ncheckpoint_steps: {INTERVAL}\ntensorboard: false\n"
        f"compile: {str(compile_).lower()}\nchannels_last: true\nn_boot: 20\ndrop_rate: 0.2\n"
        "drop_path_rate: 0.1\n"
    )
    words = [f"data={manifest}", f"output={output}", f"resume={str(resume).lower()}"]
    return [sys.executable, "-m", "vnvision", "train", str(config), *words]


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(words, stdout=stream, stderr=stream, start_new_session=True)


def half_written(root: Path) -> int | None:
    """Step of a checkpoint that is being written right now."""
    if not root.is_dir():
        return None
    for entry in os.scandir(root):
        found = re.fullmatch(r"\.step_(\d+)\.\d+\.tmp", entry.name)
        if found:
            return int(found.group(1))
    return None


def newest(root: Path) -> int:
    return max((int(path.name[5:]) for path in root.glob("step_*")), default=0)


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_inside(process: subprocess.Popen[bytes], root: Path) -> int | None:
    """Kill as soon as a half-written checkpoint is seen; its step, or None where the run ended first."""
    before = half_written(root)
    while process.poll() is None:
        step = half_written(root)
        if step is not None and step != before:
            kill(process)
            return step if half_written(root) is not None else None
        time.sleep(0.0003)
    return None


def wait_moment(process: subprocess.Popen[bytes], root: Path, rng: random.Random) -> bool:
    """Kill some steps after training began; False where the run ended first."""
    began = newest(root)
    while process.poll() is None and newest(root) == began:
        time.sleep(0.01)
    time.sleep(rng.uniform(0.0, 0.6))
    if process.poll() is not None:
        return False
    kill(process)
    return True


def resumed_at(log: Path) -> int:
    found = re.findall(r"resuming after step (\d+)", log.read_text(errors="replace"))
    return int(found[-1]) if found else 0


def differing(left: Path, right: Path) -> list[str]:
    one, two = load_file(left), load_file(right)
    if set(one) != set(two):
        return sorted(set(one) ^ set(two))
    return [key for key in one if one[key].tobytes() != two[key].tobytes()]


def final_weights(folder: Path) -> Path:
    return folder / "checkpoints" / f"step_{newest(folder / 'checkpoints'):09d}" / "model.safetensors"


def torture(out: Path, *, kills: int, inside: int, compile_: bool, seed: int) -> dict[str, object]:
    rng = random.Random(seed)
    manifest = write_leaves(out / "data", per_class=30, size_px=64)
    alone = out / "alone"
    process = start(command(manifest, alone, compile_=compile_, resume=False), out / "alone.log")
    if process.wait() != 0:
        raise SystemExit(f"the run left alone failed: {(out / 'alone.log').read_text()[-2000:]}")
    result = {"kills": 0, "inside": 0, "most_steps_lost": 0, "chains": 0, "differing": 0}
    while result["kills"] < kills:
        name = f"chain{result['chains']}"
        result["chains"] += 1
        folder, log = out / name, out / f"{name}.log"
        root, resume, ended = folder / "checkpoints", False, False
        while not ended:
            process = start(command(manifest, folder, compile_=compile_, resume=resume), log)
            lost_from = 0
            if result["kills"] >= kills:
                ended = process.wait() == 0
                if not ended:
                    raise SystemExit(f"{name} did not finish: {log.read_text()[-2000:]}")
            elif result["inside"] < inside:
                step = wait_inside(process, root)
                lost_from = step or 0
                result["inside"] += step is not None
                ended = process.poll() == 0
            else:
                ended = not wait_moment(process, root, rng)
                lost_from = newest(root)
            if not ended:
                result["kills"] += 1
                here = newest(root)
                result["most_steps_lost"] = max(result["most_steps_lost"], lost_from - here)
            resume = folder.is_dir() and any(folder.iterdir())
        bad = differing(final_weights(alone), final_weights(folder))
        bad += differing(alone / "best" / "model.safetensors", folder / "best" / "model.safetensors")
        result["differing"] += len(bad)
        print(f"{name}: {result}", file=sys.stderr, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--inside", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    result = torture(
        args.out, kills=args.kills, inside=args.inside, compile_=not args.no_compile, seed=args.seed
    )
    print(json.dumps(result))
    sys.exit(result["differing"] > 0 or result["most_steps_lost"] > INTERVAL)


if __name__ == "__main__":
    main()
