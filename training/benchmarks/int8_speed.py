"""8-bit integers against float32 in the same engine: speed, and what they cost in accuracy.

Two networks: the EfficientNet-Lite0 of a trained run folder (224 pixels), judged on its validation split, and
SFace, judged on training-side people only. Each is brought to integers for ONNX Runtime and for OpenVINO;
calibration images are training rows, and for SFace every other picture of ``utkface_sample``. One thread,
batch 1; float32 and integers take turns within one process, and the ratio is the median over pairs, with a
bootstrap interval over them. Times are CPU times of the process, which other work on the machine moves less.

    python training/benchmarks/int8_speed.py --run RUN --data $VNVISION_DATA/faces/manifest.csv \\
        --cache FOLDER --out FOLDER

Prints JSON. ``--cache`` holds aligned crops as ``regional_finetune.py`` makes them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vnvision.data.manifest import read_manifest
from vnvision.engines import open_engine
from vnvision.export import to_onnx, to_openvino
from vnvision.export.calibration_set import calibration_set
from vnvision.export.int8_onnx import Int8Options, to_int8_onnx
from vnvision.export.int8_openvino import to_int8_openvino
from vnvision.imaging import Preprocessor, read
from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.models.sface import build_sface
from vnvision.train.predictor import load_run

sys.path.insert(0, str(Path(__file__).parent))
from qat_student import TASK, planes
from regional.faces import load_sets

_WARM, _FMR = 5, 1e-3
Run = Callable[[np.ndarray], np.ndarray]
Files = dict[str, dict[str, Path]]


def write_files(onnx: Path, folder: Path, calibration: np.ndarray, options: Int8Options) -> tuple[Files, Any]:
    """float32 and integers for each engine, and how near integers came on the calibration images."""
    xml, _ = to_openvino(onnx, folder / "float32")
    near = {
        "onnxruntime": to_int8_onnx(onnx, folder / "int8.onnx", calibration=calibration, options=options),
        "openvino": to_int8_openvino(onnx, folder / "int8", calibration=calibration, options=options),
        "openvino-nncf": to_int8_openvino(
            onnx, folder / "nncf", calibration=calibration, options=options, method="nncf"
        ),
    }
    files = {
        "onnxruntime": {"float32": onnx, "int8": folder / "int8.onnx"},
        "openvino": {
            "float32": xml,
            "int8": folder / "int8" / "model.xml",
            "nncf": folder / "nncf" / "model.xml",
        },
    }
    return files, {name: asdict(found) for name, found in near.items()}


def speed(files: dict[str, Path], engine: Any, image: np.ndarray, pairs: int) -> dict[str, Any]:
    """Milliseconds of CPU time an image, and how many times as fast as float32, with a 95 % interval."""
    runs = {name: open_engine(file, engine, threads=1) for name, file in files.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(pairs + _WARM):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            began = time.process_time()
            runs[name].run(image)
            if turn >= _WARM:
                times[name].append((time.process_time() - began) * 1e3)
    rng, found = np.random.default_rng(0), {}
    for name, spent in times.items():
        ratio = np.array(times["float32"]) / np.array(spent)
        drawn = np.median(rng.choice(ratio, (1000, len(ratio))), axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        found[name] = {
            "ms": round(float(np.median(spent)), 3), "times_as_fast": round(float(np.median(ratio)), 3),
            "low": round(float(low), 3), "high": round(float(high), 3), "pairs": pairs,
        }  # fmt: skip
    return found


def in_engine(file: Path, engine: Any) -> Run:
    """What a file answers, one image at a time."""
    opened = open_engine(file, engine, threads=1)
    return lambda x: np.concatenate([opened.run(x[i : i + 1])[0] for i in range(len(x))])


def tar_at_fmr(embeddings: np.ndarray, people: np.ndarray, weights: np.ndarray) -> float:
    """Weighted TAR where the weighted FMR over all pairs is at most 1e-3; (N,) weights of images."""
    rows, columns = np.triu_indices(len(people), 1)
    scores = np.einsum("ij,ij->i", embeddings[rows], embeddings[columns])
    pair, same = weights[rows] * weights[columns], people[rows] == people[columns]
    order = np.argsort(-scores[~same], kind="stable")
    taken = np.cumsum(pair[~same][order])
    limit = scores[~same][order][np.searchsorted(taken, _FMR * taken[-1])]
    return float(pair[same & (scores > limit)].sum() / pair[same].sum())


def changes(
    judge: Callable[[Any, np.ndarray], float], before: Any, after: Any, groups: list[str], n_boot: int
) -> dict[str, float]:
    """What a rate was, became, and by how much it changed, the interval over groups drawn again."""
    draw, ones = ClusterBootstrap(groups, n_boot, 0), np.ones(len(groups))
    drawn = [judge(after, w) - judge(before, w) for block in draw.blocks() for w in block.T]
    low, high = np.quantile(drawn, (0.025, 0.975))
    first, second = judge(before, ones), judge(after, ones)
    return {
        "float32": first, "int8": second, "change": second - first, "low": float(low), "high": float(high),
        "n": len(groups), "groups": draw.n_groups,
    }  # fmt: skip


def cosines(one: np.ndarray, other: np.ndarray) -> float:
    """Mean cosine of two sets of rows."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / lengths).mean())


