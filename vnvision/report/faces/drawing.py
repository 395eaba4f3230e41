"""Charts as a list of shapes, so that the page (SVG) and the PDF draw the same thing.

Coordinates are in px with y downwards. ``css`` names a look: classes of the style sheets for SVG, entries of
``LOOKS`` for the PDF. Texts are phrases, or anything ``local`` can say in a language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from vnvision.report.phrases import Html, both, local

Anchor = Literal["start", "mid", "end"]


@dataclass(frozen=True, slots=True)
class Line:
    """From one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float
    css: str


@dataclass(frozen=True, slots=True)
class Path:
    """A polyline; closed and filled where ``closed``."""

    points: tuple[tuple[float, float], ...]
    css: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Rect:
    """A box with round corners; ``shade`` 0..1 is its opacity."""

    x: float
    y: float
    width: float
    height: float
    css: str
    shade: float = 1.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A circle."""

    x: float
    y: float
    radius: float
    css: str


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``turned`` reads upwards."""

    x: float
    y: float
    say: Any
    css: str = "tick"
    anchor: Anchor = "start"
    turned: bool = False


Shape = Line | Path | Rect | Dot | Text


@dataclass(slots=True)
class Drawing:
    """A chart."""

    width: float
    height: float
    title: Any
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw over what is there."""
        self.shapes += shapes

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Draw one line."""
        self.add(Line(x1, y1, x2, y2, css))

    def text(
        self, x: float, y: float, say: Any, css: str = "tick", anchor: Anchor = "start", turned: bool = False
    ) -> None:
        """Write one line of text."""
        self.add(Text(x, y, say, css, anchor, turned))

    def path(self, points: Sequence[tuple[float, float]], css: str, closed: bool = False) -> None:
        """Draw a polyline."""
        self.add(Path(tuple(points), css, closed))


def svg(drawing: Drawing) -> Html:
    """The drawing as inline SVG with both languages."""
    label = escape(" / ".join(local(drawing.title, language) for language in ("vi", "en")))
    body = "".join(_svg(shape) for shape in drawing.shapes)
    return Html(
        f'<svg class="chart" viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" role="img" '
        f'aria-label="{label}">{body}</svg>'
    )


def _svg(shape: Shape) -> str:
    if isinstance(shape, Line):
        ends = f'x1="{shape.x1:.1f}" y1="{shape.y1:.1f}" x2="{shape.x2:.1f}" y2="{shape.y2:.1f}"'
        return f'<line class="{shape.css}" {ends}/>'
    if isinstance(shape, Path):
        points = "L".join(f"{x:.1f} {y:.1f}" for x, y in shape.points)
        return f'<path class="{shape.css}" d="M{points}{"Z" if shape.closed else ""}"/>'
    if isinstance(shape, Rect):
        box = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
        return f'<rect class="{shape.css}" {box} rx="6" fill-opacity="{shape.shade:.3f}"/>'
    if isinstance(shape, Dot):
        return f'<circle class="{shape.css}" cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:.1f}"/>'
    turn = f' transform="rotate(-90 {shape.x:.1f} {shape.y:.1f})"' if shape.turned else ""
    anchor = "" if shape.anchor == "start" else f" {shape.anchor}"
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" class="{shape.css}{anchor}"{turn}'
    return both(lambda language: local(shape.say, language), "text", place)
