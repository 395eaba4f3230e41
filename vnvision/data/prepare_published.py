"""What the prepare scripts of sets in class folders share: arguments, checksum, groups, split, manifest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vnvision.data.linked import link_folders
from vnvision.data.manifest import Manifest, read_manifest, write_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.prepare import governed, mistakes_in_one_line, source_facts, without_old
from vnvision.data.published import check_archive, labelled_pictures, unpack, without_contradictions
from vnvision.data.rows import Row
from vnvision.data.splits import assign_splits, group_folds, merged_groups
from vnvision.errors import DataError

_UNPACKED = "download"


@dataclass(frozen=True, slots=True)
class Published:
    """How a set is laid out, and what to take of it.

    Attributes:
        purpose: one line for ``--help``.
        source_toml: states where it comes from; ``archive_sha256`` there may be empty.
        classes: ``plain_name`` of a class folder -> label id.
        unlabelled: ``plain_name`` of folders without labels, left out.
        describe: (rows, folder) -> rows with their further columns, or fewer rows.
        keep: which rows of a folder that has a ``manifest.csv`` to take.
        group_of: path -> leakage group such as a burst or patient, None where unknown.
        folds: with 2 or more, ``val`` is one fold of so many and there is no test split: for sets so small
            that they are judged by repeated cross-validation.
    """

    purpose: str
    source_toml: Path
    classes: Mapping[str, str]
    unlabelled: Sequence[str] = ()
    describe: Callable[[Sequence[Row], Path], Sequence[Row]] = lambda rows, _: rows
    keep: Callable[[Row], bool] = lambda _: True
    group_of: Callable[[str], str | None] = lambda _: None
    folds: int = 0


def main(published: Published) -> None:
    """``SOURCE --out OUT [--archive FILE] [--seed N] [--strict]``: write ``OUT/manifest.csv``.

    A mistake is one line on stderr and exit code 1; no manifest is left then.
    """
    parser = argparse.ArgumentParser(description=published.purpose)
    parser.add_argument("source", type=Path, help="the downloaded .zip, its folder, or one with manifest.csv")
    parser.add_argument(
        "--out", type=Path, required=True, help="a new folder; pictures are linked, not copied"
    )
    parser.add_argument("--archive", type=Path, help="the download that the folder was unpacked from")
    parser.add_argument("--seed", type=int, default=0, help="of the split, where the folder has none")
    parser.add_argument("--strict", action="store_true", help="an unchecked download is an error")
    args = parser.parse_args()
    with mistakes_in_one_line():
        path = prepare(published, args.source, args.out, args.archive, seed=args.seed, strict=args.strict)
    print(f"manifest  {path}")


def prepare(
    published: Published,
    source: Path,
    out: Path,
    archive: Path | None = None,
    *,
    seed: int = 0,
    strict: bool = False,
) -> Path:
    """The manifest of a downloaded set: labels mapped, contradictions left out, near-duplicates in one group.

    Args:
        published: the set.
        source: the ``.zip``, the unpacked folder, or a folder that has a ``manifest.csv``.
        out: a folder for the manifest; pictures are linked into it.
        archive: the download, where ``source`` is a folder.
        seed: of the split.
        strict: an archive that was not compared with a stated hash is an error, not a warning.

    Raises:
        DataError: other classes, another archive than the one described or unpacked before, a picture that is
            missing; under ``strict`` an unchecked download.
        ConfigError: ``source.toml`` lacks a key.
    """
    ready = (source / "manifest.csv").is_file()
    path = without_old(out, [source / "manifest.csv"] if ready else [])
    if not ready:
        _check(published.source_toml, source if source.is_file() else archive, strict)
    if ready:
        rows = _of_manifest(published, source, out)
    elif source.is_file():
        unpack(source, out / _UNPACKED)
        rows = _of_download(published, out, seed)
    else:
        rows = _of_download(published, source, seed)
        link_folders(source, out, sorted({Path(row.path).parts[0] for row in rows}))
    if published.folds:
        rows = _in_folds(rows, published.folds, seed)
    return write_manifest(governed(rows, out, published.source_toml), path)


def _check(source_toml: Path, archive: Path | None, strict: bool) -> None:
    stated = source_facts(source_toml).get("archive_sha256", "")
    doubt = check_archive(archive, stated, source_toml)
    if doubt and strict:
        raise DataError(doubt)
    if doubt:
        print(f"prepare: {doubt}", file=sys.stderr)


def _of_download(published: Published, root: Path, seed: int) -> list[Row]:
    """Rows of an unpacked download, with groups and splits."""
    found = labelled_pictures(root, published.classes, published.unlabelled)
    rows = _agreeing(list(published.describe(found, root)), root)
    known = [replace(row, group_id=published.group_of(row.path)) for row in rows]
    whole = Manifest(tuple(known), root, root / "manifest.csv", "0" * 64)
    clusters = near_duplicate_clusters([root / row.path for row in known])
    name = source_facts(published.source_toml)["name"]
    groups = merged_groups(whole.group_keys(), clusters)
    return [
        replace(row, group_id=f"{name}_g{group:05d}")
        for row, group in zip(assign_splits(whole, seed=seed, clusters=clusters), groups, strict=True)
    ]


def _of_manifest(published: Published, source: Path, out: Path) -> list[Row]:
    """The wanted rows of a folder that has a manifest, with its groups and splits."""
    manifest = read_manifest(source / "manifest.csv")
    labels = set(published.classes.values())
    wanted = [row for row in manifest.rows if published.keep(row)]
    if {row.label for row in wanted} != labels:
        got = ", ".join(sorted({str(row.label) for row in wanted})) or "no row"
        raise DataError(f"{manifest.path} holds other classes", expected=", ".join(sorted(labels)), got=got)
    rows = _agreeing(wanted, source)
    print(f"took {len(rows)} of {len(manifest)} rows")
    link_folders(source, out, sorted({Path(row.path).parts[0] for row in rows}))
    return rows


def _agreeing(rows: list[Row], root: Path) -> list[Row]:
    kept, dropped = without_contradictions(rows, root)
    if dropped:
        names = ", ".join(row.path for row in dropped[:4])
        print(f"left out {len(dropped)} rows: the same file lies under two labels ({names})")
    return kept


def _in_folds(rows: Sequence[Row], folds: int, seed: int) -> list[Row]:
    """One fold of ``folds`` validates, the others train; groups are never divided."""
    labels = sorted({str(row.label) for row in rows})
    targets = [labels.index(str(row.label)) for row in rows]
    groups = [row.group_id or row.path for row in rows]
    fold = group_folds(np.array(targets), groups, folds, seed)
    return [
        replace(row, split="val" if part == 0 else "train")
        for row, part in zip(rows, fold.tolist(), strict=True)
    ]
