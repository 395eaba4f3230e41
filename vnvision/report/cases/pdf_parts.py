"""Paragraphs, bars, boxes and pictures of the PDF pages, at a size that lets a page be fitted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from vnvision.report.cases.drawn import HEAT_SCALE
from vnvision.report.cases.pdf_look import CAUTION_INK, IN_BOLD, INKS, SIZES, WIDTH, strip
from vnvision.report.cases.records import Bar, Fact, Key, Picture
from vnvision.report.faces.pdf_drawing import ACCENT, BOLD, FONT, INK, SOFT


class Parts:
    """Makers of flowables at one size; 1 is the size for reading at arm's length."""

    def __init__(self, size: float = 1.0) -> None:
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.pdfbase import pdfmetrics

        self.size = size
        self._known = pdfmetrics.getFont(FONT).face.charToGlyph
        self.styles = {
            name: ParagraphStyle(
                name,
                fontName=BOLD if name in IN_BOLD else FONT,
                fontSize=points * size,
                leading=leading * size,
                spaceBefore=before * size,
                textColor=INKS.get(name, INK),
                splitLongWords=1,
            )
            for name, (points, leading, before) in SIZES.items()
        }

    def say(self, text: str) -> str:
        """Escaped text; letters that the font lacks become question marks rather than empty boxes."""
        return escape("".join(letter if ord(letter) in self._known else "?" for letter in text))

    def paragraph(
        self, text: str, style: str, *, ink: str | None = None, right: bool = False, markup: bool = False
    ) -> Any:
        """One paragraph; ``markup`` for text that is escaped already."""
        from reportlab.lib.enums import TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        look = self.styles[style]
        if ink is not None or right:
            changed: dict[str, Any] = {"textColor": ink or look.textColor}
            changed |= {"alignment": TA_RIGHT} if right else {}
            look = ParagraphStyle(f"{style} changed", look, **changed)
        return Paragraph(text if markup else self.say(text), look)

    def columns(self, cells: Sequence[Any], widths: Sequence[float], style: Sequence[tuple[Any, ...]]) -> Any:
        """One row of cells without padding, but for what ``style`` adds."""
        from reportlab.platypus import Table

        table = Table([list(cells)], colWidths=list(widths))
        bare = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
        table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *bare, *style])
        return table

    def box(self, content: list[Any], back: str, line: str, *, dashed: bool = False) -> Any:
        """Paragraphs in a coloured box as wide as the page."""
        pad = 5 * self.size
        frame = ("BOX", (0, 0), (-1, -1), 1.2, line, None, (4, 3) if dashed else None)
        style: list[tuple[Any, ...]] = [frame, ("LEFTPADDING", (0, 0), (-1, -1), 2 * pad)]
        style += [("BACKGROUND", (0, 0), (-1, -1), back), ("RIGHTPADDING", (0, 0), (-1, -1), 2 * pad)]
        style += [("TOPPADDING", (0, 0), (-1, -1), 0.6 * pad), ("BOTTOMPADDING", (0, 0), (-1, -1), pad)]
        return self.columns([content], [WIDTH], style)

    def facts(self, facts: Sequence[Fact], style: str = "small") -> Any:
        """Names and values in two columns."""
        from reportlab.platypus import Table

        rows = [
            [self.paragraph(one.name, "small"), self.paragraph(one.value, style, ink=INK)] for one in facts
        ]
        table = Table(rows, colWidths=[WIDTH * 0.19, WIDTH * 0.81])
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 0.5 * self.size),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5 * self.size),
            ]
        )
        return table

    def bars(self, bars: Sequence[Bar], width: float, *, faint: bool = False) -> list[Any]:
        """Each bar under its name and number."""
        out: list[Any] = []
        for bar in bars:
            ink = CAUTION_INK if faint else None
            name, number = self.say(bar.name), self.say(bar.number)
            if bar.strong:
                name, number = (f'<font name="{BOLD}">{text}</font>' for text in (name, number))
            share = min(0.62, max(0.24, len(bar.number) / (len(bar.number) + len(bar.name) + 1)))
            head = self.columns(
                [
                    self.paragraph(name, "text", ink=ink, markup=True),
                    self.paragraph(number, "text", ink=ink, right=True, markup=True),
                ],
                [width * (1 - share), width * share],
                [("BOTTOMPADDING", (0, 0), (-1, -1), 1.5 * self.size)],
            )
            colour = ACCENT if bar.strong else "#9aa29e"
            out += [head, strip([(0.0, 1.0, SOFT), (0.0, bar.share, colour)], width, 5 * self.size)]
            out.append(self.gap(2.5))
        return out

    def keys(self, keys: Sequence[Key]) -> list[Any]:
        """A legend, an entry a line."""
        out = []
        for key in keys:
            if key.colour is not None:
                mark, wide = strip([(0.0, 1.0, key.colour)], 9 * self.size, 8 * self.size), 14 * self.size
            else:
                step, wide = 1 / len(HEAT_SCALE), 60 * self.size
                parts = [(i * step, step, colour) for i, colour in enumerate(HEAT_SCALE)]
                mark = strip(parts, 52 * self.size, 8 * self.size)
            out.append(
                self.columns(
                    [mark, self.paragraph(key.words, "small")],
                    [wide, WIDTH / 2 - wide - 12],
                    [("TOPPADDING", (0, 0), (0, 0), 1.2 * self.size)],
                )
            )
        return out

    def picture(self, picture: Picture, width: float, height: float) -> Any:
        """A picture within a box of points."""
        from reportlab.platypus import Image

        factor = min(width / picture.size_px[1], height / picture.size_px[0])
        size = picture.size_px[1] * factor, picture.size_px[0] * factor
        return Image(io.BytesIO(picture.jpeg), *size, hAlign="LEFT")

    def gap(self, points: float) -> Any:
        """Empty space."""
        from reportlab.platypus import Spacer

        return Spacer(1, points * self.size)
