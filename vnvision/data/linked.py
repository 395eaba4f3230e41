"""A manifest of its own beside pictures that stay where they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from vnvision.errors import DataError


def stays_inside(root: Path, path: str) -> bool:
    """Whether a row's path, links followed, stays in the root, or in the folder that its first part links to.

    A linked folder at the top of the root is somebody's choice (``link_folders`` makes them); a link further
    down that leads elsewhere is not.
    """
    target, parts = (root / path).resolve(), Path(path).parts
    if target.is_relative_to(root.resolve()):
        return True
    return len(parts) > 1 and target.is_relative_to((root / parts[0]).resolve())


def link_folders(source: str | Path, out: str | Path, names: Iterable[str]) -> None:
    """Make ``out/NAME`` show ``source/NAME`` for every name: a link, or a copy where links cannot be made.

    Raises:
        DataError: a folder is not there, or something else lies at its place in ``out``.
    """
    for name in names:
        there = Path(source).resolve() / name
        if not there.is_dir():
            raise DataError(f"{source} has no folder {name}")
        link_folder(there, Path(out) / name)


def link_folder(there: Path, here: Path) -> None:
    """Make one folder show another, as ``link_folders`` does.

    Raises:
        DataError: something else lies at its place.
    """
    there = there.resolve()
    if here.exists() or here.is_symlink():
        if here.resolve() != there:
            raise DataError(f"{here} is in the way", expected=f"nothing, or a link to {there}")
        return
    here.parent.mkdir(parents=True, exist_ok=True)
    try:
        here.symlink_to(there, target_is_directory=True)
    except OSError:  # Windows without the right to make links
        shutil.copytree(there, here)
