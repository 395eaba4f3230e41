"""Drawings on a PDF page: the looks of the style sheet, in ink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vnvision.report.faces.drawing import Dot, Drawing, Line, Path, Rect, Shape, Text
from vnvision.report.phrases import Language, local

FONT, BOLD = "VnvisionRoboto", "VnvisionRoboto-Bold"
INK, QUIET, LINE, SOFT = "#111111", "#4a524e", "#d4d6ce", "#eeeeea"
ACCENT, WRONG = "#0b6b57", "#a8341f"
TONES = {"worse": WRONG, "better": ACCENT, "own": ACCENT, "like": QUIET}


@dataclass(frozen=True, slots=True)
class Look:
    """How a shape or a text is drawn. Colours are hex; None draws no line, or no filling."""

    stroke: str | None = None
    width: float = 1.0
    fill: str | None = None
    alpha: float = 1.0
    dash: tuple[float, ...] = ()
    size: float = 11.5
    bold: bool = False


LOOKS: dict[str, Look] = {
    "grid": Look(LINE),
    "guide": Look(QUIET, 1.0, dash=(4, 4)),
    "limit": Look(INK, 1.4, dash=(5, 4)),
    "line s0": Look(ACCENT, 2.2),
    "here": Look("#ffffff", 1.5, WRONG),
    "hill genuine": Look(ACCENT, 1.6, ACCENT, 0.28),
    "hill impostor": Look(WRONG, 1.6, WRONG, 0.22),
    "hill-name genuine": Look(fill=ACCENT, size=12.5, bold=True),
    "hill-name impostor": Look(fill=WRONG, size=12.5, bold=True),
    "tick": Look(fill=QUIET),
    "axis": Look(fill=INK, size=12.5),
    "mark": Look(fill=INK, bold=True),
    "row-name": Look(fill=INK, size=15, bold=True),
    "row-small": Look(fill=QUIET),
    "cell-back": Look(fill=SOFT),
    "cell": Look(fill="#c4542e"),
    "cell-none": Look(LINE, dash=(4, 4)),
    "cell-value": Look(fill=INK, size=17, bold=True),
    "cell-small": Look(fill=INK),
    "cell-head": Look(fill=INK, size=13, bold=True),
}
for _tone, _colour in TONES.items():
    LOOKS[f"whisker {_tone}"] = Look(_colour, 3)
    LOOKS[f"rate {_tone}"] = Look("#ffffff", 1.5, _colour)
    LOOKS[f"hollow {_tone}"] = Look(_colour, 2.2, "#ffffff")
    LOOKS[f"ratio {_tone}"] = Look(fill=_colour, size=17, bold=True)


def draw(canvas: Any, drawing: Drawing, language: Language, width: float) -> None:
    """Draw with the lower left corner at the canvas's origin.

    Args:
        canvas: of reportlab.
        drawing: what.
        language: of its texts.
        width: of the drawing on the page, points.
    """
    canvas.saveState()
    factor = width / drawing.width
    canvas.scale(factor, factor)
    for shape in drawing.shapes:
        canvas.saveState()
        _draw(canvas, shape, language, drawing.height)
        canvas.restoreState()
    canvas.restoreState()


def _draw(canvas: Any, shape: Shape, language: Language, height: float) -> None:
    look = LOOKS[shape.css]
    shade = shape.shade if isinstance(shape, Rect) else 1.0
    if look.stroke is not None:
        canvas.setStrokeColor(look.stroke)
        canvas.setLineWidth(look.width)
        canvas.setLineCap(1 if not look.dash else 0)
        canvas.setDash(list(look.dash))
    if look.fill is not None:
        canvas.setFillColor(look.fill)
        canvas.setFillAlpha(look.alpha * shade)
    marks = {"stroke": int(look.stroke is not None), "fill": int(look.fill is not None)}
    if isinstance(shape, Line):
        canvas.line(shape.x1, height - shape.y1, shape.x2, height - shape.y2)
    elif isinstance(shape, Dot):
        canvas.circle(shape.x, height - shape.y, shape.radius, **marks)
    elif isinstance(shape, Rect):
        canvas.roundRect(shape.x, height - shape.y - shape.height, shape.width, shape.height, 6, **marks)
    elif isinstance(shape, Path):
        _path(canvas, shape, height, marks)
    else:
        _text(canvas, shape, look, language, height)


def _path(canvas: Any, shape: Path, height: float, marks: dict[str, int]) -> None:
    path = canvas.beginPath()
    (x, y), *rest = shape.points
    path.moveTo(x, height - y)
    for x, y in rest:
        path.lineTo(x, height - y)
    if shape.closed:
        path.close()
    canvas.drawPath(path, **marks)


def _text(canvas: Any, shape: Text, look: Look, language: Language, height: float) -> None:
    canvas.setFont(BOLD if look.bold else FONT, look.size)
    canvas.translate(shape.x, height - shape.y)
    if shape.turned:
        canvas.rotate(90)
    write = {"start": canvas.drawString, "mid": canvas.drawCentredString, "end": canvas.drawRightString}
    write[shape.anchor](0, 0, local(shape.say, language))
