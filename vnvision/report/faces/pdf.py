"""The face report as a PDF: both languages one after the other, fonts inside, the same bytes every time."""

from __future__ import annotations

import io
from importlib import resources
from typing import Any

from vnvision.errors import MissingExtraError
from vnvision.evaluate.faces.records import FaceReport
from vnvision.report.faces import view
from vnvision.report.faces.cards import cards
from vnvision.report.faces.headline import headline
from vnvision.report.faces.page import warnings
from vnvision.report.faces.pdf_blocks import WIDTH, Blocks
from vnvision.report.faces.pdf_drawing import BOLD, FONT, LINE, QUIET
from vnvision.report.faces.words import named, tell
from vnvision.report.phrases import LANGUAGES, Language, local

_PADDING = 6.0  # reportlab's frames keep it inside the margins
_MARGIN = 42.6


def render_pdf(report: FaceReport, language: Language) -> bytes:
    """The whole document.

    Args:
        report: what to show.
        language: comes first.

    Raises:
        MissingExtraError: reportlab is not installed.
    """
    try:
        from reportlab.lib.pagesizes import A4
        from reportlab.platypus import PageBreak, SimpleDocTemplate
    except ImportError as exc:
        raise MissingExtraError("reportlab", "eval") from exc

    register_fonts()
    order = [language, *(other for other in LANGUAGES if other != language)]
    name = report.name or local(tell("unnamed"), language)
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=_MARGIN - _PADDING,
        rightMargin=_MARGIN - _PADDING,
        topMargin=36,
        bottomMargin=44,
        title=f"{local(tell('title'), language)} · {name}",
        author="vnvision",
        lang=language,
        invariant=1,
    )
    story: list[Any] = []
    for code in order:
        story += [PageBreak()] if story else []
        story += _story(report, Blocks(code))
    document.build(story, onFirstPage=_footer, onLaterPages=_footer)
    return stream.getvalue()


def register_fonts() -> None:
    """Make Roboto known to reportlab; doing so twice is fine."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = resources.files("vnvision.report") / "fonts"
    for name, file in ((FONT, "Roboto-Regular.ttf"), (BOLD, "Roboto-Bold.ttf")):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, io.BytesIO((folder / file).read_bytes())))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def _footer(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFont(FONT, 8)
    canvas.setFillColor(QUIET)
    canvas.drawString(_MARGIN, 26, "vnvision")
    canvas.drawRightString(_MARGIN + WIDTH, 26, str(document.page))
    canvas.restoreState()


def _story(report: FaceReport, write: Blocks) -> list[Any]:
    """Everything in reading order."""
    out = _hero(report, write)
    said = warnings(report)
    if said:
        out.append(_box([write.paragraph(tell("warnings"), "h3"), *write.items(said)]))
    for card in cards(report):
        out += _card(card, write)
    out.append(write.paragraph(tell("made_by"), "small"))
    return out


def _hero(report: FaceReport, write: Blocks) -> list[Any]:
    from reportlab.platypus import Spacer, Table

    head = headline(report)
    big = [write.paragraph(head.big, "big", head.tone), write.paragraph(head.big_name, "text")]
    big += [write.paragraph(head.big_small, "small")] if head.big_small != "" else []
    left = [
        write.paragraph(named("protocol", report.protocol), "kind"),
        write.paragraph(report.name or tell("unnamed"), "name"),
        *(write.paragraph(lead, "lead") for lead in head.leads),
    ]
    top = Table([[left, big]], colWidths=[WIDTH * 0.64, WIDTH * 0.36])
    top.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, 0), 0)])
    tiles = view.tiles(report)
    row = [[write.paragraph(name, "small"), write.paragraph(value, "h3")] for name, value in tiles]
    tile = Table([row], colWidths=[WIDTH / len(tiles)] * len(tiles))
    tile.setStyle(
        [
            ("LINEABOVE", (0, 0), (-1, 0), 0.8, LINE),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
    )
    return [write.paragraph(tell("title"), "small"), top, Spacer(1, 6), tile, Spacer(1, 4)]


def _box(content: list[Any]) -> Any:
    """A coloured box; a row a paragraph, so that it can go on on the next page."""
    from reportlab.platypus import Table

    table = Table([[[one]] for one in content], colWidths=[WIDTH])
    table.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), "#fdf1d8"),
            ("BOX", (0, 0), (-1, -1), 0.8, "#e3b65a"),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -2), 1),
            ("BOTTOMPADDING", (0, -1), (-1, -1), 7),
        ]
    )
    return table


def _card(card: view.Card, write: Blocks) -> list[Any]:
    from reportlab.platypus import CondPageBreak, KeepTogether, Paragraph

    head = [write.paragraph(card.title, "h2")]
    head += [write.paragraph(card.about, "about")] if card.about != "" else []
    blocks = [write.block(block) for block in card.blocks]
    first = blocks[0] if blocks else []
    kept = next((i for i, flow in enumerate(first, 1) if not isinstance(flow, Paragraph)), len(first))
    rest = [KeepTogether(block) for block in blocks[1:]]
    return [CondPageBreak(90), KeepTogether([*head, *first[:kept]]), *first[kept:], *rest]
