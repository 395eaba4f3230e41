"""Figures of ready functions that other benchmarks do not measure: planted faults and people, counted again.

    python training/benchmarks/ready_functions.py check --trials 104
    python training/benchmarks/ready_functions.py split --trials 200
    python training/benchmarks/ready_functions.py card --trials 200
    python training/benchmarks/ready_functions.py forget --people 200
    python training/benchmarks/ready_functions.py overlap --templates FILE    # of face embed, asianfaces_dev

``check`` plants one fault a trial in a drawn set; ``split`` and ``card`` draw manifests of groups of uneven
size and count again without the library; ``forget`` enrols strangers, erases half and searches for all;
``overlap`` hides people with several pictures in two sets under other names, at the stored threshold of
``fmr=1e-5@lfw``. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vnvision.data.check import check_manifest
from vnvision.data.describe import describe
from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.rows import Row
from vnvision.data.splits import assign_splits
from vnvision.data.synthetic import write_leaves
from vnvision.metrics.bootstrap import clopper_pearson

Fault = Callable[[Path, list[Row], int], list[Row]]


def share(k: int, n: int) -> dict[str, Any]:
    low, high = clopper_pearson(k, n)
    return {"k": k, "n": n, "share": k / n, "low": low, "high": high}


# One fault each: changes files of the copy in ``root`` or the rows, at row ``at``.


def missing_file(root: Path, rows: list[Row], at: int) -> list[Row]:
    (root / rows[at].path).unlink()
    return rows


def wrong_sha256(root: Path, rows: list[Row], at: int) -> list[Row]:
    with (root / rows[at].path).open("ab") as stream:
        stream.write(b"\0")
    return rows


def unreadable_image(root: Path, rows: list[Row], at: int) -> list[Row]:
    path = root / rows[at].path
    path.write_bytes(path.read_bytes()[:100])
    return [*rows[:at], replace(rows[at], sha256=None), *rows[at + 1 :]]


def duplicate_path(root: Path, rows: list[Row], at: int) -> list[Row]:
    return [*rows, rows[at]]


def same_file_across_splits(root: Path, rows: list[Row], at: int) -> list[Row]:
    shutil.copy(root / rows[at].path, root / "again.jpg")
    other = replace(rows[at], path="again.jpg", split=_other(rows[at]), group_id="new", extra={})
    return [*rows, other]


def near_duplicate_across_splits(root: Path, rows: list[Row], at: int) -> list[Row]:
    image = cv2.imread(str(root / rows[at].path))
    cv2.imwrite(str(root / "near.png"), cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA))
    other = replace(rows[at], path="near.png", split=_other(rows[at]), group_id="new", sha256=None, extra={})
    return [*rows, other]


def group_across_splits(root: Path, rows: list[Row], at: int) -> list[Row]:
    return [*rows[:at], replace(rows[at], split=_other(rows[at])), *rows[at + 1 :]]


def unlabelled_training_row(root: Path, rows: list[Row], at: int) -> list[Row]:
    return [*rows[:at], replace(rows[at], label=None, split="train", group_id="new"), *rows[at + 1 :]]


def _other(row: Row) -> str:
    return "val" if row.split == "train" else "train"


FAULTS: tuple[Fault, ...] = (
    missing_file, wrong_sha256, unreadable_image, duplicate_path, same_file_across_splits,
    near_duplicate_across_splits, group_across_splits, unlabelled_training_row,
)  # fmt: skip


def check(trials: int, seed: int) -> dict[str, Any]:
    """Faults that were named, and clean sets that were called faulty."""
    rng, named, alarms, by_fault = np.random.default_rng(seed), 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(trials):
            root = Path(folder) / str(trial)
            manifest = read_manifest(write_leaves(root, per_class=5, size_px=128, seed=seed + trial))
            alarms += not check_manifest(manifest, threads=1).ok
            fault = FAULTS[trial % len(FAULTS)]
            rows = fault(root, list(manifest.rows), _in_a_family(manifest, rng))
            found = check_manifest(replace(manifest, rows=tuple(rows)), threads=1)
            hit = any(
                problem.kind.replace("-", " ") == fault.__name__.replace("_", " ")
                for problem in found.problems
            )
            named += hit
            by_fault[fault.__name__] += hit
            shutil.rmtree(root)
    return {"named": share(named, trials), "by_fault": by_fault, "false_alarms": share(alarms, trials)}


def _in_a_family(manifest: Manifest, rng: np.random.Generator) -> int:
    """A row whose group has another one."""
    sizes = Counter(row.group_id for row in manifest.rows)
    return int(rng.choice([i for i, row in enumerate(manifest.rows) if sizes[row.group_id] > 1]))


def drawn_manifest(rng: np.random.Generator) -> Manifest:
    """40 to 400 rows, 2 to 6 labels of uneven number, groups of 1 to 12 rows, some cells empty."""
    labels = [f"label_{i}" for i in range(int(rng.integers(2, 7)))]
    weights = rng.dirichlet(np.full(len(labels), 2.0))
    rows: list[Row] = []
    wanted = int(rng.integers(40, 401))
    while len(rows) < wanted:
        label = str(rng.choice(labels, p=weights))
        group = f"g{len(rows)}" if rng.random() < 0.9 else None
        for _ in range(int(rng.integers(1, 13)) if group else 1):
            rows.append(
                Row(
                    line=len(rows) + 2,
                    path=f"{len(rows)}.jpg",
                    label=label if rng.random() < 0.95 else None,
                    group_id=group,
                    region=str(rng.choice(["north", "south"])) if rng.random() < 0.8 else None,
                    licence="CC BY 4.0" if rng.random() < 0.7 else None,
                )
            )
    return Manifest(tuple(rows), Path(), Path("drawn.csv"), "0" * 64)


def split(trials: int, seed: int) -> dict[str, Any]:
    """Groups torn apart, and how far the share of the training rows is from what was asked for."""
    rng, torn, groups, off = np.random.default_rng(seed), 0, 0, []
    for trial in range(trials):
        manifest = drawn_manifest(rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = assign_splits(manifest, seed=trial)
        where: dict[str, set[str | None]] = {}
        for row in rows:
            where.setdefault(row.group_id or row.path, set()).add(row.split)
        torn += sum(len(splits) > 1 for splits in where.values())
        groups += len(where)
        off.append(abs(sum(row.split == "train" for row in rows) / len(rows) - 0.7))
    return {"torn": share(torn, groups), "train_share_off_median": float(np.median(off)), "largest": max(off)}


def card(trials: int, seed: int) -> dict[str, Any]:
    """Counts of the card that differ from counting the rows by hand."""
    rng, wrong, counts = np.random.default_rng(seed), 0, 0
    for _ in range(trials):
        manifest = drawn_manifest(rng)
        told = describe(manifest, images=False)
        by_hand = {
            "labels": Counter(row.label for row in manifest.rows if row.label),
            "regions": Counter(row.region or "" for row in manifest.rows),
            "licences": Counter(row.licence or "" for row in manifest.rows),
        }
        pairs = [(told[name], dict(counted)) for name, counted in by_hand.items()]
        facts = told["manifest"]
        pairs += [
            ({"rows": facts["rows"]}, {"rows": len(manifest.rows)}),
            ({"n": facts["groups"]}, {"n": len({row.group_id or row.path for row in manifest.rows})}),
            ({"n": facts["rows_without_label"]}, {"n": sum(row.label is None for row in manifest.rows)}),
        ]
        for one, other in pairs:
            counts += len(other)
            wrong += sum(one.get(key) != value for key, value in other.items()) + len(set(one) - set(other))
    return {"wrong": share(wrong, counts)}


def forget(people: int, seed: int) -> dict[str, Any]:
    """Forgotten people that a search for their own template finds, and others that it does not."""
    from vnvision.faces.gallery import Consent, Gallery, GalleryKey

    rng, now = np.random.default_rng(seed), datetime.now(UTC)
    vectors = rng.normal(size=(people, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        path, key = Path(folder) / "faces.db", GalleryKey(os.urandom(32))
        with Gallery.open(path, key=key, model="drawn", dim=128, create=True) as gallery:
            for i, vector in enumerate(vectors):
                consent = Consent(given_by=f"p{i}", given_at=now, text="yes")
                gallery.enroll(
                    f"p{i}", vector[None], consent=consent, purpose="test", expires=now + timedelta(days=1)
                )
            for i in range(0, people, 2):
                gallery.forget(f"p{i}")
        with Gallery.open(path, key=key, model="drawn", dim=128) as gallery:
            answers = gallery.identify(vectors, 0.5, 1)
            listed = {one.person for one in gallery.list()}
    hits = [any(c.person == f"p{i}" for c in answer.candidates) for i, answer in enumerate(answers)]
    gone, kept = range(0, people, 2), range(1, people, 2)
    return {
        "forgotten_found": share(sum(hits[i] or f"p{i}" in listed for i in gone), len(gone)),
        "others_found": share(sum(hits[i] for i in kept), len(kept)),
    }


def overlap(templates: Path) -> dict[str, Any]:
    """People in both sets that were found, and found pairs of different people."""
    from vnvision.faces.embedded import EmbeddedFaces
    from vnvision.faces.overlap import find_overlap
    from vnvision.faces.parquet import read_embedded
    from vnvision.faces.thresholds import resolve

    faces = read_embedded(templates)
    people, usable = faces.column("identity"), np.flatnonzero(faces.found)
    first = {people[i]: i for i in usable[::-1]}
    alone, rest = sorted(first.values()), [i for i in usable if i not in set(first.values())]

    def part(rows: list[int], letter: str) -> EmbeddedFaces:
        names = tuple(f"{letter}:{people[i]}" for i in rows)
        paths = tuple(faces.paths[i] for i in rows)
        return EmbeddedFaces(
            faces.embeddings[rows], paths, ("",) * len(rows), {"identity": names}, faces.model
        )

    limit = resolve("fmr=1e-5@lfw", faces.model)
    found = find_overlap(part(alone, "a"), part(rest, "b"), limit.value)
    both = {people[i] for i in rest}
    pairs = [(pair.first[2:], pair.second[2:]) for pair in found.pairs]
    right = {one for one, other in pairs if one == other}
    return {
        "threshold": limit.value,
        "found": share(len(right), len(both)),
        "false_pairs": share(sum(one != other for one, other in pairs), len(alone) * len(both) - len(both)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("check", "split", "card", "forget", "overlap"))
    parser.add_argument("--trials", type=int, default=104)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.what == "overlap":
        if asked.templates is None:
            parser.error("overlap needs --templates")
        found = overlap(asked.templates)
    elif asked.what == "forget":
        found = forget(asked.people, asked.seed)
    else:
        found = {"check": check, "split": split, "card": card}[asked.what](asked.trials, asked.seed)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
