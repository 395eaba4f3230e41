"""What the decoder process may use. Linux enforces all of it, macOS all but memory, Windows none."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

_STATM = Path("/proc/self/statm")


def _resource() -> Any:
    """The ``resource`` module, or None on Windows, which has none."""
    return importlib.import_module("resource") if sys.platform != "win32" else None


def address_space() -> int:
    """Bytes of address space that this process holds now; 0 where the system does not tell."""
    resource = _resource()
    if resource is None or not _STATM.exists():
        return 0
    pages = int(_STATM.read_text(encoding="ascii").split()[0])
    return pages * int(resource.getpagesize())


def apply(memory_bytes: int) -> list[str]:
    """Limit this process for good, and say what is limited.

    Args:
        memory_bytes: address space beyond what the process holds now, so that the number does not depend on
            how much the libraries take for themselves.

    Returns:
        Of ``core`` (no core dump), ``file_size`` (writes no file), ``memory`` and ``cpu`` (``allow_cpu``
        works) those that the system enforces.
    """
    resource = _resource()
    if resource is None:
        return []
    _lower(resource, resource.RLIMIT_CORE, 0)
    _lower(resource, resource.RLIMIT_FSIZE, 0)
    held = address_space()
    if sys.platform == "linux" and held:
        _lower(resource, resource.RLIMIT_AS, held + memory_bytes)
        return ["core", "cpu", "file_size", "memory"]
    return ["core", "cpu", "file_size"]


def allow_cpu(seconds: float) -> None:
    """Have the system kill this process (SIGXCPU) when it has computed for ``seconds`` more.

    The reader kills by the clock already. This is for a process whose reader is gone.
    """
    resource = _resource()
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time() + seconds) + 2  # whole seconds, and the reader is to be first
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


def _lower(resource: Any, which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
