"""Calibration, abstention and the scope gate of trained classifiers, on their own rows and on strangers.

    python training/benchmarks/scope_gate.py --run FOLDER --run FOLDER --split val --out FOLDER

Each run is exported and everything is measured on the bundle. The gate is the run's own; of a run trained
with ``scope: false`` it is fitted here, on its training rows (as they are, and as its training augmented
them), its limit set on its validation rows. Then, on the rows of ``--split``: calibration error before and
after the temperatures, accuracy against coverage, and for every other set under $VNVISION_DATA how often the
gate accepts it, with the AUROC of its score.

With ``--split val`` strangers are train and val rows of the other sets and half of the face pictures (even
crc32 of the path), with ``--split test`` their test rows and the other half: what the method was chosen on is
never what is reported. Writes ``scope.json`` and ``scope.md``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.evaluate.scope import Seen, fit_gate, look, outside_figures
from vnvision.export.run import export_run
from vnvision.imaging import read
from vnvision.metrics.bootstrap import ClusterBootstrap, share
from vnvision.metrics.calibration import choose_temperatures
from vnvision.metrics.classification import classification_metrics
from vnvision.metrics.scores import probabilities
from vnvision.metrics.selective import accuracy_at, confidence, fit_abstention
from vnvision.records import Metric
from vnvision.runtime import Predictor, load_bundle
from vnvision.runtime.scope import SCOPE_FILE, ScopeGate
from vnvision.train.config import TrainConfig
from vnvision.train.predictor import load_run

COVERAGES = (1.0, 0.9, 0.8, 0.7)
RISKS = (0.05, 0.1, 0.2)
SEED = 0
Pictures = Iterator[np.ndarray]


def gains(image: np.ndarray, factors: tuple[float, ...]) -> np.ndarray:
    """Each colour channel times a factor."""
    return np.clip(rgb(image) * np.array(factors), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", rgb(image), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)


BORNE = {
    "as it is": lambda image: image,
    "light x 0.75": lambda image: gains(image, (0.75, 0.75, 0.75)),
    "light x 1.25": lambda image: gains(image, (1.25, 1.25, 1.25)),
    "warmer": lambda image: gains(image, (1.1, 1.0, 0.9)),
    "cooler": lambda image: gains(image, (0.9, 1.0, 1.1)),
    "JPEG 40": lambda image: jpeg(image, 40),
    "half size": lambda image: cv2.resize(rgb(image), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "cut 10 % off": lambda image: rgb(image)[
        image.shape[0] // 20 : -(image.shape[0] // 20), image.shape[1] // 20 : -(image.shape[1] // 20)
    ],
}
"""What a picture in scope should be let through in spite of: other light, another phone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, action="append", required=True)
    parser.add_argument("--split", choices=("val", "test"), default="val")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=100, help="pictures a stranger's set")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    root = Path(os.environ["VNVISION_DATA"])
    results = {}
    for run in options.run:
        results[run.name] = measured(run, root, options.split, options.out, options.most)
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(results, indent=1)
        (options.out / f"scope_{options.split}.json").write_text(text)
        (options.out / f"scope_{options.split}.md").write_text(markdown(results))
        print(markdown({run.name: results[run.name]}), flush=True)


def measured(run: Path, root: Path, split: str, out: Path, most: int) -> dict[str, object]:
    """Every figure of one run."""
    trained = load_run(run)
    manifest = read_manifest(trained.config["data"])
    model = exported(run, out / "bundles" / run.name)
    own_gate = run / SCOPE_FILE
    gate = fitted(trained, model, manifest, own_gate if own_gate.is_file() else out / f"{run.name}.npz")
    part = manifest.split(split)
    own = look(model, crops(model, part))
    inside = gate.score(own.features, own.measures)
    result: dict[str, object] = {"split": split, "n": len(part), "limit": float(gate.limit)}
    result |= answered(trained, model, manifest, part, own)
    others: dict[str, dict[str, object]] = {}
    for name, (pictures, groups) in strangers(model, manifest, part, root, split, most).items():
        seen = look(model, pictures)
        figures = outside_figures(
            inside, gate.score(seen.features, seen.measures), float(gate.limit),
            inside_groups=part.group_keys(), outside_groups=groups,
        )  # fmt: skip
        reasons = gate.reasons(seen.features, seen.measures)
        answers = sum(not why for why in reasons) / len(reasons)
        others[name] = {key: plain(value) for key, value in figures.items()} | {"answered": answers}
    reasons = gate.reasons(own.features, own.measures)
    bootstrap = ClusterBootstrap(part.group_keys())
    everything = np.ones(len(part), bool)
    for name in ("out_of_scope", "too_dark", "too_bright", "too_blurred"):
        result[name] = plain(share(np.array([name in why for why in reasons]), everything, bootstrap))
    result["in_scope_answered"] = plain(share(np.array([not why for why in reasons]), everything, bootstrap))
    own_rows = part.where(drawn(range(len(part)), most))
    borne = {}
    for name, change in BORNE.items():
        seen = look(model, crops(model, own_rows, change))
        kept = gate.score(seen.features, seen.measures) <= gate.limit
        borne[name] = plain(share(kept, np.ones(len(kept), bool), ClusterBootstrap(own_rows.group_keys())))
    return result | {"outside": others, "borne": borne}


