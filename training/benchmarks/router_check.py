"""Does the router find the right expert, and say none for pictures that no expert is made for?

    python training/benchmarks/router_check.py --router BUNDLE --data out/router/manifest.csv --split test \
        --outside lfw=FOLDER_OR_MANIFEST --outside scenes=FOLDER --most 200

Right: the router answers, and names the expert of the picture's own set. None: it withholds its answer, or
names a kind that no expert answers for. With ``--split val`` pictures from outside whose file's name has an
even crc32 are taken, else the others: what choices were made on is never what is reported. Where there are
more than ``--most`` of a set, as many are drawn (seed 0). Intervals are bootstrapped by group (from outside:
by folder, or by picture in a flat one). Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from vnvision.data.manifest import read_manifest
from vnvision.errors import DataError
from vnvision.metrics.bootstrap import ClusterBootstrap, share
from vnvision.runtime import load_bundle
from vnvision.runtime.router import Router

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
NONE = "none"


def routes(router: Router, files: Sequence[Path]) -> list[str]:
    """For each picture an expert's name, or none; '' for pictures that cannot be read."""
    found = []
    for file in files:
        try:
            found.append(router.choose([router.read(file).image])[0].expert or NONE)
        except DataError:
            found.append("")
    return found


def drawn(files: Sequence[Path], groups: Sequence[Hashable], most: int) -> tuple[list[Path], list[Hashable]]:
    """At most so many of them."""
    rows = np.arange(len(files))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
    return [files[row] for row in rows], [groups[row] for row in rows]


def outside_files(path: Path, odd: bool) -> tuple[list[Path], list[Hashable]]:
    """Pictures and groups of one half of a manifest or a folder."""
    if path.is_file():
        manifest = read_manifest(path)
        files, groups = [manifest.file(row) for row in manifest.rows], list(manifest.group_keys())
    else:
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        groups = [str(file if file.parent == path else file.parent) for file in files]
    rows = [row for row, file in enumerate(files) if zlib.crc32(file.name.encode()) % 2 == odd]
    return [files[row] for row in rows], [groups[row] for row in rows]


def told(right: Iterable[bool], groups: Sequence[Hashable]) -> str:
    """``0.993 [0.981, 1.000] | 200``."""
    hit = np.array(list(right))
    found = share(hit, np.ones(len(hit), bool), ClusterBootstrap(list(groups), 1000, 0))
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}] | {len(hit)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--router", required=True, help="bundle folder or name")
    parser.add_argument("--data", type=Path, required=True, help="manifest whose labels are experts")
    parser.add_argument("--split", default="val")
    parser.add_argument("--strangers", default="hip_ultrasound", help="labels that no expert answers for")
    parser.add_argument("--outside", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--engine", default="onnxruntime")
    args = parser.parse_args()
    model = load_bundle(args.router, engine=args.engine, threads=1)
    experts = frozenset(model.task.label_ids) - set(args.strangers.split(","))
    router = Router(model, load_bundle, experts)
    part = read_manifest(args.data).split(args.split)
    print("| set | right expert, or none for strangers | n | taken for |\n|---|---|---|---|")
    every: list[bool] = []
    keys: list[Hashable] = []
    for label in model.task.label_ids:
        rows = [row for row, one in enumerate(part.rows) if one.label == label]
        if not rows:  # rice has no test split
            continue
        files, groups = drawn([part.file(part.rows[row]) for row in rows],
                              [part.group_keys()[row] for row in rows], args.most)  # fmt: skip
        found = routes(router, files)
        wanted = label if label in experts else NONE
        right = [one == wanted for one in found]
        if label in experts:
            every += right
            keys += groups
        wrong = Counter(one for one in found if one != wanted)
        print(f"| {label} | {told(right, groups)} | {json.dumps(dict(wrong)) if wrong else ''} |", flush=True)
    print(f"| **all experts** | {told(every, keys)} | |")
    every, keys = [], []
    for word in args.outside:
        name, _, path = word.partition("=")
        files, groups = drawn(*outside_files(Path(path), args.split != "val"), args.most)
        found = routes(router, files)
        kept = [row for row, one in enumerate(found) if one]
        right, groups = [found[row] == NONE for row in kept], [groups[row] for row in kept]
        every += right
        keys += [(name, group) for group in groups]
        wrong = Counter(found[row] for row in kept if found[row] != NONE)
        print(f"| {name} | {told(right, groups)} | {json.dumps(dict(wrong)) if wrong else ''} |", flush=True)
    if every:
        print(f"| **all from outside** | {told(every, keys)} | |")


if __name__ == "__main__":
    main()
