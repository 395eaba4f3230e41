"""SFace in 8-bit integers against SFace in float32, on people that neither training nor a threshold saw.

The student is SFace that trains on while weights and activations are rounded, and learns to answer as the
float32 SFace (``training/configs/embed/sface_int8_student.yaml``), on ``utkface_sample`` and ``rmfd_faces``
without whoever looks or is called like somebody in ``asianfaces_dev`` or LFW. Every tenth person of both is
for validation: on them alone settings are chosen (``--choose`` prints how near a setting comes to the float32
network, and looks at no evaluation set). The integer ONNX file, in ONNX Runtime, is judged: TAR at its own
FMR of 1e-3 over all pairs of ``asianfaces_dev`` and of LFW's folds 1-2, LFW accuracy, and the change from
float32 with paired intervals over people drawn again. Beside it stands the same network without training:
channels equalised and ranges measured on training faces.

    python training/benchmarks/qat_student.py --data $VNVISION_DATA/faces/manifest.csv \\
        --cache FOLDER --out FOLDER

Prints JSON. One thread; the crops are cached as ``regional_finetune.py`` does it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vnvision.engines import EngineName, open_engine
from vnvision.evaluate.faces.pair_lists import pairs_of_names, read_pairs_txt
from vnvision.export import to_onnx, to_openvino
from vnvision.export.qdq import to_qdq_onnx
from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.models.quantised import QuantOptions, calibrate, equalise, quantise
from vnvision.models.sface import build_sface
from vnvision.spec import PreprocessSpec, TaskSpec
from vnvision.train.config import load_config, parse_overrides
from vnvision.train.predictor import load_run
from vnvision.train.run import train

sys.path.insert(0, str(Path(__file__).parent))
from regional import judge
from regional.faces import FaceSet, load_sets
from regional.folds import without_the_same_people

CONFIG = Path(__file__).parents[1] / "configs" / "embed" / "sface_int8_student.yaml"
PAIRS = "lfw_2folds/pairs_2folds.txt"
MAY_FALL = 0.005
TASK = TaskSpec(
    kind="embedding",
    preprocess=PreprocessSpec(size_px=(112, 112), geometry="align", std=(1 / 255,) * 3, flip_average=True),
    embedding_dim=128,
    score="cosine",
)
_BATCH, _N_CALIBRATE, _N_PARITY, _N_TIMED = 4, 256, 64, 5
Run = Callable[[np.ndarray], np.ndarray]


def write_training_set(sets: dict[str, FaceSet], folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Crops as PNG files with a manifest; gives it, and training and validation crops (N, 112, 112, 3)."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [("path", "identity", "split")]
    kept: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for name in ("utkface_sample", "rmfd_faces"):
        faces = sets[name]
        for held_out in ("asianfaces_dev", "lfw_2folds"):
            faces = without_the_same_people(faces, sets[held_out])
        people = {person: number for number, person in enumerate(np.unique(faces.people))}
        for number, (crop, person) in enumerate(zip(faces.crops, faces.people, strict=True)):
            val = people[person] % 10 == 0
            cv2.imwrite(str(folder / f"{name}_{number}.png"), crop[..., ::-1])
            rows.append((f"{name}_{number}.png", f"{name}:{person}", "val" if val else "train"))
            kept[val].append(crop)
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return folder / "manifest.csv", np.stack(kept[False]), np.stack(kept[True])


def planes(crops: np.ndarray) -> np.ndarray:
    """(N, 112, 112, 3) uint8 -> (N, 3, 112, 112) float32, 0..255, as SFace takes it."""
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)


def in_engine(file: Path, engine: EngineName) -> Run:
    """What a file answers to planes (N, 3, 112, 112), on one thread, a few at a time."""
    opened = open_engine(file, engine=engine, threads=1)

    def run(x: np.ndarray) -> np.ndarray:
        return np.concatenate([opened.run(x[at : at + _BATCH])[0] for at in range(0, len(x), _BATCH)])

    return run


def embed(run: Run, crops: np.ndarray) -> np.ndarray:
    """Flip-averaged unit embeddings (N, 128)."""
    out = []
    for at in range(0, len(crops), 64):
        x = planes(crops[at : at + 64])
        both = run(x) + run(np.ascontiguousarray(x[..., ::-1]))
        out.append(both / np.linalg.norm(both, axis=1, keepdims=True))
    return np.concatenate(out)


def cosines(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Least and mean cosine of two sets of rows."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found = (one * other).sum(axis=1) / lengths
    return {"least": float(found.min()), "mean": float(found.mean())}


def parity(net: torch.nn.Module, file: Path, crops: np.ndarray, folder: Path) -> dict[str, Any]:
    """How near the file in two runtimes is to the rounded torch network, on real crops and on noise."""
    xml, _ = to_openvino(file, folder)
    runtimes = {"onnxruntime": in_engine(file, "onnxruntime"), "openvino": in_engine(xml, "openvino")}
    noise = np.random.default_rng(0).integers(0, 256, (16, 112, 112, 3), dtype=np.uint8)
    found: dict[str, Any] = {}
    for name, pictures in (("crops", crops), ("noise", noise)):
        x = planes(pictures)
        with torch.inference_mode():
            wanted = torch.cat([net(part) for part in torch.from_numpy(x).split(_BATCH)]).numpy()
        found[name] = {key: cosines(run(x), wanted) for key, run in runtimes.items()}
    return found


def milliseconds(files: dict[str, tuple[Path, EngineName]], crops: np.ndarray) -> dict[str, float]:
    """Median time a crop, the files in turn."""
    runs = {name: in_engine(*file) for name, file in files.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(_N_TIMED + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run(planes(crops[:_BATCH]))
            times[name].append((time.perf_counter() - began) / _BATCH * 1e3)
    return {name: float(np.median(found[1:])) for name, found in times.items()}


def fidelity(net: torch.nn.Module, start: torch.nn.Module, crops: np.ndarray) -> dict[str, float]:
    """How near a network comes to the one it began as: cosines of embeddings, and the error of scores."""
    with torch.inference_mode():
        parts = torch.from_numpy(planes(crops)).split(16)
        one, other = (
            torch.nn.functional.normalize(torch.cat([model(x) for x in parts])) for model in (net, start)
        )
    first, second = torch.triu_indices(len(crops), len(crops), 1)
    error = (one @ one.T - other @ other.T)[first, second]
    return cosines(one.numpy(), other.numpy()) | {"score_rms": float(error.square().mean().sqrt())}


class Judge:
    """Error rates of an embedder beside those of the starting one."""

    def __init__(self, sets: dict[str, FaceSet], pairs_file: Path, n_boot: int) -> None:
        self.portraits, self.lfw, self.n_boot = sets["asianfaces_dev"], sets["lfw_2folds"], n_boot
        self.pairs = pairs_of_names(read_pairs_txt(pairs_file), list(self.lfw.paths))

    def compare(self, after: Run) -> dict[str, Any]:
        """Rates by group of the portraits and on LFW; ``own_tar`` is what the limit is about.

        Before is the shipped SFace in float32, whose embeddings came with the crops.
        """
        sets = (self.portraits, self.lfw)
        rows = [
            tuple(faces.embeddings for faces in sets),
            tuple(embed(after, faces.crops) for faces in sets),
        ]
        limits = [judge.lfw_threshold(lfw, self.lfw.people) for _, lfw in rows]
        portraits = [self._pairs(self.portraits, r[0], limit) for r, limit in zip(rows, limits, strict=True)]
        lfw = [self._pairs(self.lfw, r[1], limit) for r, limit in zip(rows, limits, strict=True)]
        right = [judge.lfw_right(r[1], self.pairs) for r in rows]
        table = judge.changes(portraits[0], portraits[1], self.n_boot, 0)
        every = self._lfw_change(judge.Rates(lfw[0]), judge.Rates(lfw[1]))
        accuracy = judge.accuracy_change(right[0], right[1:], self.pairs.first_subject, self.n_boot, 0)
        return {
            "n": {row: judge.Rates(portraits[0].of_row(row)).n for row in judge.ROWS},
            "n_lfw": judge.Rates(lfw[0]).n,
            "cosine_to_float": cosines(rows[0][0], rows[1][0]),
            "asianfaces_dev": {r: {k: asdict(one) for k, one in rates.items()} for r, rates in table.items()},
            "lfw_all_pairs": {"own_tar": asdict(every)},
            "lfw_accuracy": asdict(accuracy),
            "within_the_limit": {
                "asianfaces_dev": verdict(table["all"]["own_tar"]),
                "lfw": verdict(every),
            },
        }

    def _lfw_change(self, before: judge.Rates, after: judge.Rates) -> judge.Change:
        draw = ClusterBootstrap(range(before.n_subjects), self.n_boot, 0)
        columns = [np.ones(before.n_subjects), *(column for block in draw.blocks() for column in block.T)]
        first, *drawn = [(before(weights)["own_tar"], after(weights)["own_tar"]) for weights in columns]
        return judge.change_of(*first, np.array([b - a for a, b in drawn]))

    @staticmethod
    def _pairs(faces: FaceSet, embeddings: np.ndarray, limit: float) -> judge.Pairs:
        return judge.held_out_pairs(faces, np.zeros(len(faces), int), [embeddings], [limit])


def verdict(change: judge.Change) -> str:
    """Of a loss of at most 0.5 points: the interval decides."""
    if change.change < -MAY_FALL:
        return "missed"
    return "shown" if change.low >= -MAY_FALL else "not shown"


def main() -> None:
    parser = argparse.ArgumentParser(description="SFace in 8-bit integers against SFace in float32.")
    parser.add_argument("--data", type=Path, required=True, help="faces/manifest.csv")
    parser.add_argument("--cache", type=Path, required=True, help="folder for crops")
    parser.add_argument("--out", type=Path, required=True, help="folder for training set, run and files")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of the configuration")
    parser.add_argument("--choose", action="store_true", help="only the distance on validation people")
    parser.add_argument("--boot", type=int, default=1000, help="resamples of people")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    os.environ.setdefault("VNVISION_FACES", str(asked.out))  # the configuration names it; data is given
    sets = load_sets(asked.data, asked.cache)
    manifest, crops, held_out = write_training_set(sets, asked.out / "crops")
    run, began = asked.out / "run", time.perf_counter()
    fixed = {"data": str(manifest), "output": str(run), "threads": 1, "workers": 0, "accelerator": "cpu"}
    config = load_config(CONFIG, parse_overrides(asked.set) | fixed | {"resume": run.exists()})
    train(config)
    seconds = time.perf_counter() - began
    start, trained = build_sface().eval(), load_run(run).net.eval()
    assert config.embedding is not None
    assert config.embedding.qat is not None
    measured = quantise(start, torch.zeros(1, 3, 112, 112), QuantOptions(**config.embedding.qat.options()))
    drawn = np.random.default_rng(0).choice(len(crops), min(_N_CALIBRATE, len(crops)), replace=False)
    batches = torch.from_numpy(planes(crops[drawn])).split(16)
    if config.embedding.qat.equalise is not None:
        equalise(measured, batches, config.embedding.qat.equalise)
    calibrate(measured, batches)
    near = {
        name: fidelity(net.eval(), start, held_out)
        for name, net in (("measured", measured), ("trained", trained))
    }
    if asked.choose:
        print(json.dumps({"validation": near, "n": len(held_out), "train_seconds": round(seconds, 1)}))
        return
    files = {name: asked.out / f"{name}.onnx" for name in ("float32", "measured", "trained")}
    to_onnx(start, TASK, files["float32"], name="sface")
    to_qdq_onnx(measured, TASK, files["measured"], name="sface_int8_measured")
    to_qdq_onnx(trained, TASK, files["trained"], name="sface_int8")
    engines = {name: in_engine(file, "onnxruntime") for name, file in files.items() if name != "float32"}
    court = Judge(sets, asked.data.parent / PAIRS, asked.boot)
    result = {
        "n_training_crops": len(crops),
        "train_seconds": round(seconds, 1),
        "validation": near,
        "n_validation_crops": len(held_out),
        "bytes": {name: file.stat().st_size for name, file in files.items()},
        "parity": parity(
            trained, files["trained"], court.portraits.crops[:_N_PARITY], asked.out / "openvino"
        ),
        "milliseconds": milliseconds(
            {
                "float32 onnxruntime": (files["float32"], "onnxruntime"),
                "float32 openvino": (files["float32"], "openvino"),
                "int8 onnxruntime": (files["trained"], "onnxruntime"),
                "int8 openvino": (asked.out / "openvino" / "model.xml", "openvino"),
            },
            crops,
        ),
        "trained": court.compare(engines["trained"]),
    }
    print(json.dumps(result), file=sys.stderr, flush=True)
    result["measured only"] = court.compare(engines["measured"])
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
