"""What C++ engines print, kept off the terminal: they write below Python, and there say why a file is bad."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import threading
from collections.abc import Callable, Iterator

STDOUT, STDERR = 1, 2
_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def said_aside(descriptor: int) -> Iterator[Callable[[], list[str]]]:
    """Keep what is written to a file descriptor meanwhile; gives a function for its lines so far.

    Whatever other threads print in these milliseconds goes the same way.

    Args:
        descriptor: ``STDOUT``, where ``--json`` goes, or ``STDERR``.
    """
    flush = ctypes.CDLL(None).fflush if os.name == "posix" else lambda _: None
    with _one_at_a_time, tempfile.TemporaryFile() as file:
        flush(None)
        before = os.dup(descriptor)
        os.dup2(file.fileno(), descriptor)

        def lines() -> list[str]:
            flush(None)
            file.seek(0)
            return file.read().decode("utf-8", "replace").strip().splitlines()

        try:
            yield lines
        finally:
            flush(None)
            os.dup2(before, descriptor)
            os.close(before)
