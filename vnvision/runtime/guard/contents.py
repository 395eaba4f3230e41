"""Which check a bundle's file goes through, by what will read it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from vnvision.errors import BundleError
from vnvision.records import BundleManifest, TargetRecord
from vnvision.runtime.guard import limits, npz, onnx, openvino, plain
from vnvision.runtime.guard.refusal import UnfitError, refused, shown, unfit

_SUFFIXES = {"onnxruntime": (".onnx",), "openvino": (".xml", ".onnx")}
"""Engines that choose their reader by a file's name, and the readers whose files are checked here."""


def check_contents(root: Path, manifest: BundleManifest) -> None:
    """Look into every file that is read by name or handed to an engine; hashes are checked before.

    Raises:
        BundleError: naming the file and what is wrong with it.
    """
    spec = manifest.task.preprocess
    try:
        limits.check_picture(spec)
    except UnfitError as exc:
        raise unfit(root, "manifest.json", exc) from exc
    readers: dict[str, list[TargetRecord]] = {name: [] for name in manifest.files}
    arrays = {manifest.golden: "golden answers"}
    for record in manifest.targets.values():
        readers[record.file].append(record)
        if gate := record.calibration.scope_file:
            arrays[gate] = "scope gate"
    for name, records in readers.items():
        try:
            for record in records:
                _check_target(root, manifest, record)
            if name.endswith(".onnx") and not records:
                onnx.check_onnx(plain.read(root / name, onnx.MOST_BYTES))
            if name in arrays or name.endswith(".npz"):
                _check_arrays(root, name, arrays.get(name, "arrays"))
        except UnfitError as exc:
            raise unfit(root, name, exc) from exc
        except OSError as exc:
            raise BundleError(f"bundle {root}: cannot read {name}", got=exc.strerror or str(exc)) from exc


def _check_arrays(root: Path, name: str, what: str) -> None:
    try:
        with plain.opened(root / name, npz.MOST_BYTES) as stream:
            npz.check_npz(stream)
    except UnfitError as exc:
        problem = f": cannot read the {what} in {shown(name)}: it {exc.problem}"
        vi = f"bị từ chối: tệp {name} có nội dung hỏng hoặc không an toàn"
        raise refused(root, problem, vi, expected=exc.expected, got=exc.got) from exc


def _check_target(root: Path, manifest: BundleManifest, record: TargetRecord) -> None:
    name, spec = record.file, manifest.task.preprocess
    suffix = PurePosixPath(name).suffix
    if suffix not in _SUFFIXES.get(record.engine, (suffix,)):
        wanted = " or ".join(_SUFFIXES[record.engine])
        raise UnfitError(f"is not a file for {record.engine}", expected=wanted, got=suffix or "none")
    if suffix == ".onnx":
        onnx.check_onnx(plain.read(root / name, onnx.MOST_BYTES), spec)
    elif record.engine == "openvino":
        weights = str(PurePosixPath(name).with_suffix(".bin"))
        if weights not in manifest.files:
            raise refused(root, f"lacks {weights}", f"thiếu tệp {weights}")
        size = plain.stamp(root / weights).size
        openvino.check_openvino(plain.read(root / name, openvino.MOST_BYTES), size, spec)
