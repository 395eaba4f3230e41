"""Join the experts' manifests into one whose label is the expert to ask.

python datasets/router/prepare.py mango=FOLDER/manifest.csv coffee=... --out OUT

Splits and groups stay as each manifest has them, so no picture that tests an expert teaches the router.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from vnvision.data.linked import link_folder
from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.data.prepare import mistakes_in_one_line, without_old
from vnvision.errors import ConfigError, DataError


def parsed(words: list[str]) -> dict[str, Path]:
    """``NAME=MANIFEST`` words.

    Raises:
        ConfigError: another form, a name twice, or fewer than two.
    """
    pairs = [word.partition("=") for word in words]
    wrong = [
        word for word, (name, _, path) in zip(words, pairs, strict=True) if not path or not NAME.match(name)
    ]
    if wrong:
        raise ConfigError(
            f"cannot read {' '.join(wrong)}", expected="NAME=MANIFEST, as in mango=mango/manifest.csv"
        )
    found = {name: Path(path) for name, _, path in pairs}
    if len(found) < max(2, len(words)):
        raise ConfigError(
            "the router needs two sets or more, each once", got=", ".join(name for name, _, _ in pairs)
        )
    return found


NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def joined(sets: dict[str, Path], out: Path) -> list[Row]:
    """Every set's rows, its pictures linked to ``out/NAME``.

    Raises:
        DataError: a manifest without splits, or one that cannot be read.
    """
    rows: list[Row] = []
    for name, path in sets.items():
        manifest = read_manifest(path)
        missing = {"train", "val"} - {row.split for row in manifest.rows}
        if missing:
            raise DataError(f"{path} has no rows of split {' and '.join(sorted(missing))}")
        link_folder(manifest.root, out / name)
        keys = manifest.group_keys()
        rows += [
            replace(
                row, path=f"{name}/{row.path}", label=name, labels=None, group_id=f"{name}/{key}", extra={}
            )
            for row, key in zip(manifest.rows, keys, strict=True)
        ]
    return rows


def main() -> None:
    """Read the arguments, write the manifest, say where it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=MANIFEST")
    parser.add_argument(
        "--out", type=Path, required=True, help="a new folder; pictures are linked, not copied"
    )
    args = parser.parse_args()
    with mistakes_in_one_line():
        sets = parsed(args.sets)
        path = without_old(args.out, sets.values())
        write_manifest(joined(sets, args.out), path)
    print(f"manifest  {path}")


if __name__ == "__main__":
    main()
