"""The benchmark as a page and as JSON."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.export.bench_records import BenchReport, BenchRow, Throughput
from vnvision.export.bench_texts import UNREADABLE, tell
from vnvision.report import figures
from vnvision.report.environment import SHARED, page_environment
from vnvision.report.phrases import LANGUAGES, Html, Language, Quantity, known_or, show

_OWN = resources.files("vnvision.export") / "templates"


def write_bench_page(report: BenchReport, out: str | Path, *, language: Language = "en") -> Path:
    """Write ``bench.html`` and, last, ``bench.json`` into a folder, made if absent.

    Returns:
        The path of the page.

    Raises:
        ConfigError: an unknown language.
        DataError: the folder cannot be written.
        MissingExtraError: jinja2 is not installed.
    """
    if language not in LANGUAGES:
        raise ConfigError("unknown language", expected=" or ".join(LANGUAGES), got=str(language))
    page, folder = bench_page(report, language), Path(out)
    try:
        path = atomic.write_text(folder / "bench.html", page)
        report.save(folder / "bench.json")
    except OSError as exc:
        raise DataError(f"cannot write the benchmark to {folder}", got=exc.strerror or str(exc)) from exc
    return path


def bench_page(report: BenchReport, language: Language) -> str:
    """The whole page as HTML text, both languages in it."""
    environment = page_environment(_OWN)
    environment.globals.update(say=lambda key, **fields: show(tell(key, **fields)))
    rows = report.measured
    sure = [row for row in rows if row.agrees]
    slowest = max((row.latency_ms.p95 for row in rows if row.latency_ms), default=1.0)
    machine = report.machine
    chip = " ".join(filter(None, (machine.get("board"), machine.get("processor")))) or show(tell("unknown"))
    return str(environment.get_template("bench.html").render(
        language=language,
        page_title=f"{tell('title').text(language)} · {report.name}",
        style=Html((SHARED / "style.css").read_text("utf-8")),
        name=report.name,
        kind=show(tell("embedding") if report.kind == "embedding" else known_or("kind", report.kind)),
        size=f"{report.size_px[0]} x {report.size_px[1]}",
        lead=_lead(rows, sure),
        big=show(_ms(sure[0].latency_ms.p50)) if sure and sure[0].latency_ms else None,
        chip=chip,
        cores=show(tell("cores", n=machine.get("cores", 0), system=machine.get("system", ""))),
        threads=show(report.threads),
        rounds=show(tell("rounds_of", rounds=report.rounds, repeats=report.repeats)),
        rows=[_row(row, slowest, report) for row in rows],
        with_energy=any(row.energy and row.energy.joules_an_image is not None for row in rows),
        accuracy=None if report.accuracy_name is None else show(known_or("metric", report.accuracy_name)),
        skipped=report.skipped,
        notes=_notes(report),
    ))  # fmt: skip


def _lead(rows: tuple[BenchRow, ...], sure: list[BenchRow]) -> list[Html]:
    if not rows:
        return [show(tell("nothing"))]
    said = []
    if sure and (first := sure[0].latency_ms):
        said.append(show(tell("lead", target=sure[0].target, p50=_ms(first.p50), p95=_ms(first.p95))))
    wrong = [row.target for row in rows if not row.agrees]
    return said + ([show(tell("lead_wrong", targets=", ".join(wrong)))] if wrong else [])


def _row(row: BenchRow, slowest: float, report: BenchReport) -> dict[str, Any]:
    latency, memory, energy = row.latency_ms, row.memory_mb, row.energy
    assert latency is not None
    assert memory is not None
    medians = latency.rounds_p50 or (latency.p50,)
    worst = max(row.differences, key=lambda name: row.differences[name] / row.tolerance[name])
    joules = None if energy is None else energy.joules_an_image
    return {
        "target": row.target,
        "engine": f"{row.engine} {row.engine_version}, {row.precision}",
        "p50": show(_ms(latency.p50)),
        "share": f"{latency.p50 / slowest:.4f}",
        "p95": show(tell("p95", p95=_ms(latency.p95))),
        "rounds": show(tell("rounds_from", low=_ms(min(medians)), high=_ms(max(medians)))),
        "rates": [{"value": show(_rate(rate.images_s)), "how": _how(rate)} for rate in row.throughput],
        "peak": _mib(memory.peak),
        "memory": show(tell("memory", before=_mib(memory.before), loaded=_mib(memory.loaded))),
        "size": show(Quantity(row.size_bytes / 1e6, "short")),
        "energy": None if joules is None else show(Quantity(1e3 * joules, "tenth")),
        "agrees": row.agrees,
        "verdict": show(tell("agrees" if row.agrees else "differs")),
        "difference": show(tell("difference", gap=_small(row.from_original[worst]))),
        "limit": show(
            tell(
                "as_exported" if row.differences != row.from_original else "at_most",
                gap=_small(row.differences[worst]),
                limit=_small(row.tolerance[worst]),
            )
        ),
        "accuracy": None if row.accuracy is None else figures.figure(str(report.accuracy_name), row.accuracy),
        "no_accuracy": show(tell("no_accuracy", why=row.accuracy_reason)) if row.accuracy_reason else None,
    }


def _notes(report: BenchReport) -> list[Html]:
    rows = report.measured
    unread = next((row.energy.not_readable for row in rows if row.energy and row.energy.not_readable), "")
    notes = [tell("note_noise"), tell("note_memory"), tell("note_agreement", n=report.n_golden)]
    why = tell(UNREADABLE[unread]) if unread in UNREADABLE else unread
    notes.append(tell("note_energy", why=why) if unread else tell("note_energy_all"))
    if report.split is not None:
        notes.append(tell("note_accuracy", split=known_or("split", report.split)))
    if report.synthetic:
        notes.append(tell("synthetic"))
    return [show(note) for note in [*notes, tell("note_board")]]


def _how(rate: Throughput) -> Html:
    if rate.workers > 1:
        return show(tell("rate_workers", workers=rate.workers))
    return show(tell("rate", batch=rate.batch))


def _ms(value: float) -> Quantity:
    if value < 1:
        return Quantity(value, "score")
    return Quantity(value, "short" if value < 10 else "tenth" if value < 100 else "count")


def _rate(value: float) -> Quantity:
    return Quantity(value, "tenth" if value < 100 else "count")


def _small(value: float) -> str:
    """``2.6e−07``, with a minus that no line ends at."""
    return f"{value:.1e}".replace("-", "−")


def _mib(value: float | None) -> Html:
    return show(tell("unknown") if value is None else Quantity(value, "count"))
