"""A taught model as a bundle: trunk and head in one file, gate, golden answers, report, card, hashes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision import atomic
from vnvision.engines import open_engine
from vnvision.errors import BundleError
from vnvision.records import BundleManifest, Calibration, EvalReport, Licences, TargetRecord
from vnvision.runtime.bundle import MANIFEST, MANIFEST_HASH, verified
from vnvision.runtime.golden import golden_bytes
from vnvision.runtime.scope import SCOPE_FILE, ScopeGate
from vnvision.spec import PreprocessSpec, TaskSpec
from vnvision.teach import graft
from vnvision.teach.card import card_text
from vnvision.teach.head import Head
from vnvision.teach.records import Taught
from vnvision.teach.trunk import Trunk, unfit

GOLDEN, REPORT, CARD = "golden.npz", "report.json", "MODEL_CARD.md"
OWN_PHOTOS = "the user's own photographs"
NEAR = 1e-3
"""Largest difference between the file's logits and the head's own arithmetic, over their spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a bundle is made of.

    Attributes:
        task: labels and preprocessing.
        trunk: the network underneath.
        head: what was learnt.
        gate: scope gate.
        calibration: without the gate's file, which is written here.
        report: the score.
        provenance: what the manifest tells.
    """

    task: TaskSpec
    trunk: Trunk
    head: Head
    gate: ScopeGate
    calibration: Calibration
    report: EvalReport
    provenance: Mapping[str, Any]


def write_bundle(folder: Path, parts: Parts, taught: Taught) -> BundleManifest:
    """Write a whole bundle into an empty folder, and open it as any other.

    Args:
        folder: a temporary one, see ``runtime.publish.staged``.
        parts: what goes in.
        taught: what the card tells.

    Raises:
        BundleError: the file does not compute what was learnt.
        ModelError: the trunk cannot take a head.
    """
    old = parts.trunk.record
    file = f"{parts.trunk.target}/model.onnx"
    model = _model(parts, taught.name)
    atomic.write_bytes(folder / file, model)
    images, answers, parity = _proven(folder / file, parts)
    further = {key: value for key, value in answers.items() if key != graft.OUTPUT}
    atomic.write_bytes(folder / GOLDEN, golden_bytes(images, answers[graft.OUTPUT], further))
    parts.gate.save(folder / SCOPE_FILE)
    calibration = parts.calibration.model_copy(
        update={"scope_file": SCOPE_FILE, "scope_sha256": atomic.sha256_file(folder / SCOPE_FILE)}
    )
    parts.report.model_copy(update={"calibration": calibration}).save(folder / REPORT)
    under = parts.trunk.bundle.manifest
    data = dict.fromkeys((*under.licences.training_data, OWN_PHOTOS))
    manifest = BundleManifest(
        name=taught.name,
        task=parts.task,
        targets={
            parts.trunk.target: TargetRecord(
                file=file,
                engine="onnxruntime",
                precision=old.precision,
                proven_by="onnxruntime",
                calibration=calibration,
                parity=parity,
            )
        },
        golden=GOLDEN,
        files=_hashes(folder),
        licences=Licences(
            code=under.licences.code, weights=under.licences.weights, training_data=tuple(data)
        ),
        provenance=dict(parts.provenance),
    )
    atomic.write_text(folder / CARD, card_text(manifest, taught, parts.provenance["trunk"]["data"]))
    manifest = manifest.model_copy(update={"files": _hashes(folder)})
    manifest.save(folder / MANIFEST)
    atomic.write_text(folder / MANIFEST_HASH, atomic.sha256_file(folder / MANIFEST) + "\n")
    verified(folder, None)
    return manifest


def _model(parts: Parts, name: str) -> bytes:
    notes = {
        "name": name,
        "task": parts.task.kind,
        "spec": parts.task.fingerprint(),
        "preprocess": parts.task.preprocess.fingerprint(),
        "precision": parts.trunk.record.precision,
    }
    return graft.with_head(
        parts.trunk.file.read_bytes(),
        parts.head.weight,
        parts.head.bias,
        name=name,
        notes={f"vnvision.{key}": value for key, value in notes.items()},
    )


def _proven(file: Path, parts: Parts) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, float]]:
    """A drawn picture, what the file answers to it, and how far that is from the head's own arithmetic.

    Drawn, because a bundle travels, and nobody's photograph shall travel in it.
    """
    images = drawn(parts.task.preprocess)[None]
    with closing(open_engine(file, "onnxruntime", threads=1)) as engine:
        batch = np.stack([parts.trunk.preprocessor.normalise(image) for image in images])
        answers = dict(zip(engine.output_names, engine.run(batch), strict=True))
    wanted = parts.head.logits(parts.trunk.features(list(images)))
    if answers.get(graft.FEATURES) is None or answers[graft.OUTPUT].shape != wanted.shape:
        raise unfit(parts.trunk.bundle)
    scale = float(max(np.ptp(wanted), 1e-6))
    worst = float(np.abs(answers[graft.OUTPUT] - wanted).max())
    if not worst <= NEAR * scale:
        raise BundleError(
            "the taught model does not compute what it learnt",
            expected=f"a difference of at most {NEAR:g} of the spread",
            got=f"{worst / scale:g}",
            fix="report this as a fault of vnvision",
        )
    return images, answers, {"n": 1.0, "scale": scale, "max_abs": worst, "max_relative": worst / scale}


def drawn(spec: PreprocessSpec) -> np.ndarray:
    """(h, w, C) uint8: waves of several lengths in every channel, the same on every machine."""
    height, width = spec.size_px
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [
        np.sin(x / (3 + 5 * c) + c) + np.cos(y / (4 + 3 * c)) + np.sin((x + y) / (17 + c))
        for c in range(spec.channels)
    ]
    return np.rint(127.5 + 42 * np.stack(waves, axis=-1)).clip(0, 255).astype(np.uint8)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(item for item in folder.rglob("*") if item.is_file())
    return {item.relative_to(folder).as_posix(): atomic.sha256_file(item) for item in files}
