"""The page about one picture as a PDF: one sheet of A4, whatever there is to say."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from vnvision.hub import scale_legend
from vnvision.report.cases.page import day
from vnvision.report.cases.pdf_look import (
    CAUTION_BACK,
    CAUTION_INK,
    CAUTION_LINE,
    NOTE_BACK,
    NOTE_INK,
    NOTE_LINE,
    WIDTH,
    height_of,
    ready,
)
from vnvision.report.cases.pdf_parts import Parts
from vnvision.report.cases.pdf_verdict import narrow_box, verdict_box
from vnvision.report.cases.records import Case, Model, Picture, Said, Section
from vnvision.report.cases.texts import say
from vnvision.report.faces.pdf_drawing import ACCENT, FONT, INK, QUIET, SOFT

MARGIN, TOP, BOTTOM = 36.0, 30.0, 30.0
_TRIES = (
    (1.2, 280), (1.1, 260), (1.0, 250), (1.0, 210), (0.96, 190), (0.92, 180), (0.88, 165), (0.85, 150),
    (0.82, 135), (0.8, 120),
)  # fmt: skip
"""Size of the text and the tallest picture, in points, from the best look to the tightest."""


def render_case_pdf(case: Case) -> bytes:
    """The sheet.

    Text and pictures shrink until they fit; where the smallest readable size is not enough, statements are
    cut, and the sheet says that the html page has the rest.

    Raises:
        MissingExtraError: reportlab is not installed.
        DataError: the fonts are missing.
    """
    ready()
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Frame

    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4, invariant=1, lang=case.language)
    canvas.setTitle(f"{say('title', case.language)} · {case.reference}")
    canvas.setAuthor("vnvision")
    canvas.setCreator("vnvision")
    canvas.setSubject(case.model.notice)
    room = A4[1] - TOP - BOTTOM
    frame = Frame(MARGIN, BOTTOM, WIDTH, room, 0, 0, 0, 0)
    frame.addFromList(_fitting(case, room - 2), canvas)
    canvas.setFont(FONT, 7)
    canvas.setFillColor(QUIET)
    canvas.drawString(MARGIN, 18, say("made_by", case.language))
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _fitting(case: Case, room: float) -> list[Any]:
    """The best looking story that is no taller than ``room`` points: the ways get tighter one by one."""
    ways = [(case, size, tallest) for size, tallest in _TRIES]
    ways += [(_cut(case, most), *_TRIES[-1]) for most in (3, 2, 1)]
    bare = replace(case.advice, sections=(), sources=())
    ways.append((replace(case, advice=bare), 0.7, 90))
    low, high, best = 0, len(ways) - 1, None
    while low < high:
        middle = (low + high) // 2
        story = _story(ways[middle][0], Parts(ways[middle][1]), ways[middle][2])
        if height_of(story) <= room:
            high, best = middle, story
        else:
            low = middle + 1
    return best or _story(ways[low][0], Parts(ways[low][1]), ways[low][2])


def _cut(case: Case, most: int) -> Case:
    """The case with at most so many statements a section."""
    more = Said(say("cut", case.language))
    sections = tuple(
        one if len(one.said) <= most else Section(one.title, (*one.said[:most], more))
        for one in case.advice.sections
    )
    return replace(case, advice=replace(case.advice, sections=sections))


def _story(case: Case, parts: Parts, tallest: float) -> list[Any]:
    """Everything in reading order."""
    title = f"{say('title', case.language)} · {say(f'domain.{case.model.domain}', case.language)}"
    out = [*head(parts, case.model, title, case.reference, _by(case)), parts.gap(7)]
    if case.drawn is None:
        out.append(_beside(case, parts, tallest))
    else:
        out += [_pictures(case.drawn, case, parts, tallest), parts.gap(6), verdict_box(case, parts)]
    out += _advice(case, parts)
    if case.place:
        out += [parts.paragraph(say("place_and_time", case.language), "h2"), parts.facts(case.place)]
        out.append(parts.paragraph(say("place_note", case.language), "small"))
    out += [parts.paragraph(say("about_model", case.language), "h2"), parts.facts(case.model.facts[1:])]
    return [*out, *_foot(case, parts)]


def head(parts: Parts, model: Model, title: str, name: str, by: list[str]) -> list[Any]:
    """Title, model and the notices that every page begins with."""
    right = [parts.paragraph(text, "small", right=True) for text in by]
    right.insert(0, parts.paragraph(model.name, "h3", ink=INK, right=True))
    left = [parts.paragraph(title, "kind"), parts.paragraph(name, "name")]
    line = [("LINEBELOW", (0, 0), (-1, -1), 2, ACCENT), ("BOTTOMPADDING", (0, 0), (-1, -1), 5 * parts.size)]
    out = [
        parts.columns(
            [left, right], [WIDTH * 0.54, WIDTH * 0.46], [*line, ("VALIGN", (0, 0), (-1, -1), "BOTTOM")]
        )
    ]
    back, edge, ink = (SOFT, "#d4d6ce", INK)
    if model.domain == "clinic":
        back, edge, ink = CAUTION_BACK, CAUTION_LINE, CAUTION_INK
    out += [parts.gap(6), parts.box([parts.paragraph(model.notice, "notice", ink=ink)], back, edge)]
    for warning in model.warnings:
        text = parts.paragraph(warning, "text", ink=NOTE_INK)
        out += [parts.gap(4), parts.box([text], NOTE_BACK, NOTE_LINE, dashed=True)]
    return out


def _by(case: Case) -> list[str]:
    made = day(case.made, case.language)
    version = f"{say('version', case.language)} {case.model.version}"
    return [version, *([f"{say('made', case.language)}: {made}"] if made else [])]


def _pictures(shown: Picture, case: Case, parts: Parts, tallest: float) -> Any:
    """The picture, and the answer on it."""
    left = _picture(case.picture, parts, tallest)
    right = [*_picture(shown, parts, tallest), *parts.keys(case.keys)]
    return parts.columns([left, right], [WIDTH / 2] * 2, [("LEFTPADDING", (1, 0), (1, 0), 8)])


def _picture(picture: Picture, parts: Parts, tallest: float) -> list[Any]:
    shown = parts.picture(picture, WIDTH / 2 - 8, tallest)
    return [shown, parts.gap(3), parts.paragraph(picture.caption, "small")]


def _beside(case: Case, parts: Parts, tallest: float) -> Any:
    """The picture with the verdict beside it, where nothing is drawn over it."""
    half = WIDTH / 2
    sides = [
        _picture(case.picture, parts, tallest),
        [narrow_box(case, parts, half)],
    ]
    return parts.columns(sides, [half] * 2, [])


def _advice(case: Case, parts: Parts) -> list[Any]:
    """Sections in two columns of about equal height."""
    told = case.advice
    if not told.sections:
        return []
    blocks = [_section(section, parts) for section in told.sections]
    half = WIDTH / 2 - 10
    heights = [sum(flow.wrap(half, 10_000)[1] for flow in block) for block in blocks]
    cut = min(range(len(blocks) + 1), key=lambda i: max(sum(heights[:i]), sum(heights[i:])))
    sides = [[flow for block in part for flow in block] for part in (blocks[:cut], blocks[cut:])]
    out = [parts.paragraph(told.title, "h2")]
    out += [parts.paragraph(told.review, "small", ink=CAUTION_INK)] if told.review else []
    return [*out, parts.columns(sides, [WIDTH / 2] * 2, [("RIGHTPADDING", (0, 0), (-1, -1), 10)])]


def _section(section: Section, parts: Parts) -> list[Any]:
    out = [parts.paragraph(section.title, "h3")] if section.title else []
    for said in section.said:
        numbers = ",".join(map(str, said.sources))
        mark = f'<super size="{6.2 * parts.size:.1f}">{numbers}</super>' if numbers else ""
        out.append(parts.paragraph(parts.say(said.text) + mark, "text", markup=True))
    return out


def _foot(case: Case, parts: Parts) -> list[Any]:
    out: list[Any] = []
    if case.advice.sources:
        out.append(parts.paragraph(say("sources", case.language), "h2"))
        lines = [f"{index}. {source}" for index, source in enumerate(case.advice.sources, 1)]
        out += [parts.paragraph(line, "small") for line in lines]
    rest = [f"{say('scale', case.language)}: {scale_legend(case.language)}."] if case.verdict.words else []
    rest += [say("heat_limit", case.language)] if any(key.colour is None for key in case.keys) else []
    if rest:
        out += [parts.gap(4), *(parts.paragraph(line, "small") for line in rest)]
    return out
