"""Make a checked manifest of breast ultrasound pictures with lesion masks.

python datasets/busi/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from vnvision import atomic
from vnvision.data.linked import link_folders
from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.prepare_script import run
from vnvision.data.splits import assign_splits, without_leaks
from vnvision.errors import DataError

LABELS = ("benign", "malignant", "normal")


def from_manifest(source: Path, out: Path) -> tuple[Row, ...]:
    """A folder that has a manifest with splits and masks: healthy pictures get the mask ``none``, and rows
    that are near-duplicates of a picture in a later split (train, val, test) are left out."""
    manifest = read_manifest(source / "manifest.csv")
    clusters = near_duplicate_clusters([manifest.file(row) for row in manifest.rows])
    rows = without_leaks(manifest, clusters)
    link_folders(source, out, ("images", "masks"))
    print(f"left out {len(manifest) - len(rows)} of {len(manifest)} rows: near-duplicates over splits")
    return tuple(_with_mask(row, row.extra.get("mask", "")) for row in rows)


def from_download(source: Path, out: Path, seed: int) -> tuple[Row, ...]:
    """The authors' folder: one folder a class, masks beside the pictures as ``NAME_mask.png``,
    ``NAME_mask_1.png`` and so on, which are joined."""
    folders = sorted(folder.name for folder in source.iterdir() if folder.is_dir())
    if folders != sorted(LABELS):
        raise DataError(f"{source} holds other folders", expected=", ".join(LABELS), got=", ".join(folders))
    files = sorted(
        file for label in LABELS for file in (source / label).glob("*.png") if "_mask" not in file.stem
    )
    rows = [Row(0, file.relative_to(source).as_posix(), label=file.parent.name) for file in files]
    kept = Manifest(tuple(rows), source, source / "manifest.csv", "0" * 64)
    clusters = near_duplicate_clusters([kept.file(row) for row in rows])
    link_folders(source, out, LABELS)
    return tuple(
        _with_mask(row, _joined_mask(source, out, row))
        for row in assign_splits(kept, seed=seed, clusters=clusters)
    )


def _joined_mask(source: Path, out: Path, row: Row) -> str:
    picture = source / row.path
    parts = [
        cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        for file in sorted(picture.parent.glob(f"{picture.stem}_mask*.png"))
    ]
    if not parts:
        return ""
    joined = np.maximum.reduce([(part > 127).astype(np.uint8) for part in parts])
    name = f"masks/{row.label}/{picture.stem}.png"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(out / name, cv2.imencode(".png", joined)[1].tobytes())
    return name if joined.any() else ""


def _with_mask(row: Row, mask: str) -> Row:
    if not mask and row.label != "normal":
        return replace(row, extra={**row.extra, "mask": ""})
    return replace(row, extra={**row.extra, "mask": mask or "none"})


if __name__ == "__main__":
    purpose = (__doc__ or "").splitlines()[0]
    toml = Path(__file__).with_name("source.toml")
    run(purpose, toml, from_manifest=from_manifest, from_download=from_download)
