"""Synthetic leaves: drawn, not photographed, so that a first run needs no data.

Four classes over the same invented plants, light and cameras. They exist to try the tools; a model trained
on them says nothing about real leaves, and everything written here says so in its ``source`` column.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from vnvision import atomic
from vnvision.data.leaf_draw import KINDS, LEAF_LABELS, SyntheticLeaf, draw_leaf
from vnvision.data.leaf_paint import stream
from vnvision.data.leaf_scene import REGIONS
from vnvision.errors import ConfigError, DataError
from vnvision.spec import Record

__all__ = ["LEAF_LABELS", "SOURCE", "SyntheticLeaf", "draw_leaf", "write_leaves"]

SOURCE = "synthetic (vnvision)"
LICENCE = "Apache-2.0"
CONSENT = "not applicable"
COLUMNS = (
    "path", "label", "split", "group_id", "region", "source", "licence", "consent", "sha256",
    "mask", "severity",
)  # fmt: skip
JPEG_QUALITY = 92
_DRAWING = 1
_PLAN_STREAM = 100


class LeafSet(Record):
    """``set.json`` of a written folder: equal records mean equal pictures. ``drawing`` counts versions."""

    synthetic: bool = True
    drawing: int = _DRAWING
    per_class: int
    size_px: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Planned:
    kind: str
    number: int
    split: str
    group_id: str
    region: str
    plant_seed: int
    leaf_seed: int


def write_leaves(
    out: str | Path,
    *,
    per_class: int,
    size_px: int = 224,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a data set: ``images/<class>/NNNN.jpg``, ``masks/<class>/NNNN.png`` and ``manifest.csv``.

    A mask holds 0 for background, 1 for leaf, 2 for lesion. Every plant gives 2 to 4 leaves of one class and
    lies in one split; the splits are 60, 20 and 20 % of each class. The folder appears whole or not at all,
    and one that already holds this very set is used again.

    Args:
        out: the folder to make.
        per_class: leaves of each of the four classes, 5 or more.
        size_px: height and width.
        seed: another seed gives other plants.
        progress: called as ``progress(done, total)`` after each leaf.

    Returns:
        The manifest's path.

    Raises:
        ConfigError: ``per_class`` below 5, or a seed or size that ``draw_leaf`` refuses.
        DataError: ``out`` holds something else, or a damaged set.
    """
    if per_class < 5:
        raise ConfigError(
            "too few leaves for three splits", expected="per_class of 5 or more", got=str(per_class)
        )
    wanted = LeafSet(per_class=per_class, size_px=size_px, seed=seed)
    target = Path(out)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        return _reuse(target, wanted)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        _write_set(work, wanted, progress)
        work.chmod(0o755)
        if target.is_dir():
            target.rmdir()
        work.replace(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    atomic.sync_folder(target.parent)
    return target / "manifest.csv"


def _write_set(folder: Path, wanted: LeafSet, progress: Callable[[int, int], None] | None) -> None:
    plan = list(_plan(wanted))
    for kind in KINDS:
        (folder / "images" / kind).mkdir(parents=True)
        (folder / "masks" / kind).mkdir(parents=True)
    rows = []
    for item in plan:
        rows.append(_write_leaf(folder, item, wanted.size_px))
        if progress is not None:
            progress(len(rows), len(plan))
    wanted.save(folder / "set.json")
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic.write_text(folder / "manifest.csv", text.getvalue())


def _write_leaf(folder: Path, item: _Planned, size_px: int) -> dict[str, str]:
    leaf = draw_leaf(item.kind, item.leaf_seed, size_px, plant_seed=item.plant_seed, region=item.region)
    image, mask = f"images/{item.kind}/{item.number:04d}.jpg", f"masks/{item.kind}/{item.number:04d}.png"
    bgr = cv2.cvtColor(leaf.image, cv2.COLOR_RGB2BGR)
    photo = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    (folder / image).write_bytes(photo)
    (folder / mask).write_bytes(cv2.imencode(".png", leaf.leaf_mask + leaf.lesion_mask)[1].tobytes())
    values: tuple[str, ...] = (
        image,
        item.kind,
        item.split,
        item.group_id,
        item.region,
        SOURCE,
        LICENCE,
        CONSENT,
    )
    values += (sha256(photo).hexdigest(), mask, f"{leaf.severity:.6f}")
    return dict(zip(COLUMNS, values, strict=True))


def _plan(wanted: LeafSet) -> Iterator[_Planned]:
    """What to draw: plants first, so that no plant lies in two splits; regions take turns in each split."""
    train, val = round(0.6 * wanted.per_class), round(0.2 * wanted.per_class)
    counts = {"train": train, "val": val, "test": wanted.per_class - train - val}
    plants = 0
    for kind in KINDS:
        rng = stream(_PLAN_STREAM, KINDS.index(kind), wanted.seed)
        number = 0
        for split, count in counts.items():
            for turn, leaves in enumerate(_plant_sizes(rng, count)):
                plant_seed, group_id = int(rng.integers(2**62)), f"plant-{plants:04d}"
                plants += 1
                for _ in range(leaves):
                    region, leaf_seed = list(REGIONS)[turn % len(REGIONS)], int(rng.integers(2**62))
                    yield _Planned(kind, number, split, group_id, region, plant_seed, leaf_seed)
                    number += 1


def _plant_sizes(rng: np.random.Generator, leaves: int) -> Iterator[int]:
    """Part ``leaves`` into plants of 2 to 4; only a single leaf is a plant of its own."""
    while leaves:
        size = min(leaves, int(rng.integers(2, 5)))
        if leaves - size == 1:
            size += 1 if size < 4 else -1
        yield size
        leaves -= size


def _reuse(folder: Path, wanted: LeafSet) -> Path:
    """The manifest of a folder that holds exactly the wanted set, every picture checked."""
    fix = "choose another folder, or remove this one"
    manifest, note = folder / "manifest.csv", folder / "set.json"
    if not (manifest.is_file() and note.is_file()):
        raise DataError(f"{folder} is in the way", expected="an empty folder or this set of leaves", fix=fix)
    found = LeafSet.load(note, DataError)
    if found != wanted:
        raise DataError(f"{folder} holds another set", expected=repr(wanted), got=repr(found), fix=fix)
    with open(manifest, encoding="utf-8", newline="") as stream_:
        rows = list(csv.DictReader(stream_))
    if len(rows) != wanted.per_class * len(KINDS):
        raise DataError(
            f"{manifest} is damaged", expected=f"{wanted.per_class * len(KINDS)} rows", got=str(len(rows))
        )
    for row in rows:
        photo = folder / row["path"]
        if (
            not photo.is_file()
            or atomic.sha256_file(photo) != row["sha256"]
            or not (folder / row["mask"]).is_file()
        ):
            raise DataError(f"{photo} or its mask is missing or changed", fix=fix)
    return manifest