def exported(run: Path, folder: Path) -> Predictor:
    """The run as ``vnvision export`` writes it, opened; written unless it is there."""
    if not (folder / "manifest.json").is_file():
        export_run(run, folder, targets=("onnx", "openvino"))
    return load_bundle(folder, threads=1)


def fitted(trained, model: Predictor, manifest: Manifest, file: Path) -> ScopeGate:  # type: ignore[no-untyped-def]
    """The scope gate, from ``file`` where it is there."""
    if file.is_file():
        return ScopeGate.load(file)
    config = TrainConfig.model_validate(trained.config)
    augment = config.phase_augment(len(config.phases) - 1)
    gate = fit_gate(model, manifest.split("train"), manifest.split("val"), augment=augment, seed=SEED)
    gate.save(file)
    return gate


def answered(trained, model: Predictor, manifest: Manifest, part: Manifest, own: Seen) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Calibration before and after, accuracy against coverage, and limits with a guaranteed risk."""
    task, val = trained.task, manifest.split("val")
    held = look(model, crops(model, val)) if part.rows != val.rows else own
    truth, chosen = val.targets(task.label_ids), part.targets(task.label_ids)
    temperatures = choose_temperatures(held.answers, truth, val.group_keys(), "classification")
    result: dict[str, object] = {"temperatures": list(temperatures)}
    for name, values in (("before", (1.0,)), ("after", temperatures)):
        p = probabilities(own.answers, "softmax", values)
        figures = classification_metrics(p, chosen, part.group_keys(), task.label_ids).metrics
        result[name] = {key: plain(figures[key]) for key in ("accuracy", "auroc", "ece", "nll")}
    p = probabilities(own.answers, "softmax", temperatures)
    sure, right = confidence(p, "classification"), p.argmax(axis=1) == chosen
    groups = ClusterBootstrap(part.group_keys())
    result["selective"] = {
        f"{coverage:.1f}": plain(share(right, given, groups))
        for coverage, (_, given) in zip(COVERAGES, accuracy_at(sure, right, COVERAGES), strict=True)
    }
    q = probabilities(held.answers, "softmax", temperatures)
    limits = {}
    for risk in RISKS:
        limit, rule = fit_abstention(
            confidence(q, "classification"), q.argmax(axis=1) == truth, val.group_keys(), risk
        )
        assert limit is not None
        assert rule is not None
        given = sure >= limit if rule.bound is not None else np.zeros(len(sure), bool)
        error = share(~right, given, groups)
        limits[f"{risk}"] = {
            "limit": limit, "bound": rule.bound, "coverage": float(given.mean()), "risk": plain(error),
        }  # fmt: skip
    return result | {"abstention": limits}


def strangers(
    model: Predictor, manifest: Manifest, part: Manifest, root: Path, split: str, most: int
) -> dict[str, tuple[Pictures, list[str]]]:
    """Crops and groups of everything the model is not for, by name."""
    found: dict[str, tuple[Pictures, list[str]]] = {}
    for file in sorted(root.glob("*/*/manifest.csv")):
        other = read_manifest(file)
        if other.sha256 == manifest.sha256:
            continue
        wanted = ("test",) if split == "test" else ("train", "val")
        rows = [i for i, row in enumerate(other.rows) if row.split in wanted]
        other = other.where(drawn(rows, most))
        found[file.parent.name] = (crops(model, other), other.group_keys())
    for name, files in faces(root, split == "test", most).items():
        found[name] = (
            (model.preprocessor.geometry(read(file).image) for file in files),
            [str(f) for f in files],
        )
    size = model.task.preprocess.size_px
    rng = np.random.default_rng(SEED)
    changes = {
        "own, grey": lambda image: np.repeat(
            cv2.cvtColor(rgb(image), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2
        ),
        "own, 15 % light": lambda image: (rgb(image) * 0.15).astype(np.uint8),
        "own, overexposed": lambda image: np.clip(rgb(image) * 1.5 + 130.0, 0, 255).astype(np.uint8),
        "own, blurred": lambda image: cv2.GaussianBlur(rgb(image), (0, 0), min(image.shape[:2]) / 32),
    }
    own = part.where(drawn(range(len(part)), most))
    for name, change in changes.items():
        found[name] = (crops(model, own, change), own.group_keys())
    noise = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(most)]
    plain_ = [
        np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (*size, 3)).copy() for _ in range(most)
    ]
    found["noise"] = (iter(noise), [str(i) for i in range(most)])
    found["one colour"] = (iter(plain_), [str(i) for i in range(most)])
    return found


def faces(root: Path, odd: bool, most: int) -> dict[str, list[Path]]:
    """Files of each face set, of the half with odd or even crc32."""
    with (root / "faces" / "manifest.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if zlib.crc32(row["path"].encode()) % 2 == odd]
    names = sorted({row["set"] for row in rows})
    files = {name: [root / "faces" / row["path"] for row in rows if row["set"] == name] for name in names}
    return {name: [files[name][i] for i in drawn(range(len(files[name])), most)] for name in names}


def crops(model: Predictor, manifest: Manifest, change=lambda image: image) -> Pictures:  # type: ignore[no-untyped-def]
    for row in manifest.rows:
        yield model.preprocessor.geometry(change(read(manifest.file(row)).image))


def drawn(rows: Sequence[int], most: int) -> list[int]:
    order = np.random.default_rng(SEED).permutation(len(rows))[:most]
    return sorted(rows[i] for i in order)


def rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def plain(metric: Metric) -> dict[str, object]:
    return {"value": metric.value, "low": metric.low, "high": metric.high, "n": metric.n}


def words(cell: dict[str, float], digits: int = 3) -> str:
    if cell["value"] is None:
        return "-"
    text = f"{cell['value']:.{digits}f}"
    return text if cell["low"] is None else f"{text} [{cell['low']:.{digits}f}, {cell['high']:.{digits}f}]"


def markdown(results: dict) -> str:  # type: ignore[type-arg]
    lines = [
        "| model | n | accuracy | ECE before | ECE after | " + " | ".join(f"at {c}" for c in COVERAGES) + " |"
    ]
    lines.append("|---" * (5 + len(COVERAGES)) + "|")
    for name, one in results.items():
        cells = [words(one["after"]["accuracy"]), words(one["before"]["ece"]), words(one["after"]["ece"])]
        cells += [words(one["selective"][f"{c:.1f}"]) for c in COVERAGES]
        lines.append(f"| {name} | {one['n']} | " + " | ".join(cells) + " |")
    for name, one in results.items():
        kept, given = next(iter(one["outside"].values()))["kept"], one["in_scope_answered"]
        temperatures = ", ".join(f"{value:.3f}" for value in one["temperatures"])
        lines += ["", f"{name}: own pictures kept {words(kept)}, answered {words(given)}"]
        lines += ["", f"- temperatures {temperatures}"]
        for risk, found in one["abstention"].items():
            bound = "none" if found["bound"] is None else f"{found['bound']:.3f}"
            limit, share_ = f"{found['limit']:.3f}", f"{found['coverage']:.3f}"
            text = f"- risk {risk}: bound {bound}, limit {limit}, coverage {share_}, "
            lines.append(text + f"measured {words(found['risk'])}")
        kept = ", ".join(f"{name} {cell['value']:.2f}" for name, cell in one["borne"].items())
        lines += ["", f"- own pictures let through: {kept} (n {next(iter(one['borne'].values()))['n']})"]
        lines += ["", "| stranger | n | AUROC | false accept | answered |", "|---|---|---|---|---|"]
        for other, cell in one["outside"].items():
            n = cell["false_accept"]["n"]
            rate = f"{cell['answered']:.3f}"
            lines.append(
                f"| {other} | {n} | {words(cell['auroc'])} | {words(cell['false_accept'])} | {rate} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
