"""The server's folder of what browsers sent: gone when it stops, or at the next start if it was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import weakref
from pathlib import Path

PREFIX = "vnvision-demo-"
_LOCK = ".lock"


class Scratch:
    """A private folder that lives as long as this process.

    A lock, which the system lets go of however the process ends, tells it from one that was left behind.

    Attributes:
        path: the folder; no other user of the machine may look into it.
    """

    def __init__(self) -> None:
        remove_leftovers()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _locked(handle)
        self._end = weakref.finalize(self, _end, self.path, handle, os.getpid())

    def close(self) -> None:
        """Delete the folder; harmless a second time."""
        self._end()


def remove_leftovers() -> None:
    """Delete the folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_ours(folder) and _is_left(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def _end(folder: Path, handle: int, owner: int) -> None:
    os.close(handle)
    if os.getpid() == owner:  # not in a fork
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return folder.is_dir() and not folder.is_symlink() and (os.name == "nt" or found.st_uid == os.getuid())


def _is_left(lock: Path) -> bool:
    """Whether no process holds the lock; a folder without one is just being made."""
    handle = os.open(lock, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        return _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Take the lock, if nobody has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
