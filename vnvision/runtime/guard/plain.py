"""Files that are really files: opened once, bounded, and told apart from whatever takes their place later."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from vnvision.runtime.guard.refusal import UnfitError

MOST_BYTES = 8 << 30
"""Of one file, and of a bundle: more cannot be hashed in reasonable time."""


class Stamp(NamedTuple):
    """What a file or folder was when it was looked at.

    A file that was written to, or that another was put in the place of, has another stamp, also where it is
    put back: an ordinary program cannot set ``changed_ns`` (POSIX ``st_ctime``; on Windows that is the time
    of creation, and only the others tell).
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def stamp(path: Path) -> Stamp:
    """The stamp of what ``path`` leads to now. Raises OSError."""
    return _stamp(path.stat())


@contextmanager
def opened(path: Path, most: int = MOST_BYTES) -> Iterator[BufferedReader]:
    """Open a plain file for reading, without waiting for whoever writes into a pipe.

    Args:
        path: the file.
        most: bytes that it may hold.

    Raises:
        UnfitError: no plain file, or too large.
        OSError: it cannot be opened.
    """
    # Only the opened file can be asked what it is: a look at the path is over before it is opened.
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(os.open(path, flags), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UnfitError("is not a plain file")
        if found.st_size > most:
            raise UnfitError("is too large", expected=f"at most {most} bytes", got=str(found.st_size))
        yield stream


def read(path: Path, most: int) -> bytes:
    """The bytes of a plain file of at most ``most`` bytes. Raises UnfitError and OSError."""
    with opened(path, most) as stream:
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(size + 1)  # a reader allocates what it is asked for, not what is there
    if len(data) != size:
        raise UnfitError("changes while it is read")
    return data


def digest(path: Path) -> tuple[str, Stamp]:
    """Hex SHA-256 of a plain file, and what the file was meanwhile.

    Raises:
        UnfitError: no plain file, too large, or it changes while it is read.
        OSError: it cannot be read.
    """
    with opened(path) as stream:
        before = _stamp(os.fstat(stream.fileno()))
        found = hashlib.file_digest(stream, "sha256").hexdigest()
        if _stamp(os.fstat(stream.fileno())) != before:
            raise UnfitError("changes while it is read")
    return found, before


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
