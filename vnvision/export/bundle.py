"""The bundle writer: files, proof, hashes, card; all of it or nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision import atomic
from vnvision.errors import ConfigError
from vnvision.export.card import model_card
from vnvision.export.card_cost import machine, network_cost
from vnvision.export.field import FieldPictures
from vnvision.export.finished import checked_targets
from vnvision.export.judge import MAX_DROP, Judge
from vnvision.export.lean import N_GOLDEN, Measure, measured_again, without_original
from vnvision.export.making import TargetMaker
from vnvision.export.onnx import OPSET, to_onnx, with_explanation
from vnvision.export.original import Original
from vnvision.export.reference import Reference
from vnvision.export.result import GateResult
from vnvision.export.targets import ONNX_FILE, Target, chosen_targets
from vnvision.records import (
    BundleManifest,
    Calibration,
    EvalReport,
    Licences,
    OperatingPoint,
    TargetRecord,
)
from vnvision.runtime.golden import golden_bytes
from vnvision.runtime.publish import staged
from vnvision.runtime.signature import sign_bundle
from vnvision.runtime.target import size_bytes
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

GOLDEN, REPORT, CARD = "golden.npz", "report.json", "MODEL_CARD.md"
MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
_PACKAGES = {"ncnn": "pnnx", "litert": "ai-edge-litert", "coreml": "coremltools", "rknn": "rknn-toolkit2"}
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
    half: bool = False,
    int8: bool = False,
    chip: str | None = None,
    pictures: FieldPictures | None = None,
    max_drop: float = MAX_DROP,
    skip_refused: bool = False,
    time_it: bool = False,
    lean: bool = False,
    measure: Measure | None = None,
    sign: str | Path | None = None,
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
        targets: names out of ``TARGETS``, or formats as ``chosen_targets`` takes them; the canonical
            ``onnx`` is always among them.
        calibration: goes into every target; its ``scope_file`` must be among ``files``.
        operating_points: thresholds, into every target.
        report: the evaluation, copied into the bundle and summed up in the card.
        provenance: commit, config and manifest hashes, ``domain``, ``purpose``, ``card``; kept as given, with
            the versions of the exporters added under ``export``, parameters and multiplications under
            ``network``.
        synthetic: the model was trained on drawn images; said in large letters on the card.
        overwrite: replace an existing bundle, once the new one is whole.
        files: further files to carry, by name inside the bundle, such as ``report.html``.
        half: of formats, the target in half precision.
        int8: of formats, the target in 8-bit integers.
        chip: of ``rknn``, its name.
        pictures: what 8-bit ranges are measured on and 8-bit answers judged on; other reduced targets are
            judged on them too, and get calibration and thresholds of their own.
        max_drop: how far accuracy, TAR at FMR 1e-3, Dice or mAP of a judged target may fall.
        skip_refused: leave a target that is refused or cannot be converted out, and say so under
            ``provenance["refused"]``, instead of writing nothing at all.
        time_it: measure each target's time (see ``TargetRecord.p50_ms``); the bundle's bytes then differ from
            one export to the next.
        lean: for shipping: leave the float original out, once the other targets were proven against it, and
            all but one golden picture. Kits and further exports need the original.
        measure: evaluates the finished bundle's first target; its report takes the place of ``report``.
        sign: a private key's file, see ``runtime.signature``.

    Returns:
        The manifest as written.

    Raises:
        ExportError: ``out`` is taken; the model is dead; a target disagrees with it.
        ConfigError: an unknown target, or a file name that a bundle cannot hold.
        MissingExtraError: a target's package is not installed.
    """
    chosen = chosen_targets(targets, half=half, int8=int8, chip=chip)
    extra = _checked_files(files or {}, chosen)
    _check_pictures(chosen, pictures)
    out = Path(out).absolute()
    told = {**(provenance or {}), "network": network_cost(module, task.preprocess)}
    with staged(out, overwrite=overwrite) as folder:
        net = with_explanation(module, task, golden_images)
        reference = Reference(net, task, golden_images)
        to_onnx(net, task, folder / ONNX_FILE, name=name)
        maker = TargetMaker(folder, net, task, reference, pictures, skip_refused=skip_refused)
        results = maker.make(chosen)
        _carry(folder, reference, report, extra)
        made = {key: chosen[key] for key in results}
        manifest = BundleManifest(
            name=name,
            task=task,
            targets={
                key: _record(target, results[key], calibration or Calibration(), operating_points)
                for key, target in made.items()
            },
            golden=GOLDEN,
            files=_hashes(folder),
            licences=licences,
            provenance={**told, "export": _versions(made) | ({"machine": machine()} if time_it else {})}
            | maker.notes(),
            synthetic=synthetic,
        )
        _save(folder, manifest)
        judge = None
        if pictures is not None and any(target.precision != "fp32" for target in made.values()):
            judge = Judge(Original(net, task, name), pictures.judged, max_drop=max_drop)
        checked, refused = checked_targets(
            folder, reference, results, judge, skip_refused=skip_refused, time_it=time_it
        )
        for key in refused:
            maker.remove(chosen[key])
        if lean:
            checked = without_original(folder, ONNX_FILE, checked)
            _carry_golden(folder, reference, most=N_GOLDEN)
        told = {**manifest.provenance, **maker.notes(refused)}
        manifest = manifest.model_copy(update={"targets": checked, "provenance": told})
        if measure is not None:
            _save(folder, manifest.model_copy(update={"files": _hashes(folder)}))
            report = measured_again(folder, measure)
            report.save(folder / REPORT)
        sizes = {key: size_bytes(folder, record) for key, record in checked.items()}
        atomic.write_text(folder / CARD, model_card(manifest, report, results, sizes))
        manifest = manifest.model_copy(update={"files": _hashes(folder)})
        _save(folder, manifest)
        if sign is not None:
            sign_bundle(folder, sign)
    return manifest


