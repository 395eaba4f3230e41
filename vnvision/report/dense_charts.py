"""Charts of masks, boxes and counts: scatters and curves on axes of their own, as inline SVG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from vnvision.records import Metric
from vnvision.report.charts import Chart
from vnvision.report.faces.axes import Scale, frame
from vnvision.report.faces.drawing import Dot, Drawing, svg
from vnvision.report.phrases import Html, Phrase, Quantity, phrase, show
from vnvision.spec import Label

Points = Sequence[tuple[float, float]]
_SIZE, _HEIGHT = 320.0, 316.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 54.0, 10.0, 310.0, 272.0
_COLOURS = 5
_TICKS = 5
_BEYOND = 0.04


def nice_ticks(low: float, high: float) -> list[float]:
    """Round values, 1, 2 or 5 times a power of ten apart, that reach from at or below to at or above."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(power * unit for unit in (1, 2, 5, 10) if span / (power * unit) <= _TICKS + 1e-9)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _padded(ticks: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis, a little beyond its ticks, so that a dot there hides no number."""
    beyond = _BEYOND * (ticks[-1] - ticks[0])
    return ticks[0] - beyond, ticks[-1] + beyond


def _canvas(
    title: Phrase, names: tuple[Phrase, Phrase], x_ticks: Sequence[float], y_ticks: Sequence[float]
) -> tuple[Drawing, Scale, Scale]:
    """A drawing with its axes, and the scales of x and y."""
    drawing = Drawing(_SIZE, _HEIGHT, title)
    x, y = Scale(*_padded(x_ticks), _LEFT, _RIGHT), Scale(*_padded(y_ticks), _BOTTOM, _TOP)
    said: list[list[tuple[float, Any]]] = [
        [(value, Quantity(value, "plain")) for value in ticks] for ticks in (x_ticks, y_ticks)
    ]
    frame(drawing, x, y, names, (said[0], said[1]))
    return drawing, x, y


def _dots(drawing: Drawing, x: Scale, y: Scale, points: Points) -> None:
    """Equal points are one dot whose area grows with their number."""
    for (at_x, at_y), count in Counter(points).items():
        drawing.add(Dot(x(at_x), y(at_y), min(2.4 + 1.4 * math.sqrt(count), 9.0), "dot"))


def severity_charts(points: Points, metrics: dict[str, Metric]) -> list[Chart]:
    """True against answered share, and their difference against their mean (Bland-Altman).

    Args:
        points: (true, answered) shares, 0 to 1.
        metrics: holds the bias and the limits of agreement, in percentage points.
    """
    percent = [(100 * true, 100 * said) for true, said in points]
    ticks = nice_ticks(0, max(max(pair) for pair in percent) or 1)
    title = phrase("severity_scatter")
    drawing, x, y = _canvas(title, (phrase("axis_true_share"), phrase("axis_said_share")), ticks, ticks)
    drawing.line(x(0), y(0), x(ticks[-1]), y(ticks[-1]), "guide")
    _dots(drawing, x, y, percent)
    out = [Chart(show(title), svg(drawing), show(phrase("severity_scatter_about")))]

    means = [((true + said) / 2, said - true) for true, said in percent]
    names = ("severity_loa_low", "severity_bias", "severity_loa_high")
    lines = [
        (name, found.value) for name in names if (found := metrics.get(name)) and found.value is not None
    ]
    heights = [off for _, off in means] + [value for _, value in lines] + [0.0]
    title = phrase("bland_altman")
    drawing, x, y = _canvas(
        title,
        (phrase("axis_mean_share"), phrase("axis_difference")),
        ticks,
        nice_ticks(min(heights), max(heights)),
    )
    _dots(drawing, x, y, means)
    for name, value in lines:
        drawing.line(x(ticks[0]), y(value), x(ticks[-1]), y(value), "level" if "bias" in name else "limit")
        above = -5 if "low" not in name else 13
        drawing.text(_RIGHT, y(value) + above, Quantity(value, "signed_tenth"), "tick strong", "end")
    return [*out, Chart(show(title), svg(drawing), show(phrase("bland_altman_about")))]


def size_chart(label: Label, points: Points) -> Chart:
    """Share of the picture that the true area takes up, against Dice."""
    title = phrase("dice_by_size", label=label)
    percent = [(100 * area, dice) for area, dice in points]
    names = (phrase("axis_area"), phrase("axis_dice"))
    x_ticks = nice_ticks(0, max(area for area, _ in percent))
    drawing, x, y = _canvas(title, names, x_ticks, [0, 0.2, 0.4, 0.6, 0.8, 1.0])
    _dots(drawing, x, y, percent)
    return Chart(show(title), svg(drawing), show(phrase("dice_by_size_about")))


def precision_recall_chart(curves: Sequence[tuple[Label, Points, float | None]]) -> Chart:
    """Precision against recall, a line a label, in percent.

    Args:
        curves: (label, points, AP50), the worst first; beyond the fifth they are drawn in grey.
    """
    ticks, title = [0.0, 20.0, 40.0, 60.0, 80.0, 100.0], phrase("pr")
    drawing, x, y = _canvas(title, (phrase("axis_recall"), phrase("axis_precision")), ticks, ticks)
    items: list[str] = []
    for i, (label, points, area) in reversed(list(enumerate(curves))):
        css = f"s{i}" if i < _COLOURS else "faint"
        drawing.path([(x(100 * recall), y(100 * precision)) for recall, precision in points], f"line {css}")
        value = "" if area is None else show(Quantity(area, "score"))
        if i < _COLOURS:
            items.insert(0, f'<li><i class="key {css}"></i>{show(label)} <b>{value}</b></li>')
    if len(curves) > _COLOURS:
        items.append(f'<li><i class="key faint"></i>{show(phrase("roc_others"))}</li>')
    legend = Html(f'<ul class="legend">{"".join(items)}</ul>')
    return Chart(show(title), svg(drawing), show(phrase("pr_about")), legend)


def count_chart(label: Label, points: Points) -> Chart:
    """True against answered count of one label."""
    title = phrase("count_scatter", label=label)
    ticks = [tick for tick in nice_ticks(0, max(max(pair) for pair in points) or 1) if tick == int(tick)]
    drawing, x, y = _canvas(title, (phrase("axis_true_count"), phrase("axis_said_count")), ticks, ticks)
    drawing.line(x(0), y(0), x(ticks[-1]), y(ticks[-1]), "guide")
    _dots(drawing, x, y, points)
    return Chart(show(title), svg(drawing), show(phrase("count_scatter_about")))
