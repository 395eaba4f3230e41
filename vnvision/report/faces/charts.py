"""Curves of the face report: DET, ROC, score histogram, CMC."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vnvision.evaluate.faces.records import FaceReport, ScoreHistogram
from vnvision.records import Metric
from vnvision.report.faces.axes import Scale, decade_ticks, even_ticks, frame
from vnvision.report.faces.drawing import Dot, Drawing
from vnvision.report.faces.words import tell
from vnvision.report.phrases import Quantity

_WIDTH, _HEIGHT = 400.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 388.0, 12.0, 284.0
_LEAST = 1e-6


def _lowest(points: Sequence[tuple[float, float]], n: int) -> float:
    """The decade where a log axis begins: below one error in ``n`` comparisons and the smallest rate seen."""
    smallest = min((x for x, _ in points if x > 0), default=1e-3)
    wanted = max(_LEAST, min(smallest, 1 / max(n, 1)))
    return float(min(10.0 ** math.floor(math.log10(wanted) + 1e-9), 0.1))


def _from_edge(points: Sequence[tuple[float, float]], low: float) -> list[tuple[float, float]]:
    """Points from ``low`` on, and the last one before it, which lies on the edge."""
    first = max(sum(1 for fmr, _ in points if fmr < low) - 1, 0)
    return list(points[first:])


def det_chart(report: FaceReport) -> Drawing:
    """FMR against FNMR, both axes logarithmic, with a dot at the report's threshold."""
    drawing = Drawing(_WIDTH, _HEIGHT, tell("det"))
    x = Scale(_lowest(report.det, report.n_impostor), 1, _LEFT, _RIGHT, log=True)
    turned = [(y, x) for x, y in report.det]
    y = Scale(max(_lowest(turned, report.n_genuine), 1e-4), 1, _BOTTOM, _TOP, log=True)
    frame(drawing, x, y, (tell("on_fmr"), tell("on_fnmr")), (decade_ticks(x), decade_ticks(y)))
    low, high = max(x.low, y.low), 1.0
    drawing.line(x(low), y(low), x(high), y(high), "guide")
    seen = _from_edge(report.det, x.low)
    drawing.path(_steps([(x(fmr), y(fnmr)) for fmr, fnmr in seen]), "line s0")
    point = report.operating
    if point is not None and point.fmr.value is not None and point.fnmr.value is not None:
        drawing.add(Dot(x(point.fmr.value), y(point.fnmr.value), 6, "here"))
    return drawing


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At least two points, so that the path is one."""
    return list(points) if len(points) > 1 else [*points, *points] or [(0, 0), (0, 0)]


def roc_chart(report: FaceReport) -> Drawing:
    """TAR against FMR on a logarithmic axis."""
    drawing = Drawing(_WIDTH, _HEIGHT, tell("roc"))
    x = Scale(_lowest(report.roc, report.n_impostor), 1, _LEFT, _RIGHT, log=True)
    seen = _from_edge(report.roc, x.low)
    worst = min((tar for _, tar in seen), default=0.0)
    floor = next((low for low in (0.98, 0.95, 0.9, 0.8, 0.6, 0.5) if low <= worst), 0.0)
    y = Scale(floor, 1, _BOTTOM, _TOP)
    frame(drawing, x, y, (tell("on_fmr"), tell("on_tar")), (decade_ticks(x), even_ticks(floor, 1)))
    drawing.path(_steps([(x(fmr), y(tar)) for fmr, tar in seen]), "line s0")
    point = report.operating
    if point is not None and point.fmr.value is not None and point.fnmr.value is not None:
        drawing.add(Dot(x(point.fmr.value), y(1 - point.fnmr.value), 6, "here"))
    return drawing


def histogram_chart(histogram: ScoreHistogram, threshold: float | None, *, search: bool = False) -> Drawing:
    """Both kinds of comparison by score, each as a share of its own kind."""
    drawing = Drawing(_WIDTH, _HEIGHT, tell("histogram"))
    n = len(histogram.genuine)
    width = (histogram.high - histogram.low) / n
    shares = {
        "impostor": [count / (sum(histogram.impostor) or 1) for count in histogram.impostor],
        "genuine": [count / (sum(histogram.genuine) or 1) for count in histogram.genuine],
    }
    top = max(max(values) for values in shares.values()) * 1.12
    x = Scale(histogram.low, histogram.high, _LEFT, _RIGHT)
    y = Scale(0, top, _BOTTOM, _TOP)
    ticks = [v / 4 for v in range(-4, 5) if histogram.low <= v / 4 <= histogram.high]
    labels = [(v, Quantity(v, "plain")) for v in ticks]
    frame(drawing, x, y, (tell("on_score"), tell("on_share")), (labels, []))
    drawing.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "grid")
    for css, values in shares.items():
        outline = [(x(histogram.low), y(0.0))]
        for i, share in enumerate(values):
            left = histogram.low + i * width
            outline += [(x(left), y(share)), (x(left + width), y(share))]
        drawing.path([*outline, (x(histogram.high), y(0.0))], f"hill {css}", closed=True)
    if threshold is not None:
        drawing.line(x(threshold), _TOP, x(threshold), _BOTTOM, "limit")
        drawing.text(x(threshold) + 5, _TOP + 10, Quantity(threshold, "score"), "mark")
    names = ("key_stranger", "key_mate") if search else ("key_impostor", "key_genuine")
    for key, values, css in zip(names, shares.values(), ("impostor", "genuine"), strict=True):
        middle = histogram.low + (sum(i * v for i, v in enumerate(values)) + 0.5) * width
        drawing.text(x(middle), y(max(values)) - 7, tell(key), f"hill-name {css}", "mid")
    return drawing


def cmc_chart(cmc: Sequence[Metric]) -> Drawing:
    """The share of mated searches found up to each rank, with its interval as a band."""
    drawing = Drawing(_WIDTH, _HEIGHT, tell("cmc"))
    known = [(rank, one) for rank, one in enumerate(cmc, 1) if one.value is not None]
    lows = [one.low if one.low is not None else one.value or 0.0 for _, one in known]
    highs = [one.high if one.high is not None else one.value or 0.0 for _, one in known]
    floor = next((low for low in (0.95, 0.9, 0.8, 0.6, 0.5) if low <= min(lows, default=0)), 0.0)
    x = Scale(1, max(len(cmc), 2), _LEFT, _RIGHT)
    y = Scale(floor, 1, _BOTTOM, _TOP)
    ranks = [rank for rank in (1, 5, 10, 15, 20) if rank <= len(cmc)]
    labels = [(float(rank), Quantity(rank, "plain")) for rank in ranks]
    frame(drawing, x, y, (tell("on_rank"), tell("on_found")), (labels, even_ticks(floor, 1)))
    there = [(x(rank), y(high)) for (rank, _), high in zip(known, highs, strict=True)]
    back = [(x(rank), y(low)) for (rank, _), low in zip(known, lows, strict=True)]
    drawing.path([*there, *back[::-1]], "hill genuine", closed=True)
    drawing.path(_steps([(x(rank), y(one.value or 0.0)) for rank, one in known]), "line s0")
    return drawing
