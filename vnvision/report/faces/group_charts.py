"""The key picture: rates of each group with intervals against the reference line; and across groups."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vnvision.metrics.differential import DifferentialReport, GroupRates
from vnvision.records import Metric
from vnvision.report.faces.axes import Scale, decades_around
from vnvision.report.faces.drawing import Dot, Drawing, Line, Rect
from vnvision.report.faces.words import Significant, named, tell
from vnvision.report.phrases import Quantity

_WIDTH, _ROW = 540.0, 46.0
_LEFT, _RIGHT, _TOP = 150.0, 466.0, 16.0


def sorted_groups(report: DifferentialReport) -> list[GroupRates]:
    """The worst FMR first; groups without one last."""
    return sorted(report.groups, key=lambda row: (row.fmr.value is None, -(row.fmr.value or 0), row.group))


def tone(ratio: Metric | None) -> str:
    """``worse`` or ``better`` where the interval of the ratio excludes 1, ``own`` for the reference."""
    if ratio is None:
        return "own"
    if ratio.low is not None and ratio.low > 1:
        return "worse"
    return "better" if ratio.high is not None and ratio.high < 1 else "like"


def rates_chart(
    report: DifferentialReport,
    title: Any,
    base: int,
    rate: Callable[[GroupRates], Metric],
    ratio: Callable[[GroupRates], Metric | None],
) -> Drawing:
    """One row a group: name, dot, whisker, and how many times the reference; the axis is logarithmic.

    Args:
        report: groups and the reference.
        title: of the axis.
        base: rates are told out of this many comparisons.
        rate: what is drawn.
        ratio: to the reference.
    """
    rows = sorted_groups(report)
    bottom = _TOP + _ROW * len(rows)
    drawing = Drawing(_WIDTH, bottom + 46, title)
    ends = [end * base for row in rows for end in (rate(row).value, rate(row).low, rate(row).high) if end]
    values = [one * base for one in (rate(row).value for row in rows) if one]
    floor = min(values, default=1.0) / 12
    low, high = decades_around([max(end, floor) for end in ends], float(base))
    x = Scale(low, high, _LEFT, _RIGHT, log=True)
    for value in x.decades():
        drawing.line(x(value), _TOP, x(value), bottom, "grid")
        drawing.text(x(value), bottom + 17, Quantity(value, "plain"), "tick", "mid")
    drawing.text((_LEFT + _RIGHT) / 2, bottom + 38, title, "axis", "mid")
    own = next((rate(row) for row in rows if row.group == report.reference), None)
    if own is not None and own.value:
        drawing.line(x(own.value * base), _TOP, x(own.value * base), bottom, "limit")
    for i, row in enumerate(rows):
        _row(drawing, x, _TOP + _ROW * (i + 0.5), row, (rate(row), ratio(row)), base)
    return drawing


def _row(
    drawing: Drawing, x: Scale, y: float, row: GroupRates, rates: tuple[Metric, Metric | None], base: int
) -> None:
    """One group."""
    metric, ratio = rates
    css = tone(ratio)
    people = tell("people_images", people=row.n_subjects, images=row.n_images)
    drawing.text(0, y - 2, named("group", row.group), "row-name")
    drawing.text(0, y + 14, people, "row-small")
    if metric.low is not None and metric.high is not None:
        ends = x(metric.low * base), x(metric.high * base)
        drawing.add(Line(ends[0], y, ends[1], y, f"whisker {css}"))
        for end in ends:
            drawing.line(end, y - 6, end, y + 6, f"whisker {css}")
    if metric.value is None:
        drawing.text(_LEFT + 8, y + 4, tell("undefined"), "row-small")
    elif metric.value == 0:
        drawing.add(Dot(x(x.low), y, 6, f"hollow {css}"))
        drawing.text(x(x.low) + 12, y - 9, tell("none_seen"), "row-small")
    else:
        drawing.add(Dot(x(metric.value * base), y, 7, f"rate {css}"))
    if ratio is None:
        drawing.text(_WIDTH, y + 5, tell("reference_mark"), "row-small", "end")
    elif ratio.value is not None:
        drawing.text(_WIDTH, y + 6, tell("times", value=Significant(ratio.value)), f"ratio {css}", "end")
    else:
        drawing.text(_WIDTH, y + 6, tell("dash"), "row-small", "end")


def cross_chart(report: DifferentialReport, base: int) -> Drawing:
    """Groups against groups: false matches out of ``base``, shaded by their logarithm."""
    names = [row.group for row in report.groups]
    cells = _cells(report)
    rates = [one.value * base for one, _ in cells.values() if one.value]
    low, high = decades_around(rates)
    side = min(112.0, max(64.0, 520.0 / max(len(names), 1)))
    left, top = 118.0, 26.0
    height = side * 0.62
    drawing = Drawing(left + side * len(names), top + height * len(names) + 4, tell("cross"))
    for i, first in enumerate(names):
        drawing.text(left + side * (i + 0.5), top - 9, named("group", first), "cell-head", "mid")
        drawing.text(left - 12, top + height * (i + 0.5) + 4, named("group", first), "cell-head", "end")
        for j, second in enumerate(names):
            x, y = left + side * j, top + height * i
            _cell(drawing, (x + 2, y + 2, side - 4, height - 4), cells[first, second], (low, high), base)
    return drawing


def _cells(report: DifferentialReport) -> dict[tuple[str, str], tuple[Metric, Metric | None]]:
    out: dict[tuple[str, str], tuple[Metric, Metric | None]] = {
        (row.group, row.group): (row.fmr, row.fmr_ratio) for row in report.groups
    }
    for one in report.cross:
        out[one.first, one.second] = out[one.second, one.first] = (one.fmr, one.fmr_ratio)
    return out


def _cell(
    drawing: Drawing,
    box: tuple[float, float, float, float],
    rates: tuple[Metric, Metric | None],
    ends: tuple[float, float],
    base: int,
) -> None:
    x, y, width, height = box
    metric, ratio = rates
    middle = x + width / 2, y + height / 2
    if metric.value is None:
        drawing.add(Rect(x, y, width, height, "cell-none"))
        drawing.text(*middle_down(middle, 4), tell("not_compared"), "cell-small", "mid")
        return
    value = metric.value * base
    share = 0.0 if value <= ends[0] else math.log(value / ends[0]) / math.log(ends[1] / ends[0])
    drawing.add(Rect(x, y, width, height, "cell-back"))
    drawing.add(Rect(x, y, width, height, "cell", 0.06 + 0.62 * min(share, 1.0)))
    up = 5 if ratio is not None and ratio.value is None else 0
    drawing.text(*middle_down(middle, up), Significant(value), "cell-value", "mid")
    if ratio is None:
        drawing.text(*middle_down(middle, 17), tell("reference_mark"), "cell-small", "mid")
    elif ratio.value is not None:
        times = tell("times", value=Significant(ratio.value))
        drawing.text(*middle_down(middle, 17), times, "cell-small", "mid")


def middle_down(point: tuple[float, float], down: float) -> tuple[float, float]:
    """A point some px further down."""
    return point[0], point[1] + down


def worst_ratio(report: DifferentialReport) -> GroupRates | None:
    """The group with the largest FMR ratio to the reference; None where there is no ratio."""
    known = [row for row in report.groups if row.fmr_ratio is not None and row.fmr_ratio.value is not None]
    return max(known, key=_ratio, default=None)


def _ratio(row: GroupRates) -> float:
    return (row.fmr_ratio.value or 0.0) if row.fmr_ratio is not None else 0.0
