"""All training pictures of a run decoded once and kept on its device, as uint8."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import torch

from vnvision.errors import ConfigError
from vnvision.train.data import Pictures, in_order, make_loader

AUTO_SHARE, MOST_SHARE = 0.5, 0.9
"""Of the device's memory: what ``resident: auto`` takes at most, and ``resident: true``."""
_CHANNELS, _READ = 3, 256
_GIB = 1 << 30


def resident_bytes(n: int, size_px: int) -> int:
    """What n square RGB pictures take."""
    return n * size_px * size_px * _CHANNELS


def device_bytes(device: torch.device) -> int:
    """Memory of a device; on a CPU one process's share of what the machine or its container has."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if not hasattr(os, "sysconf"):
        return 8 * _GIB  # Windows: what a small laptop has
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no cgroups, or the word max
        machine = min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return machine // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def keeps_resident(wanted: Literal["auto", True, False], n: int, size_px: int, memory: int) -> bool:
    """Whether a run keeps its n pictures on a device with ``memory`` bytes.

    Raises:
        ConfigError: ``True`` where they cannot fit.
    """
    if wanted is False:
        return False
    size = resident_bytes(n, size_px)
    if wanted == "auto":
        return size <= AUTO_SHARE * memory
    if size > MOST_SHARE * memory:
        raise ConfigError(
            f"{n} pictures of {size_px} px do not fit on the device",
            expected=f"at most {MOST_SHARE * memory / _GIB:.1f} GiB",
            got=f"{size / _GIB:.1f} GiB",
            fix="use resident=false or auto",
        )
    return True


def load_resident(pictures: Pictures, *, workers: int, device: torch.device) -> torch.Tensor:
    """Decode every picture once, in order of rows.

    Args:
        pictures: with an augmenter that only brings them to size, or none.
        workers: processes that read.
        device: where they stay.

    Returns:
        (N, h, w, 3) uint8 on the device.

    Raises:
        ConfigError: no pictures, or the device's memory ran out.
    """
    store: torch.Tensor | None = None
    for rows, part, *_ in make_loader(pictures, in_order(len(pictures), _READ), workers=workers, table=None):
        if store is None:
            store = _allocate((len(pictures), *part.shape[1:]), device)
        store[int(rows[0]) : int(rows[-1]) + 1] = part.to(device, non_blocking=True)
    if store is None:
        raise ConfigError("nothing to keep resident", got="no pictures")
    return store


def _allocate(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    try:
        return torch.empty(shape, dtype=torch.uint8, device=device)
    except torch.OutOfMemoryError as exc:
        size = torch.Size(shape).numel() / _GIB
        raise ConfigError(
            "no memory left on the device for all pictures", got=f"{size:.1f} GiB", fix="use resident=false"
        ) from exc
