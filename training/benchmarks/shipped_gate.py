"""Does a model that ships see that a picture is none of its subject, and does it keep its own pictures?

    python training/benchmarks/shipped_gate.py --model bean --own bean --data out/router/manifest.csv \
        --split test --outside lfw=FOLDER_OR_MANIFEST --most 200

``--data`` is the router's manifest: the labels are models, so that every other label is a stranger here. Of
a folder from outside the pictures with an odd crc32 are taken, unless ``--split val`` (``router_check.py``).
No label of a picture is read, only whose subject it is. Intervals are bootstrapped by group. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Sequence
from pathlib import Path

from router_check import drawn, outside_files, told

from vnvision.data.manifest import read_manifest
from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.runtime import Predictor, load_bundle


def strange(model: Predictor, files: Sequence[Path]) -> list[bool | None]:
    """For each picture whether the model's gate refuses it; None for pictures that cannot be read."""
    assert model.scope is not None
    found: list[bool | None] = []
    for file in files:
        try:
            found.append(bool(model.scope_score([read(file).image])[0] > model.scope.limit))
        except DataError:
            found.append(None)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True, help="name or bundle folder")
    parser.add_argument("--own", required=True, help="the label of its own pictures")
    parser.add_argument("--data", type=Path, required=True, help="manifest whose labels are models")
    parser.add_argument("--split", default="val")
    parser.add_argument("--outside", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--most", type=int, default=200)
    args = parser.parse_args()
    model = load_bundle(args.model, engine="onnxruntime", threads=1)
    if not isinstance(model, Predictor) or model.scope is None:
        raise SystemExit(f"{args.model} has no gate")
    part = read_manifest(args.data).split(args.split)
    parts: dict[str, tuple[list[Path], list[Hashable]]] = {}
    keys: list[Hashable] = list(part.group_keys())
    for label in dict.fromkeys(row.label or "" for row in part.rows):
        rows = [row for row, one in enumerate(part.rows) if one.label == label]
        parts[label] = ([part.file(part.rows[row]) for row in rows], [keys[row] for row in rows])
    for word in args.outside:
        name, _, path = word.partition("=")
        parts[name] = outside_files(Path(path), args.split != "val")
    print("| pictures of | kept (its own) or refused | n |\n|---|---|---|")
    every: list[bool] = []
    groups: list[Hashable] = []
    for label, whole in parts.items():
        files, keys = drawn(*whole, args.most)
        answers = strange(model, files)
        kept = [row for row, one in enumerate(answers) if one is not None]
        right = [answers[row] != (label == args.own) for row in kept]
        if label != args.own:
            every += right
            groups += [(label, keys[row]) for row in kept]
        print(f"| {label} | {told(right, [keys[row] for row in kept])} |", flush=True)
    print(f"| **all strangers refused** | {told(every, groups)} |")


if __name__ == "__main__":
    main()
