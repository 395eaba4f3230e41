"""Running the kit's own ``bench.py`` in processes of its own, and pooling what it says over rounds."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vnvision.errors import ExportError
from vnvision.export.bench_records import BenchRow, Energy, Latency, Memory, Throughput

SECONDS = 20.0
_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")
_LIMIT_S = 900.0
_CANNOT_RUN = 2


def run_rounds(
    kits: Mapping[str, Path],
    *,
    threads: int,
    repeats: int,
    rounds: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Measure every kit ``rounds`` times, each time in a new process, forwards and backwards in turn.

    So a machine that grows warm or busy slows all of them, and not the last one alone.

    Returns:
        What each target's runs said, and why those that cannot run do not.
    """
    found: dict[str, list[dict[str, Any]]] = {target: [] for target in kits}
    reasons: dict[str, str] = {}
    for index in range(rounds):
        order = list(kits) if index % 2 == 0 else list(kits)[::-1]
        for place, target in enumerate(order):
            if target not in reasons:
                said = run_once(kits[target], threads=threads, repeats=repeats)
                if isinstance(said, str):
                    reasons[target] = said
                else:
                    found[target].append(said)
            if progress is not None:
                progress(index * len(kits) + place + 1, rounds * len(kits))
    return {target: runs for target, runs in found.items() if target not in reasons}, reasons


def run_once(kit: Path, *, threads: int, repeats: int) -> dict[str, Any] | str:
    """One run of a kit's ``bench.py``: its JSON, or the line that says why it cannot run."""
    command = [sys.executable, "-E", "-s", "-B", str(kit / "bench.py"), "--json"]
    command += ["--threads", str(threads), "--repeat", str(repeats), "--seconds", str(SECONDS)]
    settings = {key: value for key, value in os.environ.items() if key not in _SETTINGS}
    settings |= {"OMP_NUM_THREADS": str(threads)}
    try:
        done = subprocess.run(
            command, cwd=kit, env=settings, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {_LIMIT_S:.0f} s"
    lines = done.stderr.strip().splitlines()
    if done.returncode == _CANNOT_RUN:
        said = [line.removeprefix("bench: ") for line in lines if line.startswith("bench: ")]
        return said[-1] if said else "no reason given"
    try:
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except (ValueError, IndexError) as exc:
        if done.returncode < 0:
            return f"the engine ended its process (signal {-done.returncode})"
        raise ExportError(
            f"the benchmark of {kit.name} failed", got=lines[-1] if lines else "nothing"
        ) from exc


def pooled(row: BenchRow, runs: Sequence[Mapping[str, Any]]) -> BenchRow:
    """A row with what its runs said."""
    times = sorted(time for run in runs for time in run["times_ms"])
    latency = Latency(
        p50=rank(times, 0.5),
        p95=rank(times, 0.95),
        mean=statistics.fmean(times),
        n=len(times),
        rounds_p50=tuple(run["latency_ms"]["p50"] for run in runs),
    )
    first = runs[0]
    outputs = first["differences"]
    return row.model_copy(update={
        "engine_version": first["machine"]["engine_version"],
        "latency_ms": latency,
        "prepare_ms": statistics.median(run["prepare_ms"]["p50"] for run in runs),
        "load_ms": statistics.median(run["load_ms"] for run in runs),
        "throughput": _throughput(runs),
        "memory_mb": Memory(**{key: _most(runs, key) for key in ("before", "loaded", "peak")}),
        "energy": _energy(runs),
        "differences": {name: max(run["differences"][name] for run in runs) for name in outputs},
        "from_original": {name: max(run["from_original"][name] for run in runs) for name in outputs},
        "tolerance": dict(first["tolerance"]),
        "agrees": all(run["agrees"] for run in runs),
    })  # fmt: skip


def rank(ordered: Sequence[float], part: float) -> float:
    """The nearest rank: the smallest value that at least ``part`` of all do not exceed."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def _throughput(runs: Sequence[Mapping[str, Any]]) -> tuple[Throughput, ...]:
    found = []
    for place, one in enumerate(runs[0]["throughput"]):
        rates = [run["throughput"][place]["images_s"] for run in runs]
        fields = {key: one[key] for key in ("batch", "threads", "workers")}
        found.append(Throughput(**fields, images_s=statistics.median(rates), low=min(rates), high=max(rates)))
    return tuple(found)


def _most(runs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    known = [run["memory_mb"][key] for run in runs if run["memory_mb"][key] is not None]
    return max(known) if known else None


def _energy(runs: Sequence[Mapping[str, Any]]) -> Energy:
    """The median round; not readable where one of them was not."""
    for run in runs:
        if "not_readable" in run["energy"]:
            return Energy(not_readable=run["energy"]["not_readable"])
    names = ("joules_an_image", "watts", "watts_idle")
    return Energy(**{name: statistics.median(run["energy"][name] for run in runs) for name in names})
