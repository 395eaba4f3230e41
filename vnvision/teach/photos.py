"""Which photographs there are, class by class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vnvision.data.importers.image_folder import SUFFIXES
from vnvision.errors import DataError
from vnvision.teach import faults

PICTURES = (*SUFFIXES, ".dcm")


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that is to teach a class.

    Attributes:
        path: where it lies.
        shown: what messages and the report call it.
        target: index of its class.
        group: the plant or patient it is of, where that is known.
    """

    path: Path
    shown: str
    target: int
    group: str | None = None


def found_in(folder: str | Path) -> dict[str, list[Path]]:
    """Photographs of a folder of class folders, by class, in the order of names; hidden ones are passed over.

    Raises:
        DataError: there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(
            f"{root} is no folder",
            expected="a folder that holds one folder a class",
            vietnamese=f"{root} không phải thư mục; cần một thư mục chứa mỗi lớp một thư mục con",
        )
    places = sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))
    return {one.name: _below(one) for one in places}


def listed(classes: Mapping[str, Sequence[str | Path]], *, by_folder: bool = False) -> list[Photo]:
    """The photographs of all classes, in order.

    Args:
        classes: files by class.
        by_folder: photographs of one folder inside the class's are of one plant or patient.

    Raises:
        TooFewClassesError, TooManyClassesError, TooManyPhotosError: see ``faults``.
        TooFewPhotosError: a class without any.
    """
    if len(classes) < faults.FEWEST_CLASSES:
        raise faults.few_classes(list(classes))
    if empty := [(name, 0, 0) for name, files in classes.items() if not files]:
        raise faults.few_photos(empty)
    if len(classes) > faults.MOST_CLASSES:
        raise faults.many_classes(len(classes))
    total = sum(len(files) for files in classes.values())
    if total > faults.MOST_PHOTOS:
        raise faults.many_photos(total)
    photos = []
    for target, (name, files) in enumerate(classes.items()):
        paths = [Path(one).absolute() for one in files]
        top = _common(paths)
        for path in paths:
            below = path.relative_to(top).as_posix() if path.is_relative_to(top) else path.name
            alone = not by_folder or path.parent == top
            group = None if alone else f"{target}\0{below.split('/')[0]}"
            photos.append(Photo(path, f"{name}/{below}", target, group))
    return photos


def _common(paths: Sequence[Path]) -> Path:
    """The folder that holds them all; the first one's where they lie on several drives."""
    try:
        return Path(os.path.commonpath([str(path.parent) for path in paths]))
    except ValueError:
        return paths[0].parent


def _below(folder: Path) -> list[Path]:
    found = []
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(top, name) for name in files if name.lower().endswith(PICTURES) and name[0] != "."]
    return sorted(found)
