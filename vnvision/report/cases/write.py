"""Cases and batches to files, each whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.report.cases.batch import Batch, Unread, batch_of
from vnvision.report.cases.page import day, render, render_case
from vnvision.report.cases.pdf_batch import render_batch_pdf
from vnvision.report.cases.pdf_case import render_case_pdf
from vnvision.report.cases.records import Case
from vnvision.report.cases.table import table
from vnvision.report.cases.texts import say
from vnvision.report.cases.wording import plain

CaseFormat = Literal["html", "pdf"]
BatchFormat = Literal["html", "pdf", "csv"]
_UNSAFE = set('/\\:*?"<>|')


def write_case(
    case: Case, out: str | Path, *, formats: Sequence[CaseFormat] = ("html", "pdf"), name: str = "case"
) -> list[Path]:
    """Write ``case.html`` and ``case.pdf`` into a folder.

    The page has no script and asks nothing of the network; the PDF is one sheet of A4 with its fonts inside.

    Args:
        case: what to show.
        out: made if absent.
        formats: which to write.
        name: of the files, without suffix.

    Returns:
        What was written, in that order.

    Raises:
        ConfigError: an unknown format or a name that no file may have.
        DataError: the folder cannot be written, or the fonts are missing.
        MissingExtraError: jinja2 or reportlab is not installed.
    """
    makers: dict[str, Callable[[], bytes]] = {
        "html": lambda: render_case(case).encode("utf-8"),
        "pdf": lambda: render_case_pdf(case),
    }
    return _write(makers, formats, Path(out), name)


def write_batch(
    cases: Iterable[Case | Unread],
    out: str | Path,
    *,
    formats: Sequence[BatchFormat] = ("html", "pdf", "csv"),
    title: str = "",
    name: str = "batch",
) -> list[Path]:
    """Write ``batch.html``, ``batch.pdf`` and ``batch.csv`` into a folder.

    Of each case a line and a thumbnail are kept, of the first thousand only; the CSV has every line.

    Args:
        cases: may be a generator, of any length.
        out: made if absent.
        formats: which to write.
        title: what the user calls the batch.
        name: of the files, without suffix.

    Returns:
        What was written, in that order.

    Raises:
        ConfigError: no case, cases of several models or languages, an unknown format or a wrong name.
        DataError: the folder cannot be written, or the fonts are missing.
        MissingExtraError: jinja2 or reportlab is not installed.
    """
    batch = batch_of(cases)
    shown = plain(title) or f"{batch.tiles[0].value} {say('pictures', batch.language).lower()}"
    makers: dict[str, Callable[[], bytes]] = {
        "html": lambda: _page(batch, shown).encode("utf-8"),
        "pdf": lambda: render_batch_pdf(batch, shown),
        "csv": lambda: table(batch),
    }
    return _write(makers, formats, Path(out), name)


def _page(batch: Batch, title: str) -> str:
    heading = f"{say('batch_title', batch.language)} · {title}"
    made = day(batch.made, batch.language)
    return render("batch.html", batch.language, page_title=heading, batch=batch, title=title, made=made)


def _write(
    makers: dict[str, Callable[[], bytes]], formats: Sequence[str], out: Path, name: str
) -> list[Path]:
    """Render everything first, so that a page that cannot be made leaves nothing behind."""
    if unknown := [one for one in formats if one not in makers]:
        raise ConfigError("unknown report format", expected=", ".join(makers), got=", ".join(unknown))
    if not name or name.startswith(".") or _UNSAFE & set(name):
        raise ConfigError("a report cannot have this name", expected="a plain file name", got=repr(name))
    made = [(out / f"{name}.{one}", makers[one]()) for one in dict.fromkeys(formats)]
    try:
        return [atomic.write_bytes(path, content) for path, content in made]
    except OSError as exc:
        raise DataError(
            f"cannot write the report to {out}",
            got=exc.strerror or str(exc),
            vietnamese=f"không ghi được báo cáo vào {out}",
        ) from exc
