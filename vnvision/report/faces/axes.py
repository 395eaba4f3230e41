"""Frames of charts: a plot area, an axis each way, linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vnvision.report.faces.drawing import Drawing
from vnvision.report.faces.words import tell
from vnvision.report.phrases import Quantity


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to px: ``low`` at ``start``, ``high`` at ``end``; values beyond are clipped."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies, px."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def decades(self) -> list[float]:
        """Powers of ten from ``low`` to ``high``."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]


def decades_around(values: Iterable[float], most: float = math.inf) -> tuple[float, float]:
    """Powers of ten below the smallest and above the largest positive value; at least one decade."""
    positive = [value for value in values if value > 0]
    if not positive:
        return 1.0, 10.0
    low = 10.0 ** math.floor(math.log10(min(positive)) + 1e-9)
    high = min(most, 10.0 ** math.ceil(math.log10(max(positive)) - 1e-9))
    return (low, high) if high > low else (high / 10, high)


def percent(value: float) -> Any:
    """A share as percent with as few digits as it needs."""
    return tell("percent_of", value=Quantity(100 * value, "plain"))


def frame(
    drawing: Drawing,
    x: Scale,
    y: Scale,
    titles: tuple[Any, Any],
    ticks: tuple[Sequence[tuple[float, Any]], Sequence[tuple[float, Any]]],
) -> None:
    """Grid lines, tick labels and axis titles.

    Args:
        drawing: drawn into.
        x: from left to right.
        y: ``start`` is the bottom.
        titles: of the axes.
        ticks: (value, label) of each axis; an empty label draws the grid line only.
    """
    for value, label in ticks[0]:
        drawing.line(x(value), y.end, x(value), y.start, "grid")
        if label != "":
            drawing.text(x(value), y.start + 17, label, "tick", "mid")
    for value, label in ticks[1]:
        drawing.line(x.start, y(value), x.end, y(value), "grid")
        if label != "":
            drawing.text(x.start - 7, y(value) + 4, label, "tick", "end")
    drawing.text((x.start + x.end) / 2, y.start + 37, titles[0], "axis", "mid")
    drawing.text(13, (y.start + y.end) / 2, titles[1], "axis", "mid", turned=True)


def decade_ticks(scale: Scale) -> list[tuple[float, Any]]:
    """A tick a decade, as percent."""
    return [(value, percent(value)) for value in scale.decades()]


def even_ticks(low: float, high: float, parts: int = 4) -> list[tuple[float, Any]]:
    """Ticks at even distances, as percent."""
    values = [low + (high - low) * i / parts for i in range(parts + 1)]
    return [(value, percent(round(value, 6))) for value in values]
