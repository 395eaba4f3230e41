"""What every kit holds, gathered from a verified bundle."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from vnvision.errors import ConfigError, ExportError
from vnvision.export.golden import golden_images
from vnvision.export.kits.tolerance import expected
from vnvision.imaging import Preprocessor
from vnvision.imaging.align import template
from vnvision.records import TargetRecord
from vnvision.runtime.bundle import Bundle, open_bundle
from vnvision.runtime.target import remaining_preprocess
from vnvision.spec import PreprocessSpec


@dataclass(frozen=True, slots=True)
class Parts:
    """What a kit is written from.

    Attributes:
        bundle: verified.
        target: the target's name.
        record: what the manifest says of it.
        spec: the preprocessing left to do outside the file.
        files: where the model's files lie, by their name in the kit; the main one first.
        images: (N, h, w, C) golden pictures.
        outputs: the original's answers to them, by the names in the model's file.
        expected: what the self-test compares with: ``outputs``, or the 8-bit file's own answers.
        placed: a picture of another size and what the geometry makes of it, by name.
        tolerance: the largest relative difference of each output.
    """

    bundle: Bundle
    target: str
    record: TargetRecord
    spec: PreprocessSpec
    files: Mapping[str, Path]
    images: np.ndarray
    outputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    placed: Mapping[str, np.ndarray]
    tolerance: Mapping[str, float]

    @property
    def own(self) -> dict[str, np.ndarray]:
        """The 8-bit file's own answers, as they are called in ``golden.npz``; none of other files."""
        if self.expected["output"] is self.outputs["output"]:
            return {}
        return {f"exported_{name}": values for name, values in self.expected.items()}

    @property
    def file(self) -> str:
        """The main file's name in the kit."""
        return next(iter(self.files))

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the model's files, by their name in the kit."""
        names = (self.record.file, *self.record.extra_files)
        return {name: self.bundle.manifest.files[old] for name, old in zip(self.files, names, strict=True)}


def gather(bundle_folder: str | Path, target: str) -> Parts:
    """Everything a kit needs, checked.

    Raises:
        BundleError: the bundle is damaged.
        ConfigError: it has no such target.
        ExportError: the preprocessing does not start from 8-bit pictures, or there are too few golden ones.
    """
    bundle = open_bundle(bundle_folder)
    record = _record(bundle, target)
    task = bundle.manifest.task
    _check_input(task.preprocess)
    spec = remaining_preprocess(task.preprocess, record)
    with np.load(bundle.file(bundle.manifest.golden), allow_pickle=False) as golden:
        arrays = {key: golden[key] for key in golden.files}
    images = arrays.pop("images")
    _check_golden(images)
    outputs = {"output" if key == "outputs" else key: value for key, value in arrays.items()}
    right, limits = expected(bundle.file(record.file), record, spec, images, outputs)
    return Parts(
        bundle, target, record, spec, _files(bundle, record), images, outputs, right,
        placed_picture(spec), limits,
    )  # fmt: skip


def _record(bundle: Bundle, target: str) -> TargetRecord:
    targets = bundle.manifest.targets
    if target not in targets:
        raise ConfigError(
            f"bundle {bundle.manifest.name} has no target {target!r}", expected=" or ".join(targets)
        )
    return targets[target]


def _check_input(spec: PreprocessSpec) -> None:
    if spec.input_dtype != "uint8" or spec.voi_window:
        raise ExportError(
            "a kit starts from 8-bit pictures",
            expected="input_dtype uint8 and no VOI window",
            got=f"{spec.input_dtype}, VOI window {spec.voi_window}",
            fix="run this model through vnvision, which reads such pictures",
        )


def _check_golden(images: np.ndarray) -> None:
    """Refuse what shows no spread: a difference is measured against how far answers lie apart."""
    if len(images) < 2:
        raise ExportError(
            "a kit needs golden pictures whose answers differ",
            expected="2 or more",
            got=str(len(images)),
            fix="export the model again",
        )


def _files(bundle: Bundle, record: TargetRecord) -> dict[str, Path]:
    """The target's files by their name in the kit: the folder of the target's name is left out."""
    found = {}
    for name in (record.file, *record.extra_files):
        parts = PurePosixPath(name).parts
        found["/".join(parts[1:] or parts)] = bundle.file(name)
    return found


def placed_picture(spec: PreprocessSpec) -> dict[str, np.ndarray]:
    """A drawn picture of another size and shape, and what becomes of it, to show whether OpenCV elsewhere
    resizes as here.

    Returns:
        ``picture`` (H, W, 3), ``placed`` (h, w, C) in RGB order or grey, and ``landmarks`` (5, 2) where faces
        are aligned; nothing where the model takes one size alone.
    """
    if spec.geometry == "none":
        return {}
    height, width = spec.size_px
    colour = {"colour": "rgb", "mean": (0.0,) * 3, "std": (1.0,) * 3}
    sides = height * 4 // 3 + 1, width * 3 // 4 + 2
    if spec.geometry == "strips":
        sides = 4 * max(sides) + 3, max(sides)  # long and upright: two strips, turned
    large = spec.model_copy(update=colour | {"size_px": sides})
    picture = golden_images(None, large, 2)[0]
    plain = spec if spec.colour == "grey" else spec.model_copy(update={"colour": "rgb"})
    if spec.geometry != "align":
        return {"picture": picture, "placed": Preprocessor(plain).geometry(picture)}
    turn = np.array([[0.7, -0.1], [0.1, 0.7]])
    landmarks = template(spec.size_px) @ turn.T + 5.5
    placed = Preprocessor(plain).geometry(picture, landmarks)
    return {"picture": picture, "placed": placed, "landmarks": landmarks}


def labels_csv(bundle: Bundle) -> str:
    """``index, id, vi, en`` of every label."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("index", "id", "vi", "en"))
    rows.writerows((i, x.id, x.text("vi"), x.text("en")) for i, x in enumerate(bundle.manifest.task.labels))
    return text.getvalue()
