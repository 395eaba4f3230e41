"""The bundle writer: files, proof, hashes, card; all of it or nothing."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision import atomic, runtime
from vnvision.errors import ConfigError, ExportError
from vnvision.export.card import model_card
from vnvision.export.gate import at_size, check_parity
from vnvision.export.golden import golden_bytes
from vnvision.export.onnx import OPSET, to_onnx, with_explanation
from vnvision.export.publish import staged
from vnvision.export.reference import Reference
from vnvision.export.result import TOLERANCES, GateResult
from vnvision.export.targets import ONNX_FILE, Target, chosen_targets
from vnvision.imaging import Preprocessor
from vnvision.records import (
    BundleManifest,
    Calibration,
    EvalReport,
    Licences,
    OperatingPoint,
    TargetRecord,
)
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

GOLDEN, REPORT, CARD = "golden.npz", "report.json", "MODEL_CARD.md"
MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
_OWN = {GOLDEN, REPORT, CARD, MANIFEST, MANIFEST_HASH, ONNX_FILE}


def export_bundle(
    module: torch.nn.Module,
    task: TaskSpec,
    out: str | Path,
    *,
    name: str,
    golden_images: np.ndarray,
    licences: Licences,
    targets: Sequence[str] = ("onnx", "openvino"),
    calibration: Calibration | None = None,
    operating_points: Sequence[OperatingPoint] = (),
    report: EvalReport | None = None,
    provenance: Mapping[str, Any] | None = None,
    synthetic: bool = False,
    overwrite: bool = False,
    files: Mapping[str, str | Path] | None = None,
) -> BundleManifest:
    """Write a bundle whose every target is proven equal to ``module``.

    It is built in a temporary folder beside ``out`` and renamed into place last. If one target is refused,
    nothing is written at all.

    Args:
        module: the trained model; its state is not touched.
        task: what it answers, and its preprocessing.
        out: the bundle's folder.
        name: the model's name.
        golden_images: (N, h, w, C) uint8 at the model's size, see ``golden_images``.
        licences: of code, weights and training data.
        targets: names out of ``TARGETS``; the canonical ``onnx`` is always among them.
        calibration: goes into every target; its ``scope_file`` must be among ``files``.
        operating_points: thresholds, into every target.
        report: the evaluation, copied into the bundle and summed up in the card.
        provenance: commit, config and manifest hashes, ``domain``, ``purpose``; kept as given, with the
            versions of the exporters added under ``export``.
        synthetic: the model was trained on drawn images; said in large letters on the card.
        overwrite: replace an existing bundle, once the new one is whole.
        files: further files to carry, by name inside the bundle, such as ``report.html``.

    Returns:
        The manifest as written.

    Raises:
        ExportError: ``out`` is taken; the model is dead; a target disagrees with it.
        ConfigError: an unknown target, or a file name that a bundle cannot hold.
        MissingExtraError: a target's package is not installed.
    """
    chosen = chosen_targets(targets)
    extra = _checked_files(files or {}, chosen)
    out = Path(out).absolute()
    with staged(out, overwrite=overwrite) as folder:
        module = with_explanation(module, task, golden_images)
        reference = Reference(module, task, golden_images)
        to_onnx(module, task, folder / ONNX_FILE, name=name)
        results = _write_targets(chosen, folder, reference)
        atomic.write_bytes(
            folder / GOLDEN, golden_bytes(reference.images, reference.outputs, reference.further)
        )
        if report is not None:
            report.save(folder / REPORT)
        for inside, source in extra.items():
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / inside)
        manifest = BundleManifest(
            name=name,
            task=task,
            targets={
                key: _record(target, results[key], calibration or Calibration(), operating_points)
                for key, target in chosen.items()
            },
            golden=GOLDEN,
            files=_hashes(folder),
            licences=licences,
            provenance={**(provenance or {}), "export": _versions(chosen)},
            synthetic=synthetic,
        )
        sizes = {key: _size(folder, target) for key, target in chosen.items()}
        atomic.write_text(folder / CARD, model_card(manifest, report, results, sizes))
        manifest = manifest.model_copy(update={"files": _hashes(folder)})
        manifest.save(folder / MANIFEST)
        atomic.write_text(folder / MANIFEST_HASH, atomic.sha256_file(folder / MANIFEST) + "\n")
        _self_check(folder, reference, results)
    return manifest


def _write_targets(chosen: Mapping[str, Target], folder: Path, reference: Reference) -> dict[str, GateResult]:
    """Write each target and let it through the gate, the canonical ONNX first."""
    results = {}
    for key, target in chosen.items():
        if target.write is not None:
            target.write(folder / ONNX_FILE, folder)
        result = check_parity(folder / target.file, key, target.engine, reference, target.precision)
        result.require()
        results[key] = result
    return results


def _record(
    target: Target, result: GateResult, calibration: Calibration, points: Sequence[OperatingPoint]
) -> TargetRecord:
    return TargetRecord(
        file=target.file,
        engine=target.engine,
        precision=target.precision,
        extra_files=target.extra_files,
        calibration=calibration,
        operating_points=tuple(points),
        parity=result.parity(),
    )


def _self_check(folder: Path, reference: Reference, results: Mapping[str, GateResult]) -> None:
    """Open the finished bundle as a user would, each target, and compare once more, geometry included.

    The gate tested the files; this tests that ``runtime`` reads them with the preprocessing they need.
    """
    spec, images = reference.task.preprocess, list(reference.images)
    aligned = spec.geometry == "align"  # golden images are aligned already and have no landmarks
    preprocessor = Preprocessor(at_size(spec) if aligned else spec)
    inputs = preprocessor.batch(images)
    expected = reference.run(inputs)
    if spec.flip_average:
        expected = (expected + reference.run(np.ascontiguousarray(inputs[..., ::-1]))) / 2
    for key, result in results.items():
        with contextlib.closing(runtime.load_bundle(folder, target=key)) as predictor:
            crops = [preprocessor.geometry(image) for image in images] if aligned else []
            answers = predictor.logits_of_crops(crops) if aligned else predictor.logits(images)
        gap = float(np.abs(answers - expected).max()) / reference.scale
        limit = TOLERANCES[result.precision].relative
        if not gap <= limit:
            raise ExportError(
                f"the finished bundle answers otherwise than the model through target {key}",
                expected=f"a relative difference of at most {limit:g}",
                got=f"{gap:.3g}",
            )


def _checked_files(files: Mapping[str, str | Path], chosen: Mapping[str, Target]) -> dict[str, Path]:
    """Further files by their name inside the bundle, each readable and in nobody's way."""
    folders = {Path(target.file).parts[0] for target in chosen.values()}
    for inside, source in files.items():
        parts = inside.split("/")
        bad = inside in _OWN or parts[0] in folders or {"", ".", ".."} & set(parts)
        if bad or "\\" in inside or ":" in inside:
            raise ConfigError(
                f"a bundle cannot carry a file named {inside!r}", expected="a free relative name"
            )
        if not Path(source).is_file():
            raise ConfigError(f"cannot read {source}", expected="a file to carry in the bundle")
    return {inside: Path(source) for inside, source in files.items()}


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the manifest's own two, by relative name."""
    names = (item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file())
    return {name: atomic.sha256_file(folder / name) for name in sorted(names)}


def _size(folder: Path, target: Target) -> int:
    return sum((folder / name).stat().st_size for name in (target.file, *target.extra_files))


def _versions(chosen: Mapping[str, Target]) -> dict[str, Any]:
    """What wrote the files: the opset, and the versions of the packages, all loaded by now."""
    packages = ["torch", "onnx", *sorted({target.engine for target in chosen.values()})]
    versions = {name: str(getattr(sys.modules.get(name), "__version__", "unknown")) for name in packages}
    return {"opset": OPSET, **versions}