def leaves(run: Path, out: Path, pairs: int, n_boot: int, options: Int8Options) -> dict[str, Any]:
    """The classifier of a run."""
    predictor = load_run(run)
    manifest, spec = read_manifest(predictor.config["data"]), predictor.task.preprocess
    onnx = out / "model.onnx"
    out.mkdir(parents=True, exist_ok=True)
    to_onnx(predictor.net, predictor.task, onnx)
    train = manifest.split("train")
    files, near = write_files(onnx, out, calibration_set(train, spec, 128).inputs, options)
    val, ids = manifest.split("val"), [label.id for label in predictor.task.labels]
    inputs = Preprocessor(spec).batch([read(val.file(row)).image for row in val.rows])
    truth = val.targets(ids)

    def right(logits: np.ndarray, weights: np.ndarray) -> float:
        return float(((logits.argmax(1) == truth) * weights).sum() / weights.sum())

    return judged(files, near, inputs, val.group_keys(), right, pairs, n_boot, lambda run_, x: run_(x))


def faces(
    data: Path, cache: Path, out: Path, pairs: int, n_boot: int, options: Int8Options
) -> dict[str, Any]:
    """SFace on training-side people."""
    out.mkdir(parents=True, exist_ok=True)
    onnx, sets = out / "model.onnx", load_sets(data, cache)
    to_onnx(build_sface().eval(), TASK, onnx)
    nameless, named = sets["utkface_sample"], sets["rmfd_faces"]
    files, near = write_files(onnx, out, planes(nameless.crops[::2])[::5], options)
    inputs = planes(np.concatenate([named.crops, nameless.crops[1::2]]))
    people = np.concatenate([named.people, nameless.people[1::2]])

    def embedded(run: Run, x: np.ndarray) -> np.ndarray:
        both = run(x) + run(np.ascontiguousarray(x[..., ::-1]))
        unit: np.ndarray = both / np.linalg.norm(both, axis=1, keepdims=True)
        return unit

    def tar(embeddings: np.ndarray, weights: np.ndarray) -> float:
        return tar_at_fmr(embeddings, people, weights)

    return judged(files, near, inputs, people.tolist(), tar, pairs, n_boot, embedded)


def judged(
    files: Files, near: Any, inputs: np.ndarray, groups: list[str], judge: Callable[[Any, np.ndarray], float],
    pairs: int, n_boot: int, answered: Callable[[Run, np.ndarray], np.ndarray],
) -> dict[str, Any]:  # fmt: skip
    """Speed, fidelity and accuracy of every file."""
    found: dict[str, Any] = {"near_on_calibration": near}
    for engine, its in files.items():
        found[engine] = {"speed": speed(its, engine, inputs[:1], pairs)}
        answers = {name: answered(in_engine(file, engine), inputs) for name, file in its.items()}
        for name in list(its)[1:]:
            found[engine][name] = {
                "cosine": cosines(answers["float32"], answers[name]),
                **changes(judge, answers["float32"], answers[name], groups, n_boot),
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="8-bit integers against float32 in the same engine.")
    parser.add_argument(
        "--run", type=Path, action="append", default=[], help="folder of a trained classifier"
    )
    parser.add_argument("--data", type=Path, help="faces/manifest.csv")
    parser.add_argument("--cache", type=Path, help="folder of crops")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--boot", type=int, default=200, help="resamples")
    parser.add_argument("--least-cosine", type=float, default=Int8Options().least_cosine)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    options = Int8Options(least_cosine=asked.least_cosine)
    result = {
        run.name: leaves(run, asked.out / run.name, asked.pairs, asked.boot, options) for run in asked.run
    }
    if asked.data:
        result["sface"] = faces(
            asked.data, asked.cache, asked.out / "sface", asked.pairs, asked.boot, options
        )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