def _carry(folder: Path, reference: Reference, report: EvalReport | None, extra: Mapping[str, Path]) -> None:
    """Golden answers, the report and further files."""
    _carry_golden(folder, reference)
    if report is not None:
        report.save(folder / REPORT)
    for inside, source in extra.items():
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / inside)


def _carry_golden(folder: Path, reference: Reference, most: int | None = None) -> None:
    """Golden pictures and answers, the first ``most`` of them."""
    further = {name: array[:most] for name, array in reference.further.items()}
    golden = golden_bytes(reference.images[:most], reference.outputs[:most], further)
    atomic.write_bytes(folder / GOLDEN, golden)


def _save(folder: Path, manifest: BundleManifest) -> None:
    """The manifest and its hash."""
    manifest.save(folder / MANIFEST)
    atomic.write_text(folder / MANIFEST_HASH, atomic.sha256_file(folder / MANIFEST) + "\n")


def _check_pictures(chosen: Mapping[str, Target], pictures: FieldPictures | None) -> None:
    """Refuse 8-bit targets without pictures, before anything is written."""
    wanting = [key for key, target in chosen.items() if target.is_8_bit]
    if wanting and pictures is None:
        raise ConfigError(
            f"8-bit targets need calibration images ({', '.join(wanting)})",
            expected="a manifest with training and validation rows",
            got="none",
            fix="pass calibration=MANIFEST (--calibration MANIFEST)",
        )


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
        converter_took=target.converter_took,
        proven_by=result.proven_by,
        parity=result.parity(),
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
    own = {MANIFEST, MANIFEST_HASH}
    return {name: atomic.sha256_file(folder / name) for name in sorted(names) if name not in own}


def _versions(chosen: Mapping[str, Target]) -> dict[str, Any]:
    """What wrote the files: the opset, and the versions of the packages."""
    packages = ["torch", "onnx", *sorted({_PACKAGES.get(one.engine, one.engine) for one in chosen.values()})]
    return {"opset": OPSET, **{name: _version(name) for name in packages}}


def _version(package: str) -> str:
    """As the package says it, with its build (``2.15.0+cu132``), else as it is installed."""
    loaded = getattr(sys.modules.get(package), "__version__", None)
    try:
        return str(loaded) if loaded else metadata.version(package)
    except metadata.PackageNotFoundError:
        return "in an environment of its own"
