"""Choosing an importer, and writing what it found."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vnvision import atomic
from vnvision.data.boxes import COLUMN, format_boxes
from vnvision.data.importers import coco, dicom, image_folder, medmnist, people, rec, renamed
from vnvision.data.importers.found import Found, FoundBox, hashed, manifest_path, related
from vnvision.data.manifest import write_manifest
from vnvision.data.neardup import Progress
from vnvision.data.rows import Row
from vnvision.data.table import write_table
from vnvision.errors import ConfigError, DataError

KINDS = ("imagefolder", "people", "csv", "coco", "medmnist", "rec", "dicom")


def import_data(
    source: str | Path,
    out: str | Path,
    *,
    kind: str | None = None,
    licence: str | None = None,
    source_name: str | None = None,
    consent: str | None = None,
    region: str | None = None,
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    image_root: str | Path | None = None,
    key_file: str | Path | None = None,
    hash_files: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write a manifest for a data set.

    - ``imagefolder``: a folder of class folders, or of train, val and test folders of them.
    - ``csv``: a table with a column for the image path; ``columns`` renames.
    - ``coco``: a JSON of images, annotations and categories. Each category becomes a ``label:<name>``
      column; ``boxes.csv`` (path, label, x0, y0, x1, y1 in pixels) and ``categories.json`` are written
      beside the manifest.
    - ``medmnist``: an ``.npz`` of train, val and test images and labels. The images are written as PNG
      files into ``images/`` beside the manifest.
    - ``dicom``: a folder of studies. The patient's pseudonym is the group; files that are no images are
      listed in ``skipped.csv`` beside the manifest; ``labels.csv`` in the folder (path or study, label)
      gives labels.
    - ``people``: a folder with a folder a person, who becomes ``identity``.
    - ``rec``: a face set of InsightFace, ``.rec`` with its ``.idx``. The images are written, their bytes
      unchanged, into ``images/`` beside the manifest; ``RecordPictures`` reads such a set without this.

    Args:
        source: the folder or file to import.
        out: the manifest to write (``.csv`` or ``.parquet``), or the folder for ``manifest.csv``. Images
            must lie in the manifest's folder or below: paths are relative to it.
        kind: one of ``KINDS``; told from the structure where that leaves no doubt.
        licence: licence of the images, for every row that does not name its own.
        source_name: the data set's name, likewise.
        consent: how consent was given, likewise.
        region: where the images were taken, likewise.
        columns: csv only: column of the table -> manifest column, as in ``{"image": "path"}``.
        labels: medmnist only: names of the classes, in order of their index.
        image_root: csv and coco only: folder that image names are relative to; the file's own otherwise.
        key_file: dicom only: 64 hex digits that pseudonyms are made with; the environment's
            ``VNVISION_PSEUDONYM_KEY`` otherwise, and a key that is thrown away after this import without
            either.
        hash_files: whether to fill ``sha256``.
        progress: called with (files done, files in all).

    Returns:
        The manifest's path. It is written last, whole or not at all.

    Raises:
        ConfigError: an unknown kind, or an option that this kind does not take.
        DataError: the source is damaged, hostile or ambiguous; images are missing or lie elsewhere.
        MissingExtraError: dicom without pydicom, or without the codec for a file.
    """
    source, target = Path(source), manifest_path(out)
    kind = _known(kind) if kind is not None else detect_kind(source)
    for name, value, takers in (
        ("columns", columns, ("csv",)),
        ("labels", labels, ("medmnist",)),
        ("image_root", image_root, ("csv", "coco")),
        ("key_file", key_file, ("dicom",)),
    ):
        if value is not None and kind not in takers:
            raise ConfigError(f"{name} does not apply to {kind}", expected=f"kind {' or '.join(takers)}")
    root = Path(image_root) if image_root is not None else source.parent
    if kind == "medmnist":
        found = medmnist.extract(source, target.parent, labels, progress)
    elif kind == "imagefolder":
        found = image_folder.scan(source)
    elif kind == "people":
        found = people.scan(source)
    elif kind == "rec":
        found = rec.extract(source, target.parent, progress)
    elif kind == "dicom":
        found = dicom.scan(source, key_file, progress)
    elif kind == "csv":
        found = renamed.read(source, root, columns or {})
    else:
        found = coco.read(source, root)
    found = related(found, target)
    found = found.filled(licence=licence, source=source_name, consent=consent, region=region)
    if hash_files:
        found = hashed(found, target.parent, progress)
    if kind in ("medmnist", "rec") and hasattr(os, "sync"):
        os.sync()  # extracted images reach the disk before the manifest that names them
    return _write(found, target)


def _write(found: Found, target: Path) -> Path:
    if found.boxes is not None:
        cells = (
            [found.rows[box.row].path, box.label, *(format(edge, ".10g") for edge in box.corners_xyxy_px)]
            for box in found.boxes
        )
        write_table(target.parent / "boxes.csv", ("path", "label", "x0", "y0", "x1", "y1"), cells)
        found = replace(found, rows=_with_boxes(found.rows, found.boxes))
    if found.categories is not None:
        atomic.write_json(target.parent / "categories.json", found.categories)
    if found.skipped is not None:
        write_table(target.parent / "skipped.csv", ("path", "reason"), found.skipped)
    return write_manifest(found.rows, target)


def _with_boxes(rows: tuple[Row, ...], boxes: tuple[FoundBox, ...]) -> tuple[Row, ...]:
    """Rows with the column ``boxes`` that detection trains from."""
    bad = sorted({box.label for box in boxes if ";" in box.label or box.label.split() != [box.label]})
    if bad:
        text = f"no column boxes was written: labels such as {bad[0]!r} hold a space or ';'; rename them"
        warnings.warn(text, stacklevel=4)
        return rows
    of_row: dict[int, list[FoundBox]] = {}
    for box in boxes:
        of_row.setdefault(box.row, []).append(box)
    done = []
    for index, row in enumerate(rows):
        mine = of_row.get(index, [])
        corners = np.array([box.corners_xyxy_px for box in mine], dtype=np.float64).reshape(-1, 4)
        done.append(
            replace(row, extra={**row.extra, COLUMN: format_boxes([box.label for box in mine], corners)})
        )
    return tuple(done)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ConfigError("kind", expected=f"one of {', '.join(KINDS)}", got=kind)
    return kind


def detect_kind(source: Path) -> str:
    """The kind of a source, from its declared structure.

    Raises:
        DataError: it does not exist, fits none, or could be several.
    """
    fix = f"say which with kind (--kind): {', '.join(KINDS)}"
    if not source.exists():
        raise DataError(f"{source} does not exist", fix="check the path")
    if source.is_dir():
        if (source / "DICOMDIR").is_file():
            return "dicom"
        files = sorted(p.name for p in source.iterdir() if p.suffix.lower() in (".csv", ".json", ".npz"))
        if files:
            raise DataError(
                f"{source} could be a folder of classes, or described by {', '.join(files[:3])}", fix=fix
            )
        return "imagefolder"
    suffix = source.suffix.lower()
    if suffix == ".rec":
        return "rec"
    if suffix in (".csv", ".parquet"):
        return "csv"
    if suffix == ".json" and coco.is_coco(source):
        return "coco"
    if suffix == ".npz" and zipfile.is_zipfile(source) and medmnist.is_medmnist(source):
        return "medmnist"
    raise DataError(f"{source} is of no known kind", expected=f"one of {', '.join(KINDS)}", fix=fix)
