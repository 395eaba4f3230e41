"""A batch as a PDF: a summary with the first lines of the list, and as many pages as the rest needs."""

from __future__ import annotations

import io
from typing import Any

from vnvision.report.cases.batch import Batch, Entry
from vnvision.report.cases.page import day
from vnvision.report.cases.pdf_case import BOTTOM, MARGIN, TOP, head
from vnvision.report.cases.pdf_look import CAUTION_INK, WIDTH, ready
from vnvision.report.cases.pdf_parts import Parts
from vnvision.report.cases.texts import say
from vnvision.report.faces.pdf_drawing import FONT, LINE, QUIET, SOFT

_THUMBNAIL, _CHUNK = 34.0, 40


def render_batch_pdf(batch: Batch, title: str) -> bytes:
    """The document.

    Raises:
        MissingExtraError: reportlab is not installed.
        DataError: the fonts are missing.
    """
    ready()
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=MARGIN - 6,  # frames keep six points inside their margins
        rightMargin=MARGIN - 6,
        topMargin=TOP - 6,
        bottomMargin=BOTTOM,
        title=f"{say('batch_title', batch.language)} · {title}",
        author="vnvision",
        creator="vnvision",
        subject=batch.model.notice,
        lang=batch.language,
        invariant=1,
    )

    def foot(canvas: Any, page: Any) -> None:
        canvas.saveState()
        canvas.setFont(FONT, 7)
        canvas.setFillColor(QUIET)
        canvas.drawString(MARGIN, 18, f"{batch.model.notice} · {batch.model.name}")
        number = say("page", batch.language, page=page.page)
        canvas.drawRightString(MARGIN + WIDTH, 18, number)
        canvas.restoreState()

    document.build(_story(batch, title, Parts()), onFirstPage=foot, onLaterPages=foot)
    return stream.getvalue()


def _story(batch: Batch, title: str, parts: Parts) -> list[Any]:
    language = batch.language
    kind = f"{say('batch_title', language)} · {say(f'domain.{batch.model.domain}', language)}"
    made = day(batch.made, language)
    by = [
        f"{say('version', language)} {batch.model.version}",
        *([f"{say('made', language)}: {made}"] if made else []),
    ]
    out = [*head(parts, batch.model, kind, title, by), parts.gap(8), _tiles(batch, parts), parts.gap(8)]
    half = WIDTH / 2 - 12
    sides = []
    for heading, bars in ((batch.answers_title, batch.answers), (say("by_reason", language), batch.reasons)):
        shown = [parts.paragraph(heading, "h2"), parts.gap(2), *parts.bars(bars, half)] if bars else []
        sides.append(shown)
    sides.sort(key=lambda side: not side)
    out += [parts.columns(sides, [WIDTH / 2] * 2, []), parts.gap(6)] if any(sides) else []
    out += [parts.paragraph(note, "text") for note in batch.notes]
    out += [parts.paragraph(say("about_model", language), "h2"), parts.facts(batch.model.facts[1:])]
    out += [parts.paragraph(say("list", language), "h2"), parts.gap(2)]
    entries = batch.entries
    for start in range(0, len(entries), _CHUNK):  # a table of a thousand rows would be slow to split
        out.append(_list(entries[start : start + _CHUNK], parts))
    return out


def _tiles(batch: Batch, parts: Parts) -> Any:
    cells = [[parts.paragraph(one.name, "small"), parts.paragraph(one.value, "tile")] for one in batch.tiles]
    style: list[tuple[Any, ...]] = [("BACKGROUND", (0, 0), (-1, -1), SOFT)]
    style += [(f"{side}PADDING", (0, 0), (-1, -1), 7) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    style += [("LINEAFTER", (0, 0), (-2, -1), 3, "#ffffff")]
    return parts.columns(cells, [WIDTH / len(cells)] * len(cells), style)


def _list(entries: tuple[Entry, ...], parts: Parts) -> Any:
    from reportlab.platypus import Image, Table

    rows = []
    for entry in entries:
        ink = CAUTION_INK if entry.unsure else None
        small = [parts.paragraph(entry.small, "small")] if entry.small else []
        picture: Any = ""
        if entry.thumbnail is not None:
            picture = Image(io.BytesIO(entry.thumbnail), _THUMBNAIL, _THUMBNAIL, kind="proportional")
        answer = [parts.paragraph(entry.big, "text", ink=ink), *small]
        rows.append([picture, parts.paragraph(entry.reference, "text"), answer])
    table = Table(rows, colWidths=[_THUMBNAIL + 12, WIDTH * 0.3, WIDTH * 0.7 - _THUMBNAIL - 12])
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("LINEABOVE", (0, 0), (-1, -1), 0.5, LINE),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ]
    )
    return table
