"""Charts as inline SVG: no script, no request, colours from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from vnvision.report.phrases import Html, Language, Quantity, both, local, phrase, show
from vnvision.spec import Label

_SIZE = 320.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 40.0, 10.0, 12.0, 42.0
_PLOT = _SIZE - _LEFT - _RIGHT
_COLOURS = 5
_NOTHING = Html("")


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart with what stands around it."""

    title: Html
    svg: Html
    about: Html
    legend: Html = _NOTHING


def _x(value: float) -> str:
    return f"{_LEFT + _PLOT * value:.1f}"


def _y(value: float, low: float = 0.0) -> str:
    return f"{_TOP + _PLOT * (1 - (value - low) / (1 - low)):.1f}"


def _text(x: str, y: str, css: str, say: object, extra: str = "") -> Html:
    return both(lambda language: local(say, language), "text", f'x="{x}" y="{y}" class="{css}"{extra}')


def _frame(x_key: str, y_key: str, low: float = 0.0, x_low: float = 0.0) -> str:
    """Grid, tick labels and axis titles; the plot spans ``x_low``..1 and ``low``..1."""
    parts = []
    for i in range(5):
        share = i / 4
        y, x = _y(share), _x(share)
        value_y, value_x = low + share * (1 - low), x_low + share * (1 - x_low)
        parts.append(f'<line class="grid" x1="{_x(0)}" x2="{_x(1)}" y1="{y}" y2="{y}"/>')
        parts.append(
            _text(f"{_LEFT - 6:.1f}", f"{float(y) + 3.5:.1f}", "tick end", Quantity(value_y, "bare"))
        )
        parts.append(_text(x, f"{_TOP + _PLOT + 15:.1f}", "tick mid", Quantity(value_x, "bare")))
    parts.append(_text(_x(0.5), f"{_TOP + _PLOT + 33:.1f}", "axis mid", phrase(x_key)))
    turn = f' transform="rotate(-90 9 {float(_y(0.5)):.1f})"'
    parts.append(_text("9", _y(0.5), "axis mid", phrase(y_key), turn))
    return "".join(parts)


def _svg(title: str, body: str) -> Html:
    height = _TOP + _PLOT + _BOTTOM
    return Html(
        f'<svg class="chart" viewBox="0 0 {_SIZE:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{body}</svg>"
    )


def reliability_chart(
    bins: Sequence[tuple[float, float, int]], language: Language, *, multilabel: bool = False
) -> Html:
    """Mean confidence against accuracy of each bin; dot area grows with the bin's count.

    Args:
        bins: (mean confidence, accuracy, count).
        language: of the label that screen readers read.
        multilabel: the accuracy axis is the observed share of "yes".
    """
    total = sum(count for _, _, count in bins) or 1
    parts = [_frame("axis_confidence", "axis_observed" if multilabel else "axis_accuracy")]
    parts.append(f'<line class="guide" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    for confidence, accuracy, count in bins:
        x, y = _x(confidence), _y(accuracy)
        parts.append(f'<line class="gap" x1="{x}" x2="{x}" y1="{_y(confidence)}" y2="{y}"/>')
        radius = 3 + 15 * (count / total) ** 0.5
        parts.append(
            f'<circle class="dot" cx="{x}" cy="{y}" r="{radius:.1f}"><title>{count}</title></circle>'
        )
    return _svg(phrase("reliability").text(language), "".join(parts))


def _path(points: Sequence[tuple[float, float]], low: float = 0.0) -> str:
    return "M" + "L".join(f"{_x(x)} {_y(max(y, low), low)}" for x, y in points)


def roc_chart(curves: Sequence[tuple[Label, Sequence[tuple[float, float]]]], language: Language) -> Html:
    """ROC curves, the worst classes in colour.

    Args:
        curves: (label, points), the worst class first; beyond the fifth they are drawn in grey.
        language: of the label that screen readers read.
    """
    parts = [_frame("axis_fpr", "axis_tpr")]
    parts.append(f'<line class="guide" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    for i, (_, points) in reversed(list(enumerate(curves))):
        css = f"line s{i}" if i < _COLOURS else "line faint"
        parts.append(f'<path class="{css}" d="{_path(points)}"/>')
    return _svg(phrase("roc").text(language), "".join(parts))


def roc_legend(curves: Sequence[tuple[Label, float | None]]) -> Html:
    """Names and areas for the curves of ``roc_chart``, in the same order."""
    items = []
    for i, (label, area) in enumerate(curves[:_COLOURS]):
        value = show(Quantity(area, "score")) if area is not None else ""
        items.append(f'<li><i class="key s{i}"></i>{show(label)} <b>{value}</b></li>')
    if len(curves) > _COLOURS:
        items.append(f'<li><i class="key faint"></i>{show(phrase("roc_others"))}</li>')
    return Html(f'<ul class="legend">{"".join(items)}</ul>')


def selective_chart(points: Sequence[tuple[float, float]], language: Language) -> Html:
    """Accuracy of the answers kept against the share kept; the axis starts at a round value below."""
    lowest = min(y for _, y in points)
    low = max(0.0, min(0.8, int(lowest * 5) / 5))
    parts = [_frame("axis_coverage", "axis_accuracy", low)]
    parts.append(f'<path class="line s0" d="{_path(points, low)}"/>')
    x, y = points[-1]
    parts.append(f'<circle class="dot" cx="{_x(x)}" cy="{_y(y, low)}" r="4"/>')
    return _svg(phrase("selective").text(language), "".join(parts))
