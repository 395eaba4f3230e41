"""``bench``: every target of a bundle on this machine, side by side, by the script that runs on boards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np

from vnvision import runtime
from vnvision.data.manifest import Manifest, read_manifest
from vnvision.engines import ENGINES
from vnvision.errors import ConfigError, MissingExtraError, ModelError
from vnvision.evaluate import evaluate
from vnvision.evaluate.targets import DENSE, known_targets, known_truth
from vnvision.export.bench_page import write_bench_page
from vnvision.export.bench_records import BenchReport, BenchRow
from vnvision.export.bench_run import pooled, run_rounds
from vnvision.export.card_results import HEADLINES
from vnvision.export.kits import write_kit
from vnvision.records import BundleManifest, EvalReport, Metric
from vnvision.runtime.bundle import Bundle, open_bundle
from vnvision.runtime.target import size_bytes

REPEATS, ROUNDS = 100, 3

Progress = Callable[[int, int], None]


def bench_bundle(
    bundle_folder: str | Path,
    *,
    targets: Sequence[str] | None = None,
    threads: int | None = None,
    repeats: int = REPEATS,
    rounds: int = ROUNDS,
    data: str | Path | None = None,
    split: str = "test",
    out: str | Path | None = None,
    language: Literal["vi", "en"] = "en",
    progress: Progress | None = None,
) -> BenchReport:
    """Measure latency, throughput, memory, size, energy, agreement and accuracy of a bundle's targets.

    The deploy kit of each target is written to a temporary folder and its ``bench.py`` run there in a process
    of its own, so that memory is that of numpy and the engine alone, in ``rounds`` rounds over all targets. A
    target whose engine is not installed, or that runs on a board alone, stays in the report with the reason.

    Args:
        bundle_folder: a bundle; all of it is verified first.
        targets: some of its targets; default: all.
        threads: for one inference; default: all cores.
        repeats: single inferences timed in each round.
        rounds: how often each target has its turn.
        data: manifest to measure accuracy on, through ``vnvision.evaluate``, the same for every target.
        split: its rows.
        out: folder for ``bench.json`` and ``bench.html``; nothing is written without it.
        language: in which the page opens.
        progress: called with (runs done, runs in all).

    Raises:
        BundleError: the bundle is damaged.
        ConfigError: an unknown target, or a number below 1.
        ExportError: there is no kit for this bundle, see ``write_kit``; or a run failed.
        DataError: the manifest does not fit the model.
    """
    for name, value in (("threads", threads), ("repeats", repeats), ("rounds", rounds)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is wrong", expected="1 or more", got=str(value))
    bundle = open_bundle(bundle_folder)
    chosen = _chosen(bundle, targets)
    judges = None if data is None else _manifest(bundle, Path(data), split)
    threads = threads or _cores()
    with tempfile.TemporaryDirectory(prefix="vnvision-bench-") as scratch:
        kits = {target: write_kit(bundle.root, target, Path(scratch) / target) for target in chosen}
        runs, reasons = run_rounds(kits, threads=threads, repeats=repeats, rounds=rounds, progress=progress)
    rows = [
        pooled(_row(bundle, target), runs[target])
        if target in runs
        else _row(bundle, target).model_copy(update={"reason": reasons[target]})
        for target in chosen
    ]
    machine = next((dict(said[0]["machine"]) for said in runs.values()), {})
    machine.pop("engine_version", None)
    manifest = bundle.manifest
    report = BenchReport(
        name=manifest.name, kind=manifest.task.kind, size_px=manifest.task.preprocess.size_px,
        synthetic=manifest.synthetic, bundle_sha256=bundle.digest, machine=machine, threads=threads,
        repeats=repeats, rounds=rounds, n_golden=_golden_count(bundle), rows=tuple(rows),
    )  # fmt: skip
    if judges is not None:
        report = _judged(report, bundle, judges, split, threads)
    if out is not None:
        write_bench_page(report, out, language=language)
    return report


def _chosen(bundle: Bundle, targets: Sequence[str] | None) -> list[str]:
    there = bundle.manifest.targets
    names = list(there) if targets is None else list(dict.fromkeys(targets))
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        raise ConfigError(
            f"bundle {bundle.manifest.name} has no target {', '.join(map(repr, unknown)) or 'at all'}",
            expected=", ".join(there),
        )
    return names


def _manifest(bundle: Bundle, data: Path, split: str) -> Manifest:
    """The manifest, looked at before hours are spent on measuring."""
    task = bundle.manifest.task
    if task.kind == "embedding":
        fix = "vnvision face eval --data DATA --model BUNDLE"
        raise ConfigError("accuracy of embeddings has a verb of its own", fix=fix)
    manifest = read_manifest(data)
    check = known_truth if task.kind in DENSE else known_targets
    check(manifest.split(split), task)
    return manifest


def _row(bundle: Bundle, target: str) -> BenchRow:
    record = bundle.manifest.targets[target]
    size = size_bytes(bundle.root, record)
    return BenchRow(target=target, engine=record.engine, precision=record.precision, size_bytes=size)


def _golden_count(bundle: Bundle) -> int:
    with np.load(bundle.file(bundle.manifest.golden), allow_pickle=False) as golden:
        return len(golden["images"])


def _judged(report: BenchReport, bundle: Bundle, manifest: Manifest, split: str, threads: int) -> BenchReport:
    """The report with the accuracy of every target whose engine is here.

    A target is judged through the runtime, on the pictures that all the others see.
    """
    rows, name = [], None
    for row in report.rows:
        judged = _evaluated(bundle.root, bundle.manifest, row, manifest, split, threads)
        if isinstance(judged, str):
            rows.append(row.model_copy(update={"accuracy_reason": judged}))
            continue
        name, value = headline(judged)
        rows.append(row.model_copy(update={"accuracy": value, "metrics": dict(judged.metrics)}))
    known = {"accuracy_name": name, "split": split, "manifest_sha256": manifest.sha256}
    return report.model_copy(update={"rows": tuple(rows), **known})


def _evaluated(
    root: Path, about: BundleManifest, row: BenchRow, manifest: Manifest, split: str, threads: int
) -> EvalReport | str:
    """What the evaluation says of a target, or why there is none."""
    if row.latency_ms is None:
        return row.reason
    if row.engine not in ENGINES:
        return f"vnvision does not run {row.engine}"
    # ExecuTorch has one pool of threads for the process, of which others may hold a part.
    several = None if row.engine == "executorch" else threads
    try:
        with closing(runtime.load_bundle(root, target=row.target, threads=several)) as predictor:
            return evaluate(predictor, manifest, split, model={"name": about.name, "target": row.target})
    except (MissingExtraError, ModelError) as exc:
        return str(exc)


def headline(report: EvalReport) -> tuple[str, Metric]:
    """The one figure that stands for an evaluation in the table."""
    for name in (*HEADLINES, *report.metrics):
        metric = report.metrics.get(name)
        if metric is not None and metric.value is not None:
            return name, metric
    raise ConfigError("the evaluation measured nothing", fix="use a split with known labels")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
