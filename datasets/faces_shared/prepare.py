"""Cut the shared faces out, and make a manifest in which no person is in two splits.

python datasets/faces_shared/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.prepare import governed
from vnvision.data.rows import Row
from vnvision.data.splits import assign_splits, merged_groups
from vnvision.data.table import write_table
from vnvision.errors import DataError, VnvisionError
from vnvision.faces.aligned_cache import build_aligned
from vnvision.faces.choosing import open_faces
from vnvision.faces.conditions import column_of
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import FaceEngine
from vnvision.faces.listing import Pictures, list_pictures
from vnvision.faces.overlap import find_overlap
from vnvision.imaging import read

SETS = ("rmfd_faces", "asianfaces_dev")
FRACTIONS = {"train": 0.6, "val": 0.2, "test": 0.2}
ALIKE = 0.30
"""Cosine of two people's mean templates from which they may be one: below any threshold used to verify."""
_AT_ONCE = 64


def pictures_of(manifest: Path, sets: Sequence[str]) -> Pictures:
    """The pictures of some sets.

    Raises:
        DataError: no column ``set``, or a set without pictures.
    """
    every = list_pictures(manifest)
    cells = column_of(every.columns, "set")
    if missing := sorted(set(sets) - set(cells)):
        raise DataError(f"{manifest} has no such set", got=", ".join(missing))
    rows = [i for i, name in enumerate(cells) if name in sets]
    columns = {name: tuple(column[i] for i in rows) for name, column in every.columns.items()}
    return replace(every, paths=tuple(every.paths[i] for i in rows), columns=columns)


def shown_often(manifest: Manifest, least: int) -> Manifest:
    """The rows of people with at least so many crops.

    Raises:
        DataError: nobody has.
    """
    shown = Counter(row.extra["identity"] for row in manifest.rows)
    kept = [bool(row.extra["identity"]) and shown[row.extra["identity"]] >= least for row in manifest.rows]
    if not any(kept):
        raise DataError(f"nobody in {manifest.path} has enough pictures", expected=f"{least} or more")
    return manifest.where(np.array(kept))


def templates(engine: FaceEngine, manifest: Manifest) -> EmbeddedFaces:
    """The crops' templates."""
    crops = np.stack([read(manifest.file(row)).image for row in manifest.rows])
    parts = [engine.embed(crops[at : at + _AT_ONCE]) for at in range(0, len(crops), _AT_ONCE)]
    return EmbeddedFaces(
        np.concatenate(parts).astype(np.float32),
        tuple(row.path for row in manifest.rows),
        ("",) * len(crops),
        {name: tuple(row.extra[name] for row in manifest.rows) for name in ("identity", "set")},
        model=engine.embedder.fingerprint,
    )


def look_alikes(faces: EmbeddedFaces, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of people of two sets who may be one."""
    found = []
    for first, second in combinations(names, 2):
        sets = [faces.where([f"set={name}"]) for name in (first, second)]
        found += [(pair.first, pair.second) for pair in find_overlap(sets[0], sets[1], ALIKE).pairs]
    return found


def clusters(manifest: Manifest, alike: Sequence[tuple[str, str]]) -> list[int]:
    """(N,) rows that must share a split: near-duplicates, and people who may be one."""
    people = [row.extra["identity"] for row in manifest.rows]
    same = {name: name for name in people}
    for first, second in alike:  # the two, and whoever stands for either
        old, new = same[second], same[first]
        same = {name: new if root == old else root for name, root in same.items()}
    twins = near_duplicate_clusters([manifest.file(row) for row in manifest.rows])
    return merged_groups([same[name] for name in people], twins)


def split_rows(source: Path, out: Path, sets: Sequence[str], least: int, seed: int) -> tuple[Row, ...]:
    """Align, leave out people shown too seldom, and deal people out to the splits."""
    done = build_aligned(open_faces, pictures_of(source / "manifest.csv", sets), out)
    print(f"{done.n_aligned} of {done.n} pictures aligned, the others: {done.skipped}")
    manifest = shown_often(read_manifest(done.manifest), least)
    there = [name for name in sets if any(row.extra["set"] == name for row in manifest.rows)]
    alike = look_alikes(templates(open_faces(), manifest), there) if len(there) > 1 else []
    print(f"{len(alike)} pairs of people of two sets look alike: each pair stays in one split")
    return assign_splits(manifest, FRACTIONS, seed, clusters=clusters(manifest, alike))


def write_rows(rows: Sequence[Row], path: Path) -> Path:
    """A face manifest: ``group`` is a demographic column here, and the person the leakage group."""
    plain = ("split", "region", "source", "licence", "consent", "sha256")
    extra = list(dict.fromkeys(key for row in rows for key in row.extra))
    cells = (
        [row.path, *(row.extra[key] for key in extra), *(getattr(row, name) for name in plain)]
        for row in rows
    )
    return write_table(path, ["path", *extra, *plain], cells)


def main() -> None:
    """Read the command line, write ``OUT/split.csv``, say what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with manifest.csv: path, set, identity, group")
    parser.add_argument("--out", type=Path, required=True, help="folder for crops and manifests")
    parser.add_argument("--set", action="append", help=f"a set to take; default: {' and '.join(SETS)}")
    parser.add_argument("--least", type=int, default=4, help="pictures a person must have")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    args = parser.parse_args()
    try:
        rows = split_rows(args.source, args.out, args.set or SETS, args.least, args.seed)
        toml = Path(__file__).with_name("source.toml")
        path = write_rows(governed(rows, args.out, toml), args.out / "split.csv")
    except VnvisionError as exc:
        sys.exit(f"prepare: {exc}")
    for name in FRACTIONS:
        own = [row for row in rows if row.split == name]
        print(f"{name}: {len({row.extra['identity'] for row in own})} people, {len(own)} pictures")
    print(f"manifest  {path}")


if __name__ == "__main__":
    main()
