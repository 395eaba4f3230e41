"""Size and time of every model that ships: the file itself in ONNX Runtime and in OpenVINO, in turn.

    python training/benchmarks/shipped_speed.py --threads 2 --rounds 100

One picture at a time, inference alone (no reading, no resizing), random pixels at the model's size. The two
engines take turns, ten pictures each, so that a busy machine slows both; p50 and p95 over all rounds. Each
model has a process of its own: behind others in one process the larger ones took up to a fifth longer.
OpenVINO reads the same 8-bit ONNX file; how far its answers lie from ONNX Runtime's is told beside, as a
share of their spread. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from vnvision.engines import open_engine
from vnvision.hub import shelf
from vnvision.records import BundleManifest

ENGINES = ("onnxruntime", "openvino")
IN_A_TURN, WARM = 10, 20


def measured(folder: Path, threads: int, rounds: int) -> tuple[dict[str, np.ndarray], float]:
    """Milliseconds of every picture by engine, and the largest difference of answers over their spread."""
    manifest = BundleManifest.load(folder / "manifest.json")
    (record,) = manifest.targets.values()
    spec = manifest.task.preprocess
    picture = np.random.default_rng(0).normal(size=(1, spec.channels, *spec.size_px)).astype(np.float32)
    with contextlib.ExitStack() as stack:
        engines = {name: open_engine(folder / record.file, name, threads=threads) for name in ENGINES}
        for engine in engines.values():
            stack.callback(engine.close)
        answers = {name: engine.run(picture)[0] for name, engine in engines.items()}
        spread = float(np.ptp(answers["onnxruntime"])) or 1.0
        off = float(np.abs(answers["onnxruntime"] - answers["openvino"]).max()) / spread
        for engine in engines.values():
            for _ in range(WARM):
                engine.run(picture)
        spent: dict[str, list[float]] = {name: [] for name in ENGINES}
        for _ in range(rounds):
            for name, engine in engines.items():
                for _ in range(IN_A_TURN):
                    start = time.perf_counter()
                    engine.run(picture)
                    spent[name].append(1e3 * (time.perf_counter() - start))
    return {name: np.array(values) for name, values in spent.items()}, off


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=shelf.SHIPPED, help="folder of bundles")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    print("| model | file MB | bundle MB | ONNX Runtime p50, p95 ms | OpenVINO p50, p95 ms | answers apart |")
    print("|---|---|---|---|---|---|")
    whole = 0.0
    fresh = multiprocessing.get_context("spawn")
    for folder in sorted(one for one in args.models.iterdir() if shelf.is_bundle(one)):
        with ProcessPoolExecutor(1, mp_context=fresh) as alone:
            spent, off = alone.submit(measured, folder, args.threads, args.rounds).result()
        sizes = {file: file.stat().st_size / 1e6 for file in folder.rglob("*") if file.is_file()}
        file = sum(size for path, size in sizes.items() if path.parent != folder)
        whole += sum(sizes.values())
        times = " | ".join(
            "{:.1f}, {:.1f}".format(*np.quantile(spent[name], [0.5, 0.95])) for name in ENGINES
        )
        print(f"| {folder.name} | {file:.2f} | {sum(sizes.values()):.2f} | {times} | {off:.3f} |", flush=True)
    print(f"| all | | {whole:.1f} | | | |")


if __name__ == "__main__":
    main()
