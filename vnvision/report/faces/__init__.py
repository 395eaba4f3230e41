"""Face reports as a page, a PDF and a JSON file, in Vietnamese and English. No torch, no network."""

from __future__ import annotations

from pathlib import Path

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.faces.records import FaceReport
from vnvision.report.faces.page import render
from vnvision.report.faces.pdf import render_pdf
from vnvision.report.phrases import LANGUAGES, Language

__all__ = ["write_face_report"]


def write_face_report(
    report: FaceReport, out_dir: str | Path, *, language: Language = "en", pdf: bool = True
) -> Path:
    """Write ``report.html``, ``report.pdf`` and ``report.json`` into a folder.

    The page holds both languages and a switch between them; it has no script and asks nothing of the
    network. The PDF holds both, one after the other. Files are written whole, the JSON last.

    Args:
        report: what to show.
        out_dir: made if absent.
        language: shown first.
        pdf: write ``report.pdf`` as well.

    Returns:
        The path of ``report.html``.

    Raises:
        ConfigError: an unknown language.
        DataError: the folder cannot be written.
        MissingExtraError: jinja2 or reportlab is not installed.
    """
    if language not in LANGUAGES:
        raise ConfigError("language", expected=" or ".join(LANGUAGES), got=str(language))
    page = render(report, language)
    document = render_pdf(report, language) if pdf else None
    out = Path(out_dir)
    try:
        path = atomic.write_text(out / "report.html", page)
        if document is not None:
            atomic.write_bytes(out / "report.pdf", document)
        report.save(out / "report.json")
    except OSError as exc:
        raise DataError(f"cannot write the report to {out}", got=exc.strerror or str(exc)) from exc
    return path
