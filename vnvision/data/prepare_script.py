"""What the prepare scripts of sets with masks or boxes share: arguments, linked folder, manifest."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from vnvision.data.manifest import write_manifest
from vnvision.data.prepare import governed, mistakes_in_one_line, without_old
from vnvision.data.rows import Row


def run(
    purpose: str,
    source_toml: Path,
    *,
    from_manifest: Callable[[Path, Path], Sequence[Row]],
    from_download: Callable[[Path, Path, int], Sequence[Row]],
) -> None:
    """Read ``FOLDER --out OUT [--seed N]``, write ``OUT/manifest.csv``, say where it is.

    A mistake is one line on stderr and exit code 1; no manifest is left then.

    Args:
        purpose: one line for ``--help``.
        source_toml: of the data set.
        from_manifest: (folder, out) -> rows, for a folder that has a ``manifest.csv``.
        from_download: (folder, out, seed) -> rows, for the authors' own folder.
    """
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("source", type=Path)
    help_ = "a new folder; pictures are linked, not copied"
    parser.add_argument("--out", type=Path, required=True, help=help_)
    parser.add_argument("--seed", type=int, default=0, help="of the split, where the folder has none")
    args = parser.parse_args()
    with mistakes_in_one_line():
        ready = (args.source / "manifest.csv").is_file()
        path = without_old(args.out, [args.source / "manifest.csv"] if ready else [])
        if ready:
            rows = from_manifest(args.source, args.out)
        else:
            rows = from_download(args.source, args.out, args.seed)
        write_manifest(governed(rows, args.out, source_toml), path)
    print(f"manifest  {path}")
