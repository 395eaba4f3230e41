"""Make a checked manifest of blood smears with boxes.

python datasets/bccd/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vnvision.data.boxes import format_boxes
from vnvision.data.linked import link_folders
from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.prepare import csv_lines
from vnvision.data.prepare_script import run
from vnvision.data.splits import assign_splits, without_leaks
from vnvision.errors import DataError

SIDES = ("xmin", "ymin", "xmax", "ymax")
LABELS = ("Platelets", "RBC", "WBC")
Found = dict[str, list[tuple[str, tuple[float, ...]]]]


def from_manifest(source: Path, out: Path) -> tuple[Row, ...]:
    """A folder with ``manifest.csv`` (path, split, group) and ``boxes.csv`` (path, label, xmin ... ymax)."""
    manifest = read_manifest(source / "manifest.csv")
    boxes: Found = defaultdict(list)
    for number, cells in csv_lines(source / "boxes.csv", ("path", "label", *SIDES)):
        corners = _corners((cells[side] for side in SIDES), f"{source / 'boxes.csv'}, line {number}")
        boxes[cells["path"]].append((cells["label"], corners))
    clusters = near_duplicate_clusters([manifest.file(row) for row in manifest.rows])
    rows = without_leaks(manifest, clusters)
    print(f"left out {len(manifest) - len(rows)} of {len(manifest)} rows: near-duplicates over splits")
    link_folders(source, out, ("images",))
    return tuple(_with_boxes(replace(row, label=None), boxes) for row in rows)


def from_download(source: Path, out: Path, seed: int) -> tuple[Row, ...]:
    """The authors' folder BCCD: JPEGImages and Annotations in Pascal VOC's XML."""
    boxes: Found = {}
    for file in sorted((source / "Annotations").glob("*.xml")):
        try:
            objects = ElementTree.parse(file).getroot().iter("object")
        except ElementTree.ParseError as exc:
            raise DataError(f"{file} is no XML", got=str(exc)) from exc
        boxes[f"JPEGImages/{file.stem}.jpg"] = [
            (
                item.findtext("name") or "",
                _corners((item.findtext(f"bndbox/{side}") or "nan" for side in SIDES), str(file)),
            )
            for item in objects
        ]
    if not boxes:
        raise DataError(f"{source} has no Annotations/*.xml", expected="the authors' folder BCCD")
    rows = tuple(Row(0, path) for path in boxes)
    manifest = Manifest(rows, source, source / "manifest.csv", "0" * 64)
    clusters = near_duplicate_clusters([manifest.file(row) for row in rows])
    link_folders(source, out, ("JPEGImages",))
    return tuple(_with_boxes(row, boxes) for row in assign_splits(manifest, seed=seed, clusters=clusters))


def _corners(cells: Iterable[str], where: str) -> tuple[float, ...]:
    try:
        return tuple(float(cell) for cell in cells)
    except ValueError as exc:
        raise DataError(f"{where}: the corners of a box", expected="numbers", got=str(exc)) from exc


def _with_boxes(row: Row, boxes: Found) -> Row:
    """The row with its boxes; a box without area, of which the set has a few, is left out."""
    solid = [(label, box) for label, box in boxes.get(row.path, []) if box[2] > box[0] and box[3] > box[1]]
    if unknown := sorted({label for label, _ in solid} - set(LABELS)):
        raise DataError(
            f"{row.path} has an unknown label", expected=", ".join(LABELS), got=", ".join(unknown)
        )
    corners = np.array([box for _, box in solid], dtype=np.float64).reshape(-1, 4)
    return replace(row, extra={**row.extra, "boxes": format_boxes([label for label, _ in solid], corners)})


if __name__ == "__main__":
    purpose = (__doc__ or "").splitlines()[0]
    toml = Path(__file__).with_name("source.toml")
    run(purpose, toml, from_manifest=from_manifest, from_download=from_download)
