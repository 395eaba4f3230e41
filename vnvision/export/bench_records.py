"""What the benchmark of a bundle finds."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from vnvision.records import SCHEMA_VERSION, Metric, Sha256
from vnvision.spec import Record, TaskKind


class Latency(Record):
    """Times of one call in milliseconds; p50 and p95 are nearest ranks over all rounds.

    ``rounds_p50`` holds the median of each round: how far they lie apart is the noise of this machine.
    """

    p50: float
    p95: float
    mean: float
    n: int = Field(ge=1)
    rounds_p50: tuple[float, ...] = ()


class Throughput(Record):
    """Pictures a second: the median over rounds, with the least and the most of them.

    ``batch`` pictures a call, ``threads`` for a call, ``workers`` models of their own at once.
    """

    batch: int
    threads: int
    workers: int
    images_s: float
    low: float
    high: float


class Memory(Record):
    """Resident memory of the process in MiB, the largest of all rounds; None where the system does not tell.

    ``before``: with numpy and the pictures; ``loaded``: the model has run once; ``peak``: at most.
    """

    before: float | None
    loaded: float | None
    peak: float | None


class Energy(Record):
    """Joules an image and watts from the processor's own counters, all processes of the machine included.

    None, and ``not_readable`` says why, where they cannot be read.
    """

    joules_an_image: float | None = None
    watts: float | None = None
    watts_idle: float | None = None
    not_readable: str = ""


class BenchRow(Record):
    """One target. Without ``latency_ms`` it was not run, and ``reason`` says why.

    Attributes:
        differences: of each output: the largest difference to the right answers to the golden pictures, over
            how far those lie apart. Right is what the original answers, and for 8-bit targets what the file
            itself answered where its kit was written.
        from_original: the same to the original's answers, for 8-bit targets too.
        agrees: every one of ``differences`` is within ``tolerance``.
        accuracy: the headline of the evaluation, of the name ``BenchReport.accuracy_name``.
        metrics: everything that was evaluated.
    """

    target: str
    engine: str
    precision: str
    engine_version: str = ""
    size_bytes: int
    reason: str = ""
    latency_ms: Latency | None = None
    prepare_ms: float | None = None
    load_ms: float | None = None
    throughput: tuple[Throughput, ...] = ()
    memory_mb: Memory | None = None
    energy: Energy | None = None
    differences: dict[str, float] = Field(default={})
    from_original: dict[str, float] = Field(default={})
    tolerance: dict[str, float] = Field(default={})
    agrees: bool | None = None
    accuracy: Metric | None = None
    accuracy_reason: str = ""
    metrics: dict[str, Metric] = Field(default={})


class BenchReport(Record):
    """Every target of a bundle on one machine, measured in turn."""

    schema_version: int = SCHEMA_VERSION
    name: str
    kind: TaskKind
    size_px: tuple[int, int]
    synthetic: bool = False
    bundle_sha256: Sha256
    machine: dict[str, Any]
    threads: int
    repeats: int
    rounds: int
    n_golden: int
    rows: tuple[BenchRow, ...]
    accuracy_name: str | None = None
    split: str | None = None
    manifest_sha256: Sha256 | None = None

    @property
    def measured(self) -> tuple[BenchRow, ...]:
        """The rows that were run, the quickest first."""
        rows = [row for row in self.rows if row.latency_ms is not None]
        return tuple(sorted(rows, key=lambda row: row.latency_ms.p50 if row.latency_ms else 0.0))

    @property
    def skipped(self) -> tuple[BenchRow, ...]:
        """The rows that were not run."""
        return tuple(row for row in self.rows if row.latency_ms is None)
