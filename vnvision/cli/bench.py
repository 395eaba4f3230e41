"""``vnvision bench BUNDLE --target T --threads N --data MANIFEST --out DIR --json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from vnvision.export.bench_records import BenchReport, BenchRow


def bench(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    target: Annotated[list[str] | None, typer.Option(help="may be repeated; default: all targets")] = None,
    threads: Annotated[int | None, typer.Option(help="for one inference; default: all cores")] = None,
    repeats: Annotated[int, typer.Option(help="single inferences timed in each round")] = 100,
    rounds: Annotated[int, typer.Option(help="how often each target has its turn")] = 3,
    data: Annotated[Path | None, typer.Option(help="manifest to measure accuracy on")] = None,
    split: Annotated[str, typer.Option(help="rows of --data to measure on")] = "test",
    out: Annotated[Path | None, typer.Option(help="folder for bench.json and bench.html")] = None,
    language: Annotated[str, typer.Option(help="vi or en")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Measure speed, memory, size, energy and agreement of a bundle's targets, engines side by side."""
    from vnvision.cli.show import bar
    from vnvision.errors import ConfigError
    from vnvision.export.bench import bench_bundle

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    chosen: Literal["vi", "en"] = "vi" if language == "vi" else "en"
    with bar("measuring", quiet=as_json) as progress:
        report = bench_bundle(
            bundle, targets=target, threads=threads, repeats=repeats, rounds=rounds, data=data, split=split,
            out=out, language=chosen, progress=progress,
        )  # fmt: skip
    if as_json:
        print(report.to_json())
        return
    _show(report)
    if out is not None:
        print(f"report  {out / 'bench.html'}")


def _show(report: BenchReport) -> None:
    """One table a bundle, the quickest target first."""
    machine = report.machine
    chip = " ".join(filter(None, (machine.get("board"), machine.get("processor")))) or "unknown processor"
    print(
        f"{report.name}: {chip}, {report.threads} thread(s), {report.rounds} rounds of {report.repeats} runs"
    )
    head = ("target", "p50 ms", "p95 ms", "images/s", "batched", "peak MiB", "size MB", "agrees")
    accuracy = () if report.accuracy_name is None else (report.accuracy_name,)
    rows = [(*head, *accuracy), *(_cells(row, bool(accuracy)) for row in report.measured)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        name, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(["", name.strip().ljust(widths[0]), *rest]))
    for skipped in report.skipped:
        print(f"  {skipped.target}: not run: {skipped.reason}")
    unread = next((row.energy.not_readable for row in report.measured if row.energy), "")
    if unread:
        print(f"  energy: not readable ({unread})")


def _ms(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _cells(row: BenchRow, with_accuracy: bool) -> tuple[str, ...]:
    from vnvision.cli.show import figure

    latency, memory = row.latency_ms, row.memory_mb
    assert latency is not None
    peak = None if memory is None else memory.peak
    batched = next((rate.images_s for rate in row.throughput if rate.batch > 1), None)
    cells = (
        row.target, _ms(latency.p50), _ms(latency.p95), f"{row.throughput[0].images_s:.0f}",
        "-" if batched is None else f"{batched:.0f}", "not readable" if peak is None else f"{peak:.0f}",
        f"{row.size_bytes / 1e6:.2f}", "yes" if row.agrees else "NO",
    )  # fmt: skip
    if not with_accuracy:
        return cells
    return (
        *cells,
        figure(row.accuracy) if row.accuracy is not None else f"not measured ({row.accuracy_reason})",
    )
