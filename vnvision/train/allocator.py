"""Let the C library keep freed memory between training steps."""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt(3), GNU C library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 64 << 20


def keep_freed_memory() -> bool:
    """Have ``malloc`` reuse freed blocks instead of handing them back to the system.

    glibc maps every block above 32 MiB anew and unmaps it when freed, so that each activation of each step
    begins with the kernel clearing its pages. At 224 pixels and batch 32 that was half to two thirds of a
    training step (``training/LOG.md``). Afterwards the process keeps its peak until it ends, which is what
    a training process needs anyhow. Nothing computed changes.

    Returns:
        Whether it took effect: False outside glibc, where nothing was changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # A trim threshold of -1 means never; the pad has the heap grow in few, large steps.
    wanted = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD_BYTES))
    return sum(mallopt(name, value) for name, value in wanted) == len(wanted)
