"""What a training run drew, where the processor's own counters tell."""

from __future__ import annotations

import threading
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_EVERY_S = 60.0


class EnergyMeter:
    """Joules of all processor packages (RAPL) since it was made; every process of the machine counts.

    The counters begin again after minutes of full load, so a thread reads them once a minute.

    Args:
        root: where the kernel shows them.
        every_s: seconds between readings.
    """

    def __init__(self, root: Path = POWERCAP, every_s: float = _EVERY_S) -> None:
        self._counters = _packages(root)
        self._last = [_read(folder) for folder, _ in self._counters]
        self._total_uj, self._lock, self._stop = 0, threading.Lock(), threading.Event()
        self._lost = False
        if self._counters:
            threading.Thread(target=self._watch, args=(every_s,), daemon=True).start()

    def _watch(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            self._add()

    def _add(self) -> None:
        with self._lock:
            try:
                now = [_read(folder) for folder, _ in self._counters]
            except (OSError, ValueError):
                self._lost = True
                return
            spent = zip(now, self._last, self._counters, strict=True)
            self._total_uj += sum((new - old) % limit for new, old, (_, limit) in spent)
            self._last = now

    def stop(self) -> float | None:
        """Joules until now; None where nothing tells, or a reading failed."""
        self._stop.set()
        if not self._counters:
            return None
        self._add()
        return None if self._lost else self._total_uj / 1e6


def _packages(root: Path) -> list[tuple[Path, int]]:
    """The counter of each processor package and where it begins again, in microjoules.

    A package may be shown twice under one name, by its registers and memory-mapped: the first is taken.
    """
    found: dict[str, tuple[Path, int]] = {}
    for folder in sorted(root.glob("*:*"), key=lambda folder: ("mmio" in folder.name, folder.name)):
        try:
            name = (folder / "name").read_text().strip()
            if name.startswith("package") and name not in found:
                limit = int((folder / "max_energy_range_uj").read_text())
                _read(folder)
                found[name] = folder, limit
        except (OSError, ValueError):  # only root may read them
            continue
    return list(found.values())


def _read(folder: Path) -> int:
    return int((folder / "energy_uj").read_text())
