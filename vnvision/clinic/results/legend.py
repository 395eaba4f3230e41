"""The bands above and below the picture: what this is, what the model says, what the colours mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vnvision.clinic.results.context import Context
from vnvision.clinic.results.geometry import spacing_mm
from vnvision.clinic.results.lettering import Colour, font, wrap, write
from vnvision.clinic.results.overlay import heat_colours, label_colour
from vnvision.clinic.results.texts import RESEARCH, number, reason_text, text
from vnvision.records import ClassPrediction, DetectionPrediction

_INK: Colour = (240, 240, 236)
_QUIET: Colour = (178, 184, 180)
_WARNING: Colour = (255, 196, 84)
_GROUND: Colour = (18, 20, 19)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: its words, how they look, and the colour they explain."""

    words: str
    colour: Colour = _INK
    bold: bool = False
    swatch: Colour | None = None
    heat: bool = False


def banner(context: Context, width_px: int) -> np.ndarray:
    """The band above: research use, in every language's picture."""
    entries = [Entry(RESEARCH, _WARNING, bold=True), Entry(text("statement", context.language), _WARNING)]
    return _band(entries, width_px)


def legend(context: Context, width_px: int, *, heat: bool) -> np.ndarray:
    """The band below.

    Args:
        context: the answer.
        width_px: of the picture above it.
        heat: whether a heatmap is drawn.
    """
    language, model = context.language, context.model
    entries = _answer(context)
    if heat:
        assert isinstance(context.answer, ClassPrediction)
        seen = context.label(context.answer.top).text(language)
        entries.append(Entry(text("heat", language, label=seen), heat=True))
    answer = context.answer
    if not isinstance(answer, DetectionPrediction) and answer.severity is not None and not answer.abstained:
        entries.append(Entry(f"{text('severity', language)}: {number(100 * answer.severity, 1, language)}%"))
    entries.append(Entry(text("model", language, name=model.name, version=model.version), _QUIET))
    return _band(entries, width_px)


def _answer(context: Context) -> list[Entry]:
    answer, language = context.answer, context.language
    if answer.abstained:
        why = "; ".join(reason_text(code, language) for code in answer.reasons)
        return [Entry(text("unsure", language) + (f": {why}" if why else ""), _WARNING, bold=True)]
    if isinstance(answer, ClassPrediction):
        entries = _classes(context, answer)
    elif isinstance(answer, DetectionPrediction):
        labels = enumerate(context.task.labels)
        counted = [(index, label, answer.counts.get(label.id, 0)) for index, label in labels]
        entries = [
            Entry(f"{label.text(language)}: {number(count, 0, language)}", swatch=label_colour(index))
            for index, label, count in counted
            if count
        ]
    else:
        entries = []
    for region in context.regions:
        if region.area_px:
            words = f"{region.label.text(language)}, {text('area_word', language)} {_area(context, region)}"
            entries.append(Entry(words, swatch=label_colour(region.number - 1)))
    return entries or [Entry(text("nothing", language), bold=True)]


def _classes(context: Context, answer: ClassPrediction) -> list[Entry]:
    chances = dict(zip(answer.labels, answer.probabilities, strict=True))
    return [
        Entry(
            f"{label.text(context.language)}: {text('probability_word', context.language)} "
            f"{number(100 * chances[label.id], 1, context.language)}%",
            bold=True,
        )
        for label in context.present()
    ]


def _area(context: Context, region) -> str:  # type: ignore[no-untyped-def]
    spacing = spacing_mm(context.source, region.mask)
    if spacing is None:
        return f"{number(region.area_px, 0, context.language)} {text('pixels', context.language)}"
    return f"{number(region.area_px * spacing[0] * spacing[1], 1, context.language)} mm²"


def _band(entries: list[Entry], width_px: int) -> np.ndarray:
    """Lines of text on a dark ground, (h, width, 3) uint8."""
    size = max(14, width_px // 42)
    step, margin, mark = round(1.45 * size), size, round(1.6 * size)
    lines: list[tuple[Entry, str, bool]] = []
    for entry in entries:
        room = width_px - 2 * margin - (mark if entry.swatch or entry.heat else 0)
        face = font(size, bold=entry.bold)
        lines += [(entry, words, first == 0) for first, words in enumerate(wrap(entry.words, face, room))]
    picture = Image.new("RGB", (width_px, step * len(lines) + size), _GROUND)
    for row, (entry, words, first) in enumerate(lines):
        top = size // 2 + row * step
        left = margin
        if entry.swatch or entry.heat:
            if first:
                _mark(picture, (left, top, left + size, top + size), entry)
            left += mark
        write(picture, (left, top - size // 10), words, font(size, bold=entry.bold), entry.colour)
    return np.asarray(picture)


def _mark(picture: Image.Image, box: tuple[int, int, int, int], entry: Entry) -> None:
    if entry.swatch:
        ImageDraw.Draw(picture).rectangle(box, fill=entry.swatch)
        return
    side = box[2] - box[0] + 1
    ramp = heat_colours(np.tile(np.linspace(0, 1, side), (side, 1)))
    picture.paste(Image.fromarray(ramp), box[:2])
