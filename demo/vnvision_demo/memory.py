"""Have the C library give memory back: a server that holds large pictures now and then shrinks again."""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt(3), GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 1 << 20
_ARENAS = 2


def give_memory_back() -> bool:
    """Set up ``malloc`` so that freed pictures go back to the system; call it before threads start.

    glibc gives each of some forty threads a heap of its own, and after the first large block that is freed
    takes blocks of that size from these heaps, where one small survivor holds tens of megabytes. Here blocks
    from 1 MiB on are always mapped on their own, and the heaps are few.

    Returns:
        Whether it took effect: False outside glibc, where nothing was changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _LARGE_BYTES), (_M_ARENA_MAX, _ARENAS))
    return sum(mallopt(name, value) for name, value in wanted) == len(wanted)
