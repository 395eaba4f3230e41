"""What a network costs: parameters, multiplications, and the machine its times were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnvision.export.reference import frozen_copy
from vnvision.spec import PreprocessSpec

if TYPE_CHECKING:
    import torch

_CPUINFO = Path("/proc/cpuinfo")


def network_cost(module: torch.nn.Module, spec: PreprocessSpec) -> dict[str, int]:
    """Parameters, and multiply-accumulates of one picture at the model's size.

    Convolutions and matrix products are counted, two operations each, by torch's own counter; the rest of a
    network is small beside them. A network that the counter cannot run has no ``macs``.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    net = frozen_copy(module)
    found = {"parameters": sum(one.numel() for one in net.parameters())}
    picture = torch.zeros(1, spec.channels, *spec.size_px)
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            net(picture)
    except (RuntimeError, NotImplementedError):
        return found
    return found | {"macs": counter.get_total_flops() // 2}


def machine() -> dict[str, Any]:
    """Processor and cores that times were measured on; what the system does not tell is left out."""
    lines = _CPUINFO.read_text(encoding="utf-8").splitlines() if _CPUINFO.is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    processor = next(names, "") or platform.processor() or platform.machine()
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": processor, "cores": allowed}
