"""8-bit integers after training against float32 in the same engine: speed, and what they cost in accuracy.

Classifiers come as run folders, SFace from its wheel. Each is brought to integers for ONNX Runtime and for
OpenVINO; float32 and integers then take turns in one process, ten images a turn, and how many times as fast
integers are is the median over turns, with a bootstrap interval over them. With one thread CPU time stands
beside time on the clock, as other work on the machine moves it less.

Accuracy (``int8_accuracy``): a classifier on the test split, or, of a fold of ``cross_validate.py``, on the
training rows that the fold held out (validation rows chose the rounding); SFace by TAR at FMR 1e-3 on all
pairs of the portraits and of LFW. Calibration images are training rows, and for SFace pictures of people who
are in neither set. All changes are paired, with intervals over groups or people drawn again.

    python training/benchmarks/int8_speed.py --run RUN [--run RUN ...] --cache FOLDER --out FOLDER \\
        --data $VNVISION_DATA/faces/manifest.csv

Prints JSON. ``--cache`` holds aligned crops as ``regional_finetune.py`` makes them; ``--split val`` looks at
validation pictures only, and at no faces; ``--pairs 0`` measures no time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vnvision.engines import open_engine
from vnvision.export import to_openvino
from vnvision.export.int8_onnx import Int8Options, to_int8_onnx
from vnvision.export.int8_openvino import to_int8_openvino

sys.path.insert(0, str(Path(__file__).parent))
from int8_accuracy import Classifier, classifier, pooled, sface

_WARM, _A_TURN = 3, 10
Files = dict[str, dict[str, Path]]


def write_files(
    onnx: Path, folder: Path, calibration: np.ndarray, options: Int8Options, nncf: bool
) -> tuple[Files, dict[str, Any]]:
    """float32 and integers for each engine, and how near integers came on the calibration images."""
    xml, _ = to_openvino(onnx, folder / "float32")
    given: dict[str, Any] = {"calibration": calibration, "options": options}
    near = {
        "onnxruntime": to_int8_onnx(onnx, folder / "int8.onnx", **given),
        "openvino": to_int8_openvino(onnx, folder / "int8", **given),
    }
    files: Files = {
        "onnxruntime": {"float32": onnx, "int8": folder / "int8.onnx"},
        "openvino": {"float32": xml, "int8": folder / "int8" / "model.xml"},
    }
    if nncf:
        near["openvino-nncf"] = to_int8_openvino(onnx, folder / "nncf", method="nncf", **given)
        files["openvino"]["nncf"] = folder / "nncf" / "model.xml"
    return files, {name: asdict(found) for name, found in near.items()}


def speed(files: dict[str, Path], engine: Any, image: np.ndarray, pairs: int, threads: int) -> dict[str, Any]:
    """Milliseconds an image, and how many times as fast as float32 each file is."""
    runs = {name: open_engine(file, engine, threads=threads) for name, file in files.items()}
    clocks = {"cpu": time.process_time, "clock": time.perf_counter}
    times: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in runs} for kind in clocks}
    for turn in range(pairs + _WARM):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            runs[name].run(image)  # what the other one threw out of the caches comes back
            began = {kind: clock() for kind, clock in clocks.items()}
            for _ in range(_A_TURN):
                runs[name].run(image)
            for kind, clock in clocks.items():
                if turn >= _WARM:
                    times[kind][name].append((clock() - began[kind]) * 1e3 / _A_TURN)
    if threads > 1:
        del times["cpu"]
    return {
        kind: {name: _ratio(spent["float32"], spent[name]) for name in runs} for kind, spent in times.items()
    }


def _ratio(before: list[float], after: list[float]) -> dict[str, float]:
    ratio = np.array(before) / np.array(after)
    drawn = np.median(np.random.default_rng(0).choice(ratio, (1000, len(ratio))), axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {
        "ms": round(float(np.median(after)), 3), "least_ms": round(min(after), 3),
        "times_as_fast": round(float(np.median(ratio)), 3), "low": round(float(low), 3),
        "high": round(float(high), 3), "turns": len(ratio),
    }  # fmt: skip


def speeds(files: Files, image: np.ndarray, pairs: int) -> dict[str, Any]:
    """Of every engine, with one thread and with two."""
    return {
        engine: {f"{threads} threads": speed(its, engine, image, pairs, threads) for threads in (1, 2)}
        for engine, its in files.items()
    }


def _classifiers(asked: argparse.Namespace, options: Int8Options) -> dict[str, Any]:
    found, all_of_them = {}, []
    for number, run in enumerate(asked.run):
        one: Classifier = classifier(run, asked.out / f"run{number}", asked.split, asked.images)
        files, near = write_files(one.onnx, one.onnx.parent, one.calibration, options, asked.nncf)
        times = (
            speeds(files, one.pictures(0, 1), asked.pairs) if asked.pairs and number < asked.timed else None
        )
        answers = one.judged(files)
        all_of_them.append(answers)
        found[str(run)] = {
            "speed": times, "near_on_calibration": near, "accuracy": pooled([answers], asked.boot),
        }  # fmt: skip
        print(json.dumps({str(run): found[str(run)]}), file=sys.stderr, flush=True)
    return {"runs": found, "all": pooled(all_of_them, asked.boot)} if found else {}


def _faces(asked: argparse.Namespace, options: Int8Options) -> dict[str, Any]:
    one = sface(asked.data, asked.cache, asked.out / "sface", asked.images)
    files, near = write_files(one.onnx, one.onnx.parent, one.calibration, options, asked.nncf)
    times = speeds(files, one.calibration[:1], asked.pairs) if asked.pairs else None
    result: dict[str, Any] = {"speed": times, "near_on_calibration": near}
    print(json.dumps({"sface": result}), file=sys.stderr, flush=True)
    if asked.split == "test":
        result["accuracy"] = one.judged(files, asked.data, asked.boot)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="8-bit integers against float32 in the same engine.")
    parser.add_argument(
        "--run", type=Path, action="append", default=[], help="folder of a trained classifier"
    )
    parser.add_argument("--timed", type=int, default=1, help="of how many of the runs the speed is measured")
    parser.add_argument("--data", type=Path, help="faces/manifest.csv")
    parser.add_argument("--cache", type=Path, help="folder of crops")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--split", choices=("test", "val"), default="test")
    parser.add_argument("--images", type=int, default=128, help="calibration images")
    parser.add_argument("--pairs", type=int, default=100, help="turns of float32 and integers")
    parser.add_argument("--boot", type=int, default=1000, help="resamples")
    parser.add_argument("--least-cosine", type=float, default=Int8Options().least_cosine)
    parser.add_argument("--nearest", action="store_true", help="round each weight to the nearest")
    parser.add_argument("--nncf", action="store_true", help="NNCF's rounding for OpenVINO too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    options = Int8Options(least_cosine=asked.least_cosine, compensate=not asked.nearest)
    result = {"classifiers": _classifiers(asked, options)}
    if asked.data:
        result["sface"] = _faces(asked, options)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
