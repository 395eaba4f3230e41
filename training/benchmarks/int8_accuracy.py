"""What 8-bit integers cost a classifier in accuracy, and SFace in TAR; used by ``int8_speed.py``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.engines import open_engine
from vnvision.export import to_onnx
from vnvision.export.calibration_set import calibration_set
from vnvision.imaging import Preprocessor, read
from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.models.sface import build_sface
from vnvision.train.config import TrainConfig
from vnvision.train.predictor import load_run
from vnvision.train.prepare import parts

sys.path.insert(0, str(Path(__file__).parent))
from qat_student import PAIRS, TASK, Judge, planes
from qat_student import in_engine as embedder
from regional.faces import FaceSet, load_sets
from regional.folds import without_the_same_people

MAY_FALL = 0.005
_BATCH = 32
Files = dict[str, dict[str, Path]]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Of one classifier on N pictures.

    Attributes:
        right: by engine and file, (N,) bool.
        same: by engine and file, (N,) bool, whether the answer is float32's.
        groups: (N,) who or what may not be divided.
    """

    right: dict[str, dict[str, np.ndarray]]
    same: dict[str, dict[str, np.ndarray]]
    groups: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A trained run, its canonical file, and what it is judged on.

    Attributes:
        onnx: the file.
        calibration: (N, C, h, w) float32.
        judged_on: rows that no training, calibration or setting saw.
        prepare: the run's preprocessing.
        ids: labels in order.
    """

    onnx: Path
    calibration: np.ndarray
    judged_on: Manifest
    prepare: Preprocessor
    ids: list[str]

    def pictures(self, start: int, end: int) -> np.ndarray:
        """Some of the rows as the network takes them."""
        rows = self.judged_on.rows[start:end]
        return self.prepare.batch([read(self.judged_on.file(row)).image for row in rows])

    def judged(self, files: Files) -> Answers:
        """Run every file on every row, one picture at a time."""
        runs = {
            (engine, name): open_engine(file, engine, threads=1)  # type: ignore[arg-type]
            for engine, its in files.items()
            for name, file in its.items()
        }
        found: dict[tuple[str, str], list[int]] = {key: [] for key in runs}
        for start in range(0, len(self.judged_on.rows), _BATCH):
            for picture in self.pictures(start, start + _BATCH):
                for key, run in runs.items():
                    found[key].append(int(run.run(picture[None])[0].argmax()))
        truth = self.judged_on.targets(self.ids)
        right: dict[str, dict[str, np.ndarray]] = {engine: {} for engine in files}
        same: dict[str, dict[str, np.ndarray]] = {engine: {} for engine in files}
        for (engine, name), answers in found.items():
            right[engine][name] = np.array(answers) == truth
            same[engine][name] = np.array(answers) == np.array(found[engine, "float32"])
        return Answers(right, same, [f"{self.judged_on.path}/{key}" for key in self.judged_on.group_keys()])


def classifier(run: Path, folder: Path, split: str, n: int) -> Classifier:
    """A run, and what it is judged on: of a fold, what it held out of the rows of the split train or val."""
    predictor = load_run(run)
    config, spec = TrainConfig.model_validate(predictor.config), predictor.task.preprocess
    whole, train = read_manifest(config.data), read_manifest(config.data).split("train")
    judged_on = whole.split(split)
    if config.folds is not None:
        learnt, held_out, _ = parts(config)
        train = learnt.manifest
        kept = {row.path for row in whole.split("train" if split == "test" else "val").rows}
        judged_on = held_out.manifest.where([row.path in kept for row in held_out.manifest.rows])
    folder.mkdir(parents=True, exist_ok=True)
    to_onnx(predictor.net, predictor.task, folder / "model.onnx")
    calibration = calibration_set(train, spec, n).inputs
    ids = [label.id for label in predictor.task.labels]
    return Classifier(folder / "model.onnx", calibration, judged_on, Preprocessor(spec), ids)


def pooled(parts_: Sequence[Answers], n_boot: int) -> dict[str, Any]:
    """Accuracy over all pictures of all runs, by engine and file, and its change from float32."""
    groups = [group for one in parts_ for group in one.groups]
    found: dict[str, Any] = {}
    for engine, its in parts_[0].right.items():
        right = {name: np.concatenate([one.right[engine][name] for one in parts_]) for name in its}
        same = {name: np.concatenate([one.same[engine][name] for one in parts_]) for name in its}
        found[engine] = {
            name: _changed(right["float32"], right[name], groups, n_boot)
            | {"other_answers": int((~same[name]).sum())}
            for name in list(its)[1:]
        }
    return found


def _changed(before: np.ndarray, after: np.ndarray, groups: list[str], n_boot: int) -> dict[str, Any]:
    gain, draw = after.astype(float) - before, ClusterBootstrap(groups, n_boot, 0)
    drawn = np.concatenate([gain @ block / block.sum(0) for block in draw.blocks()])
    low, high = (float(end) for end in np.quantile(drawn, (0.025, 0.975)))
    change = float(gain.mean())
    return {
        "float32": float(before.mean()), "int8": float(after.mean()), "change": change, "low": low,
        "high": high, "within_the_limit": verdict(change, low), "n": len(groups), "groups": draw.n_groups,
    }  # fmt: skip


def verdict(change: float, low: float) -> str:
    """Of a loss of at most 0.5 points: the interval decides."""
    if change < -MAY_FALL:
        return "missed"
    return "shown" if low >= -MAY_FALL else "not shown"


@dataclass(frozen=True, slots=True, eq=False)
class Embedder:
    """SFace.

    Attributes:
        onnx: its canonical file.
        calibration: (N, 3, 112, 112) float32, of people who are in no set it is judged on.
        sets: crops by name of the set.
    """

    onnx: Path
    calibration: np.ndarray
    sets: dict[str, FaceSet]

    def judged(self, files: Files, data: Path, n_boot: int) -> dict[str, Any]:
        """TAR at its own FMR of 1e-3, and LFW accuracy, by engine and file."""
        court = Judge(self.sets, data.parent / PAIRS, n_boot)
        compare: Callable[[Path, Any], Any] = lambda file, engine: court.compare(embedder(file, engine))  # noqa: E731
        return {
            engine: {name: compare(file, engine) for name, file in its.items() if name != "float32"}
            for engine, its in files.items()
        }


def sface(data: Path, cache: Path, folder: Path, n: int) -> Embedder:
    """SFace, measured on ``utkface_sample`` without whoever looks like somebody it is judged on."""
    sets = load_sets(data, cache)
    others = sets["utkface_sample"]
    for name in ("asianfaces_dev", "lfw_2folds"):
        others = without_the_same_people(others, sets[name])
    even = others.crops[::2]  # the others chose the rounding
    crops = even[np.linspace(0, len(even) - 1, min(n, len(even))).astype(int)]
    folder.mkdir(parents=True, exist_ok=True)
    to_onnx(build_sface().eval(), TASK, folder / "model.onnx")
    return Embedder(folder / "model.onnx", planes(crops), sets)
