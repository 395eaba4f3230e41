"""Folders of class folders."""

from __future__ import annotations

import os
from pathlib import Path

from vnvision.data.importers.found import Found
from vnvision.data.rows import Row, split_name
from vnvision.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def scan(source: Path) -> Found:
    """Find the images of ``<class>/...`` or ``<split>/<class>/...``.

    The label is the name of the class folder; images may lie deeper in it. Hidden files and folders, and
    files of other kinds, are passed over; links to folders are not followed.

    Raises:
        DataError: no folder, images outside class folders, a class without images, or split folders
            beside class folders.
    """
    if not source.is_dir():
        raise DataError(f"{source} is no folder", expected="a folder of class folders")
    folders = _folders(source)
    splits = {folder: split_name(folder.name) for folder in folders}
    named = [folder.name for folder, split in splits.items() if split is not None]
    if named and len(named) < len(folders):
        others = [folder.name for folder in folders if folder.name not in named]
        raise DataError(
            f"{source} mixes split folders and others",
            expected="class folders only, or train, val and test only",
            got=f"{', '.join(named)} beside {', '.join(others[:5])}",
        )
    if named and len({splits[folder] for folder in folders}) < len(folders):
        raise DataError(f"{source} holds one split twice", got=", ".join(named))
    rows = [
        row
        for top, split in (splits.items() if named else [(source, None)])
        for row in _classes(top, source, split)
    ]
    return Found(tuple(rows), source)


def _classes(top: Path, source: Path, split: str | None) -> list[Row]:
    loose = [path.name for path in _images(top, deep=False)]
    if loose:
        raise DataError(
            f"{top} holds images outside class folders",
            expected="every image in the folder of its class",
            got=", ".join(loose[:3]),
        )
    rows = []
    for folder in _folders(top):
        images = _images(folder, deep=True)
        if not images:
            raise DataError(f"{folder} holds no images", expected=f"files ending in {', '.join(SUFFIXES)}")
        for path in images:
            rows.append(Row(0, path.relative_to(source).as_posix(), label=folder.name, split=split))
    if not rows:
        raise DataError(f"{top} holds no class folders", expected="one folder for each class")
    return rows


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path, *, deep: bool) -> list[Path]:
    found = []
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        found += [Path(top, name) for name in files if name.lower().endswith(SUFFIXES) and name[0] != "."]
    return sorted(found)
