"""What a machine tells of itself: memory, energy, processor. What it does not tell is never estimated."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path

import numpy as np

DISTRIBUTIONS = {"litert": "ai-edge-litert", "rknn": "rknn-toolkit-lite2", "mnn": "MNN"}
POWERCAP = "/sys/class/powercap"


def memory_mb(key="VmRSS"):
    """Memory of this process in MiB: ``VmRSS`` now, ``VmHWM`` at most; None where nothing tells."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return round(int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024, 1)
    except (OSError, StopIteration, ValueError):
        return None


class Energy:
    """The processor packages' own counters (RAPL), which count every process of the machine."""

    def __init__(self, root=POWERCAP):
        self.counters, self.why = [], "this machine has no energy counters"
        for folder in sorted(Path(root).glob("*:*")):
            try:
                if (folder / "name").read_text().startswith("package"):
                    self.read(folder)
                    self.counters.append(folder)
            except (OSError, ValueError):
                self.why = "the energy counters may only be read by root"

    @staticmethod
    def read(folder):
        """Microjoules now, and where the counter begins again."""
        return int((folder / "energy_uj").read_text()), int((folder / "max_energy_range_uj").read_text())

    def during(self, call):
        """Joules of all packages while ``call`` runs, and seconds."""
        before = [self.read(folder) for folder in self.counters]
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        after = [self.read(folder)[0] for folder in self.counters]
        spent = ((now - then) % limit for now, (then, limit) in zip(after, before, strict=True))
        return sum(spent) / 1e6, seconds


def machine(about):
    """What this was measured on."""
    names = [Path("/proc/device-tree/model"), Path("/proc/cpuinfo")]
    board = names[0].read_text().strip("\0\n") if names[0].is_file() else ""
    lines = names[1].read_text().splitlines() if names[1].is_file() else []
    chip = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    try:
        version = importlib.metadata.version(DISTRIBUTIONS.get(about["engine"], about["engine"]))
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return {"board": board, "processor": chip or platform.processor(), "cores": cores(),
            "system": f"{platform.system()} {platform.machine()}", "python": platform.python_version(),
            "numpy": np.__version__, "engine_version": version}  # fmt: skip


def cores():
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
