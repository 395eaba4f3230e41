"""Everything once, with no data at hand and no network: synthetic leaves from drawing to prediction."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vnvision import api
from vnvision.data.synthetic import LEAF_LABELS, write_leaves
from vnvision.errors import ConfigError

PER_CLASS = 150
SIZE_PX = 224


def quickstart(out: Path, *, per_class: int = PER_CLASS, quiet: bool = False) -> dict[str, Any]:
    """Draw, train, evaluate, export, predict.

    Args:
        out: an empty or new folder; gets ``data/``, ``run/`` and ``bundle/``.
        per_class: leaves drawn of each of the four classes.
        quiet: nothing on screen.

    Returns:
        JSON-ready: where everything is, the test accuracy with its interval, one prediction.

    Raises:
        ConfigError: ``out`` is not empty.
        MissingExtraError: the ``train`` extra is not installed.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"output {out} is not empty", fix="choose another folder with --out")
    say = (lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True))
    say(f"1/4  drawing {4 * per_class} synthetic leaves (healthy, spot, blight, rust)")
    manifest = write_leaves(out / "data", per_class=per_class, size_px=SIZE_PX)
    say("2/4  training on frozen ImageNet features, then evaluating on plants never seen")
    run = api.train(recipe(), data=manifest, output=out / "run", quiet=quiet)
    say("3/4  exporting to ONNX and OpenVINO, each proven equal to the trained model")
    bundle = api.export(run, out=out / "bundle")
    say("4/4  predicting with the exported model, without torch")
    return _result(manifest, run, bundle)


def recipe() -> dict[str, Any]:
    """The training configuration: a frozen backbone read once, then only the last stages learn."""
    return {
        "name": "synthetic-leaf",
        "domain": "crop",
        "labels": [label.model_dump() for label in LEAF_LABELS],
        "size_px": SIZE_PX,
        "augment": "light",
        "batch_size": 32,
        "lr": 2e-3,
        "tensorboard": False,
        "phases": [
            {"train": "head", "cache_views": 1, "epochs": 8, "lr": 5e-3, "validate_every": 0},
            {"train": "blocks.5", "cache_views": 3, "epochs": 6, "lr": 1e-3, "validate_every": 2},
        ],
    }


def _result(manifest: Path, run: Path, bundle: Path) -> dict[str, Any]:
    from vnvision.data.manifest import read_manifest
    from vnvision.records import EvalReport
    from vnvision.runtime import load_bundle

    report = EvalReport.load(run / "report.json")
    accuracy = report.metrics["accuracy"]
    part = read_manifest(manifest).split("test")
    example = part.file(part.rows[0])
    answer = load_bundle(bundle).predict(example)
    return {
        "synthetic": True,
        "data": str(manifest),
        "run": str(run),
        "report": str(run / "report.html"),
        "bundle": str(bundle),
        "accuracy": accuracy.value,
        "accuracy_interval": [accuracy.low, accuracy.high],
        "n": report.n,
        "example": str(example),
        "example_truth": part.rows[0].label,
        "example_prediction": answer.model_dump(mode="json"),
    }
