"""Make a manifest of single red cells: of the smears of Chula RBC-12, or of a folder with a manifest.

python datasets/chula_rbc12/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from vnvision import atomic
from vnvision.data.linked import link_folders
from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.data.prepare_script import run
from vnvision.data.splits import assign_splits
from vnvision.errors import DataError
from vnvision.imaging.read import read

# The number in a label file; 10 is "uncategorised" and left out.
TYPES = {
    0: "normal", 1: "macrocyte", 2: "microcyte", 3: "spherocyte", 4: "target_cell", 5: "stomatocyte",
    6: "ovalocyte", 7: "teardrop", 8: "burr_cell", 9: "schistocyte", 11: "hypochromia", 12: "elliptocyte",
}  # fmt: skip
UNSORTED, SIDE_PX, MOST = 10, 72, 300


def from_manifest(source: Path, out: Path) -> tuple[Row, ...]:
    """A folder that has a manifest of cut-out cells: as it is, with its groups (smears) and splits."""
    manifest = read_manifest(source / "manifest.csv")
    if manifest.label_ids() != tuple(sorted(TYPES.values())):
        got = ", ".join(manifest.label_ids())
        raise DataError(f"{source} holds other cells", expected=", ".join(sorted(TYPES.values())), got=got)
    link_folders(source, out, ("images",))
    return manifest.rows


def from_download(source: Path, out: Path, seed: int) -> tuple[Row, ...]:
    """The authors' folders Dataset (smears) and Label (``x y type``): at most 300 cells a type, 72 px."""
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for table in sorted((source / "Label").glob("*.txt")):
        for line, text in enumerate(table.read_text("utf-8").splitlines(), 1):
            if text.strip():
                x, y, kind = _cell(text, table, line)
                if kind != UNSORTED:
                    found[TYPES[kind]].append((table.stem, x, y))
    if sorted(found) != sorted(TYPES.values()):
        got = ", ".join(sorted(found)) or "no label file"
        raise DataError(f"{source} holds other cells", expected=", ".join(sorted(TYPES.values())), got=got)
    rng, rows = np.random.default_rng(seed), []
    for label, cells in sorted(found.items()):
        drawn = sorted(rng.permutation(len(cells))[:MOST].tolist())
        rows += [_cut(source, out, label, *cells[index], index) for index in drawn]
    whole = Manifest(tuple(rows), out, out / "manifest.csv", "0" * 64)
    return assign_splits(whole, seed=seed)


def _cell(text: str, table: Path, line: int) -> tuple[int, int, int]:
    try:
        x, y, kind = (int(float(part)) for part in text.replace(",", " ").split())
    except ValueError as exc:
        raise DataError(f"{table}, line {line}", expected="x y type", got=repr(text[:60])) from exc
    if kind != UNSORTED and kind not in TYPES:
        raise DataError(f"{table}, line {line}: unknown type", expected="0 to 12", got=str(kind))
    return x, y, kind


def _cut(source: Path, out: Path, label: str, smear: str, x: int, y: int, index: int) -> Row:
    """One cell with its surroundings; what lies beyond the smear is mirrored."""
    file = next(iter(sorted((source / "Dataset").glob(f"{smear}.*"))), None)
    if file is None:
        raise DataError(f"{source / 'Dataset'} has no smear {smear}")
    picture, half = read(file).image, SIDE_PX // 2
    wide = cv2.copyMakeBorder(picture, half, half, half, half, cv2.BORDER_REFLECT_101)
    cell = wide[y : y + SIDE_PX, x : x + SIDE_PX]
    if cell.shape[:2] != (SIDE_PX, SIDE_PX):
        raise DataError(f"{smear}: a cell lies outside the smear", got=f"x {x}, y {y}")
    path = f"images/{label}/{smear}_{index:04d}.png"
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(out / path, cv2.imencode(".png", cell[..., ::-1])[1].tobytes())
    extra = {"source_path": f"Dataset/{file.name}", "x": str(x), "y": str(y)}
    return Row(0, path, label=label, group_id=f"smear_{smear}", extra=extra)


if __name__ == "__main__":
    purpose = (__doc__ or "").splitlines()[0]
    toml = Path(__file__).with_name("source.toml")
    run(purpose, toml, from_manifest=from_manifest, from_download=from_download)
