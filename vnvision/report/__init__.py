"""Evaluation reports as one page that needs no network, in Vietnamese and English. No torch."""

from __future__ import annotations

from pathlib import Path

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.records import EvalReport
from vnvision.report.page import render
from vnvision.report.phrases import LANGUAGES, Language

__all__ = ["write_report"]


def write_report(
    report: EvalReport,
    out_dir: str | Path,
    *,
    image_root: str | Path | None = None,
    language: Language = "en",
) -> Path:
    """Write ``report.html`` and ``report.json`` into a folder.

    The page holds both languages and a switch between them; it has no script and asks nothing of the
    network. Both files are written whole, the JSON last.

    Args:
        report: what to show.
        out_dir: made if absent.
        image_root: folder that the mistakes' paths are relative to; without it, no pictures.
        language: shown first.

    Returns:
        The path of ``report.html``.

    Raises:
        ConfigError: an unknown language.
        DataError: the folder cannot be written.
        MissingExtraError: jinja2 is not installed.
    """
    if language not in LANGUAGES:
        raise ConfigError("language", expected=" or ".join(LANGUAGES), got=str(language))
    page = render(report, Path(image_root) if image_root is not None else None, language)
    out = Path(out_dir)
    try:
        path = atomic.write_text(out / "report.html", page)
        report.save(out / "report.json")
    except OSError as exc:
        raise DataError(f"cannot write the report to {out}", got=exc.strerror or str(exc)) from exc
    return path
