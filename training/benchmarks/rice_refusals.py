"""What the rice model refuses: field photographs, other crops, clean stretches of blades, and its own kind.

    python training/benchmarks/rice_refusals.py RUN --least-share 0.0015 --folds 5 --out FILE.json

RUN is a finished run on the manifest that ``datasets/uci_rice/prepare.py`` makes of the shared copies
(``VNVISION_DATA/agri/uci_rice``): stretches and halves below go by their names and groups. Three questions,
intervals over groups:

- **kept**: studio photographs a gate lets through that was fitted without them. The network's frozen part
  never saw a label, so the gate alone is fitted again: a fold is asked, the next sets the limit, the rest is
  fitted. Of these photographs also the share that is *not* taken for healthy.
- **refused**: pictures of other kinds, by RUN's own gate: the set's pictures of other capture, and train and
  val rows of other crops (their test rows are left alone).
- **healthy**: clean stretches of the blades, found by eye before anything was measured, and drawn blades.
  The limit was set on groups of even number; both halves are shown.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vnvision import atomic
from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.data.splits import group_folds
from vnvision.errors import ConfigError, VnvisionError
from vnvision.evaluate.scope import fit_gate
from vnvision.imaging import read
from vnvision.metrics.bootstrap import ClusterBootstrap, share
from vnvision.records import LesionRule, Metric
from vnvision.runtime.lesions import LOOKS_HEALTHY, lesion_share, with_healthy
from vnvision.runtime.picture_quality import measure_all
from vnvision.runtime.scope import OUT_OF_SCOPE, SCOPE_FILE, ScopeGate
from vnvision.train.config import TrainConfig
from vnvision.train.predictor import RunPredictor, load_run

ROOT = Path(__file__).parents[2]
OTHERS = ("agri/ibean", "agri/chilli", "agri/mango_bd", "agri/coffee_bracol")
MOST = 150
# Left and right end of stretches without a lesion, in pixels of the 1099 px wide copies.
CLEAN: dict[str, dict[int, tuple[tuple[int, int], ...]]] = {
    "bacterial_leaf_blight": {
        3: ((0, 440),), 4: ((0, 320),), 6: ((300, 620),), 11: ((0, 270), (850, 1099)), 12: ((820, 1099),),
        13: ((0, 380), (880, 1099)), 16: ((0, 180),), 18: ((0, 270), (560, 1099)), 20: ((800, 1099),),
        22: ((130, 330),), 23: ((560, 1060),), 24: ((700, 1099),), 25: ((900, 1099),), 29: ((820, 1099),),
        30: ((0, 420), (830, 1099)), 31: ((420, 660), (930, 1099)),
    },
    "brown_spot": {
        20: ((150, 520),), 21: ((400, 700),), 23: ((700, 1000),), 25: ((160, 430),), 28: ((580, 790),),
        29: ((440, 650),), 32: ((480, 880),), 34: ((620, 1099),), 36: ((760, 1099),), 38: ((360, 580),),
        40: ((500, 1099),),
    },
}  # fmt: skip


def reasons_of(run: RunPredictor, gate: ScopeGate, rule: LesionRule, pictures: list) -> list[tuple[str, ...]]:
    """What a bundle of this run, gate and rule would answer with, confidence apart."""
    found: list[tuple[str, ...]] = []
    for at in range(0, len(pictures), 16):
        crops = [run.preprocessor.geometry(picture) for picture in pictures[at : at + 16]]
        features = run.run_crops(crops).features
        measures = measure_all(crops, run.task.preprocess)
        found += with_healthy(gate.reasons(features, measures), crops, run.task.preprocess, rule)
    return found


def pictures_of(manifest: Manifest) -> list[np.ndarray]:
    """Its pictures, in order."""
    return [read(manifest.file(row)).image for row in manifest.rows]


def shares(hits: dict[str, np.ndarray], groups: list[str]) -> dict[str, list[float | None]]:
    """Each share with its interval over groups."""
    bootstrap = ClusterBootstrap(groups, 2000)
    every = np.ones(len(groups), bool)
    return {name: _span(share(np.asarray(hit, bool), every, bootstrap)) for name, hit in hits.items()}


def _span(metric: Metric) -> list[float | None]:
    return [metric.value, metric.low, metric.high]


def kept(run: RunPredictor, manifest: Manifest, rule: LesionRule, folds: int) -> dict[str, Any]:
    """Studio photographs that are let through by gates fitted on the others."""
    augment = TrainConfig.model_validate(run.config).phase_augment(0)
    fold = group_folds(manifest.targets(run.task.label_ids), manifest.group_keys(), folds)
    found: list[tuple[str, ...]] = [()] * len(manifest)
    for part in range(folds):
        ask, limit = fold == part, fold == (part + 1) % folds
        gate = fit_gate(run, manifest.where(~ask & ~limit), manifest.where(limit), augment=augment)
        for row, why in zip(
            np.flatnonzero(ask), reasons_of(run, gate, rule, pictures_of(manifest.where(ask))), strict=True
        ):
            found[row] = why
    hits = {
        "answered": np.array([not why for why in found]),
        "in_scope": np.array([not set(why) - {LOOKS_HEALTHY} for why in found]),
        "not_taken_for_healthy": np.array([LOOKS_HEALTHY not in why for why in found]),
    }
    return {"n": len(manifest)} | shares(hits, manifest.group_keys())


def strangers(source: Path) -> dict[str, Manifest]:
    """Manifests of pictures the model should refuse."""
    whole = read_manifest(source / "agri/uci_rice/manifest.csv")
    studio = loaded(ROOT / "datasets/uci_rice/prepare.py").CAPTURE
    other = [row.extra.get("capture") != studio for row in whole.rows]
    found = {"uci_rice, other capture": whole.where(np.array(other))}
    for name in OTHERS:
        manifest = read_manifest(source / name / "manifest.csv")
        rows = np.flatnonzero([row.split != "test" for row in manifest.rows])
        drawn = np.sort(np.random.default_rng(0).permutation(rows)[:MOST])
        found[name] = manifest.where(drawn)
    return found


def refused(run: RunPredictor, gate: ScopeGate, rule: LesionRule, manifest: Manifest) -> dict[str, Any]:
    """How many strangers get no answer, and why."""
    found = reasons_of(run, gate, rule, pictures_of(manifest))
    hits = {
        "refused": np.array([bool(why) for why in found]),
        "out_of_scope": np.array([OUT_OF_SCOPE in why for why in found]),
        "looks_healthy": np.array([LOOKS_HEALTHY in why for why in found]),
    }
    return {"n": len(manifest)} | shares(hits, manifest.group_keys())


def number_and_half(row: Row, path: Path) -> tuple[int, bool]:
    """A picture's number among those of its label, and whether its group's number is even.

    Raises:
        ConfigError: it is not named as in the manifest that the stretches and the limit were chosen on.
    """
    name = re.fullmatch(rf"{re.escape(str(row.label))}_(\d+)", Path(row.path).stem)
    group = re.fullmatch(r"g(\d+)", str(row.group_id))
    if name is None or group is None:
        raise ConfigError(
            f"{path} is not of the shared copies",
            expected="pictures like brown_spot_020.jpg in groups like g012",
            got=f"{row.path} in {row.group_id}",
            fix="train on: datasets/uci_rice/prepare.py VNVISION_DATA/agri/uci_rice --out OUT",
        )
    return int(name[1]), int(group[1]) % 2 == 0


def healthy(run: RunPredictor, manifest: Manifest, rule: LesionRule) -> dict[str, Any]:
    """Lesion shares of diseased blades, of clean stretches and of drawn blades, by half of the groups."""
    spec = run.task.preprocess
    sick, clean, groups = [], [], []
    for row in manifest.rows:
        picture, (number, even) = read(manifest.file(row)).image, number_and_half(row, manifest.path)
        sick.append((even, lesion_share(run.preprocessor.geometry(picture), spec)))
        for left, right in CLEAN.get(str(row.label), {}).get(number, ()):
            clean.append((even, lesion_share(run.preprocessor.geometry(picture[:, left:right]), spec)))
            groups.append(str(row.group_id))
    result: dict[str, Any] = {}
    for half in (True, False):
        name = "even groups, limit set here" if half else "odd groups"
        mine = [one for one, (even, _) in zip(groups, clean, strict=True) if even == half]
        below = [_healthy(value, rule) for even, value in clean if even == half]
        diseased = sorted(value for even, value in sick if even == half and value is not None)
        result[name] = {
            "stretches": len(mine), "taken_for_healthy": shares({"share": np.array(below)}, mine)["share"],
            "diseased": len(diseased), "least_diseased": diseased[:5],
            "diseased_taken_for_healthy": sum(value < rule.least_share for value in diseased),
        }  # fmt: skip
    drawn = loaded(ROOT / "tests/unit/data/rice_drawing.py")
    pictures = [drawn.blade("normal", seed, (320, 1099)) for seed in range(100)]
    below = [_healthy(lesion_share(run.preprocessor.geometry(one), spec), rule) for one in pictures]
    return result | {
        "drawn blades": shares({"share": np.array(below)}, [str(i) for i in range(100)])["share"]
    }


def _healthy(value: float | None, rule: LesionRule) -> bool:
    return value is not None and value < rule.least_share


def loaded(path: Path) -> ModuleType:
    """A module by its file: the tests' drawer of blades, or the set's prepare script."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--least-share", type=float, default=0.0015)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        found = judge(args)
    except VnvisionError as exc:
        sys.exit(f"rice_refusals: {exc}")
    atomic.write_json(args.out, found)
    print(json.dumps(found, indent=1))


def judge(args: argparse.Namespace) -> dict[str, Any]:
    """All three answers."""
    if "VNVISION_DATA" not in os.environ:
        raise ConfigError("VNVISION_DATA is not set", fix="export VNVISION_DATA=FOLDER, with agri/ and med/")
    run, gate = load_run(args.run), ScopeGate.load(args.run / SCOPE_FILE)
    rule = LesionRule(least_share=args.least_share)
    manifest = read_manifest(run.config["data"])
    source = Path(os.environ["VNVISION_DATA"])
    found: dict[str, Any] = {"least_share": args.least_share, "healthy": healthy(run, manifest, rule)}
    found["kept"] = kept(run, manifest, rule, args.folds)
    found["refused"] = {name: refused(run, gate, rule, part) for name, part in strangers(source).items()}
    return found


if __name__ == "__main__":
    main()
