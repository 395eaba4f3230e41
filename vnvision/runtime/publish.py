"""A folder that is whole or absent: built beside its place, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vnvision import atomic
from vnvision.errors import ExportError


def check_free(out: Path, *, overwrite: bool) -> None:
    """Raise ExportError unless a bundle may be put at ``out``.

    Only a bundle (a folder with ``manifest.json``) is ever overwritten, so that a mistyped path does not
    cost a folder of something else.
    """
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise ExportError(f"{out} is not a folder", fix="choose another place for the bundle")
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise ExportError(
            f"{out} is not empty", fix="choose another folder, or overwrite it (overwrite=True)"
        )
    if not (out / "manifest.json").is_file():
        raise ExportError(
            f"{out} is not a bundle, so it is not overwritten",
            expected="a folder with manifest.json",
            fix="choose another folder",
        )


@contextlib.contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside ``out`` that takes its place when the block ends well, and else vanishes.

    What was at ``out`` stays until the new folder is whole and on disk; if the last rename fails, it is put
    back.

    Raises:
        ExportError: ``out`` is taken, see ``check_free``.
    """
    check_free(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp"))
    try:
        yield folder
        folder.chmod(0o755)
        _sync(folder)
        check_free(out, overwrite=overwrite)  # somebody else may have written there meanwhile
        put_in_place(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(folder: Path, out: Path) -> None:
    """Rename a whole folder to ``out``; what was there stays until it is, and is put back if it fails."""
    if not out.exists():
        folder.rename(out)
    else:
        old = folder.with_suffix(".old")
        out.rename(old)
        try:
            folder.rename(out)
        except BaseException:
            if not out.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    atomic.sync_folder(out.parent)


def _sync(folder: Path) -> None:
    """Flush every file and folder under ``folder`` to disk."""
    for item in sorted(folder.rglob("*"), reverse=True):
        if item.is_dir():
            atomic.sync_folder(item)
        else:
            with item.open("rb+") as stream:
                os.fsync(stream.fileno())
    atomic.sync_folder(folder)
