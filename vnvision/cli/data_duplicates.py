"""``vnvision data duplicates FOLDER|MANIFEST --out CSV``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from vnvision.cli.show import bar


def duplicates(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|MANIFEST", help="folder of pictures, CSV or Parquet manifest")
    ],
    out: Annotated[Path | None, typer.Option(metavar="CSV", help="write the groups as a table")] = None,
    mirrored: Annotated[bool, typer.Option(help="turned and mirrored copies count")] = True,
    threads: Annotated[int | None, typer.Option(min=1, help="files read at once")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the groups as JSON")] = False,
) -> None:
    """Groups of near-duplicate pictures: one saved again, resized, brightened, cropped, turned or mirrored.

    Nothing is deleted. The exit code is 1 where there is a group, or a picture that cannot be read.
    """
    from vnvision.data.duplicates import find_duplicates, write_duplicates

    with bar("looking for near-duplicates", quiet=quiet or as_json) as progress:
        found = find_duplicates(source, mirrored=mirrored, threads=threads, progress=progress)
    written = None if out is None else write_duplicates(found, out)
    for path, why in found.unreadable:
        print(f"{path}: {why}", file=sys.stderr)
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        for number, group in enumerate(found.groups, 1):
            print(f"{number}: " + "  ".join(f"{one.path}{' (same bytes)' * one.identical}" for one in group))
        copies = sum(len(group) - 1 for group in found.groups)
        print(
            f"{source}: {found.n} pictures, {len(found.groups)} groups, {copies} that are copies of another"
        )
        if written is not None:
            print(f"table  {written}")
    if found.groups or found.unreadable:
        raise typer.Exit(1)
