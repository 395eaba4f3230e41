"""Cut the shared faces out, and make a manifest in which no person is in two splits.

python datasets/faces_shared/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.prepare import governed, mistakes_in_one_line
from vnvision.data.rows import SPLITS, Row
from vnvision.data.splits import assign_splits, without_leaks
from vnvision.data.table import write_table
from vnvision.errors import DataError
from vnvision.faces.aligned_cache import build_aligned
from vnvision.faces.choosing import open_faces
from vnvision.faces.conditions import column_of
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import FaceEngine
from vnvision.faces.listing import Pictures, list_pictures
from vnvision.faces.overlap import find_overlap
from vnvision.imaging import read

SETS = ("rmfd_faces", "asianfaces_dev", "lfw_2folds", "utkface_sample")
FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
ALIKE = 0.40
"""Cosine of two people's mean templates from which they may be one."""
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


def with_names(manifest: Manifest) -> Manifest:
    """Rows without an identity get one of their own: whom a picture shows is not known, so it shows nobody
    else.
    """

    def named(row: Row) -> Row:
        own = row.extra["identity"] or f"{row.extra['set']}:{row.path}"
        return replace(row, extra=dict(row.extra) | {"identity": own})

    return replace(manifest, rows=tuple(named(row) for row in manifest.rows))


def shown_often(manifest: Manifest, least: int) -> np.ndarray:
    """(N,) whether a row's person has at least so many crops.

    Raises:
        DataError: nobody has.
    """
    shown = Counter(row.extra["identity"] for row in manifest.rows)
    often = np.array([shown[row.extra["identity"]] >= least for row in manifest.rows])
    if not often.any():
        raise DataError(f"nobody in {manifest.path} has enough pictures", expected=f"{least} or more")
    return often


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


def dealt(manifest: Manifest, least: int, seed: int, twins: Sequence[int]) -> tuple[Row, ...]:
    """Rows with a split each: people shown often are dealt out, all others are only learnt from."""
    often = shown_often(manifest, least)
    twins_of_them = [twin for twin, kept in zip(twins, often, strict=True) if kept]
    splits = iter(assign_splits(manifest.where(often), FRACTIONS, seed, clusters=twins_of_them))
    return tuple(
        next(splits) if kept else replace(row, split="train")
        for row, kept in zip(manifest.rows, often, strict=True)
    )


def apart(rows: Sequence[Row], alike: Sequence[tuple[str, str]]) -> tuple[Row, ...]:
    """The rows without people who may be somebody of a later split (train, val, test)."""
    place = {row.extra["identity"]: SPLITS.index(row.split or "train") for row in rows}
    out = {min(pair, key=place.__getitem__) for pair in alike if place[pair[0]] != place[pair[1]]}
    return tuple(row for row in rows if row.extra["identity"] not in out)


def split_rows(source: Path, out: Path, sets: Sequence[str], least: int, seed: int) -> tuple[Row, ...]:
    """Align, deal people out to the splits, and leave out who may be in two of them."""
    done = build_aligned(open_faces, pictures_of(source / "manifest.csv", sets), out)
    print(f"{done.n_aligned} of {done.n} pictures aligned, the others: {done.skipped}")
    manifest = with_names(read_manifest(done.manifest))
    twins = near_duplicate_clusters([manifest.file(row) for row in manifest.rows])
    rows = dealt(manifest, least, seed, twins)
    there = [name for name in sets if any(row.extra["set"] == name for row in rows)]
    alike = look_alikes(templates(open_faces(), manifest), there) if len(there) > 1 else []
    unlike = apart(without_leaks(replace(manifest, rows=rows), twins), alike)
    print(f"{len(rows) - len(unlike)} crops left out: twins and look-alikes of people of a later split")
    return unlike


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
    parser.add_argument("--set", action="append", help=f"a set to take; default: {', '.join(SETS)}")
    parser.add_argument("--least", type=int, default=2, help="pictures a person must have to be tested on")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    args = parser.parse_args()
    with mistakes_in_one_line():
        rows = split_rows(args.source, args.out, args.set or SETS, args.least, args.seed)
        toml = Path(__file__).with_name("source.toml")
        path = write_rows(governed(rows, args.out, toml), args.out / "split.csv")
    for name in FRACTIONS:
        own = [row for row in rows if row.split == name]
        print(f"{name}: {len({row.extra['identity'] for row in own})} people, {len(own)} pictures")
    print(f"manifest  {path}")


if __name__ == "__main__":
    main()
