"""The answer's box on the PDF page."""

from __future__ import annotations

from typing import Any

from vnvision.report.cases.pdf_look import CAUTION_BACK, CAUTION_INK, CAUTION_LINE, WIDTH
from vnvision.report.cases.pdf_parts import Parts
from vnvision.report.cases.records import Case
from vnvision.report.cases.texts import say
from vnvision.report.faces.pdf_drawing import ACCENT, INK, WRONG

_PAD = 8.0


def verdict_box(case: Case, parts: Parts) -> Any:
    """The verdict over the whole width, its bars on the right."""
    if not case.verdict.bars:
        return _box_of([_words(case, parts)], case, parts, [WIDTH])
    width = WIDTH * 0.44
    return _box_of([_words(case, parts), _bars(case, parts, width)], case, parts, [WIDTH - width, width])


def narrow_box(case: Case, parts: Parts, width: float) -> Any:
    """The verdict in a column, its bars below."""
    bars = [parts.gap(6), *_bars(case, parts, width)] if case.verdict.bars else []
    return _box_of([[*_words(case, parts), *bars]], case, parts, [width])


def _box_of(cells: list[Any], case: Case, parts: Parts, widths: list[float]) -> Any:
    unsure, pad = case.verdict.tone == "unsure", _PAD * parts.size
    style: list[tuple[Any, ...]] = [
        (f"{side}PADDING", (0, 0), (-1, -1), pad) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")
    ]
    edge = (CAUTION_LINE, None, (4, 3)) if unsure else (ACCENT,)
    style += [("BOX", (0, 0), (-1, -1), 1.6, *edge)]
    style += [("BACKGROUND", (0, 0), (-1, -1), CAUTION_BACK)] if unsure else []
    return parts.columns(cells, widths, style)


def _words(case: Case, parts: Parts) -> list[Any]:
    told, unsure = case.verdict, case.verdict.tone == "unsure"
    ink = CAUTION_INK if unsure else None
    out = [parts.paragraph(told.title, "small", ink=ink), parts.paragraph(told.big, "big", ink=ink)]
    out += [parts.paragraph(told.words, "words")] if told.words else []
    out += [parts.paragraph(line, "h3" if unsure else "text", ink=ink or INK) for line in told.lines]
    out += [parts.paragraph(line, "strong", ink=WRONG) for line in told.alerts]
    if told.steps:
        out += [parts.gap(4), parts.paragraph(say("next", case.language), "small", ink=ink)]
        out += [parts.paragraph(f"• {step}", "text", ink=ink) for step in told.steps]
    return out


def _bars(case: Case, parts: Parts, width: float) -> list[Any]:
    told, unsure = case.verdict, case.verdict.tone == "unsure"
    title = parts.paragraph(told.bars_title, "small", ink=CAUTION_INK if unsure else None)
    return [title, parts.gap(3), *parts.bars(told.bars, width - 2 * _PAD * parts.size, faint=unsure)]
