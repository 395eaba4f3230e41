"""Tables, pictures, facts and sentences as flowables of reportlab, in one language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from vnvision.report.faces import view
from vnvision.report.faces.drawing import Drawing
from vnvision.report.faces.pdf_drawing import ACCENT, BOLD, FONT, INK, LINE, QUIET, SOFT, TONES, draw
from vnvision.report.phrases import Language, local

WIDTH = 510.0
"""Points between the margins of A4."""

_TALLEST = 600.0  # points a chart may take of a page
_FIRST = 1.4  # a table's first column is this much wider
_SIZE = 0.82  # points a px of a drawing


class Blocks:
    """Paragraphs and blocks of one language."""

    def __init__(self, language: Language) -> None:
        from reportlab.lib.styles import ParagraphStyle

        self.language = language
        base = ParagraphStyle("base", fontName=FONT, fontSize=9.5, leading=13, textColor=INK)
        self.styles = {
            "text": base,
            "small": ParagraphStyle("small", base, fontSize=8, leading=10.5, textColor=QUIET),
            "about": ParagraphStyle("about", base, fontSize=8.5, leading=11.5, textColor=QUIET, spaceAfter=5),
            "name": ParagraphStyle("name", base, fontName=BOLD, fontSize=19, leading=24, spaceAfter=4),
            "kind": ParagraphStyle("kind", base, fontName=BOLD, fontSize=9, textColor=ACCENT),
            "lead": ParagraphStyle("lead", base, fontSize=11, leading=15, spaceAfter=3),
            "h2": ParagraphStyle(
                "h2", base, fontName=BOLD, fontSize=13, leading=17, spaceBefore=12, spaceAfter=2
            ),
            "h3": ParagraphStyle(
                "h3", base, fontName=BOLD, fontSize=10, leading=13, spaceBefore=6, spaceAfter=2
            ),
            "big": ParagraphStyle("big", base, fontName=BOLD, fontSize=34, leading=38, textColor=ACCENT),
            "item": ParagraphStyle("item", base, fontSize=9, leading=12, leftIndent=9, bulletIndent=0),
        }

    def say(self, value: Any) -> str:
        """Any value as escaped text."""
        return escape(local(value, self.language))

    def paragraph(self, value: Any, style: str, tone: str = "") -> Any:
        """A paragraph, coloured by its tone."""
        from reportlab.platypus import Paragraph

        text = self.say(value)
        if tone in ("worse", "better"):
            text = f'<font color="{TONES[tone]}">{text}</font>'
        return Paragraph(text, self.styles[style])

    def items(self, values: Sequence[Any]) -> list[Any]:
        """Paragraphs with a bullet."""
        from reportlab.platypus import Paragraph

        return [Paragraph(self.say(value), self.styles["item"], bulletText="•") for value in values]

    def block(self, block: view.Block) -> list[Any]:
        """Any block of a card."""
        if isinstance(block, view.Table):
            return self._table(block)
        if isinstance(block, view.Facts):
            return self._facts(block)
        if isinstance(block, view.Sentences):
            return [self.paragraph(text, "text", tone) for text, tone in block.items]
        return self._pictures(block)

    def _pictures(self, block: Sequence[view.Picture]) -> list[Any]:
        from reportlab.platypus import Table

        wide = bool(block and block[0].wide)
        columns = 1 if wide else 2
        width = WIDTH if wide else WIDTH / 2 - 12
        parts = []
        for picture in block:
            head = [self.paragraph(picture.title, "h3")] if picture.title != "" else []
            shape = picture.drawing
            size = min(width, shape.width * _SIZE, _TALLEST * shape.width / shape.height)
            tail = [self.paragraph(picture.about, "small")] if picture.about != "" else []
            parts.append([*head, flowable(picture.drawing, self.language, size), *tail])
        if wide:
            return [flow for part in parts for flow in part]
        parts += [[]] * (len(parts) % columns)
        rows = [parts[i : i + columns] for i in range(0, len(parts), columns)]
        style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
        return [Table([row], colWidths=[WIDTH / columns] * columns, style=style) for row in rows]

    def _table(self, block: view.Table) -> list[Any]:
        from reportlab.platypus import Table

        rows: list[list[Any]] = [[self.paragraph(head, "small") for head in block.heads]]
        for row in block.rows:
            cells = []
            for cell in row:
                small = [self.paragraph(cell.small, "small")] if cell.small != "" else []
                cells.append([self.paragraph(cell.main, "text", cell.tone), *small])
            rows.append(cells)
        share = WIDTH / (len(block.heads) + _FIRST - 1)
        widths = [share * _FIRST, *[share] * (len(block.heads) - 1)]
        table = Table(rows, colWidths=widths, repeatRows=1)
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -2), 0.6, LINE),
                ("BACKGROUND", (0, 0), (-1, 0), SOFT),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
            ]
        )
        title = [self.paragraph(block.title, "h3")] if block.title != "" else []
        return [*title, table, *(self.paragraph(text, "small") for text in block.notes)]

    def _facts(self, block: view.Facts) -> list[Any]:
        from reportlab.platypus import Table

        if not block.items:
            return []
        rows = [[self.paragraph(name, "small"), self.paragraph(value, "text")] for name, value in block.items]
        table = Table(rows, colWidths=[WIDTH * 0.34, WIDTH * 0.66])
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ]
        )
        return [table]


def flowable(drawing: Drawing, language: Language, width: float) -> Any:
    """A drawing as a flowable of reportlab, ``width`` points wide."""
    from reportlab.platypus import Flowable

    class Chart(Flowable):  # type: ignore[misc]
        def wrap(self, *_: float) -> tuple[float, float]:
            return width, drawing.height * width / drawing.width

        def draw(self) -> None:
            draw(self.canv, drawing, language, width)

    return Chart()
