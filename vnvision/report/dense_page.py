"""What the page shows of a segmenter or detector in place of a classifier's tables and charts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.records import EvalReport
from vnvision.report import dense_charts, figures, tables
from vnvision.report.charts import Chart
from vnvision.report.outlined import outlined_picture
from vnvision.report.phrases import Language, Phrase, Quantity, known_or, phrase, show
from vnvision.spec import Label

HEADLINE = {"segmentation": "dice", "detection": "map50"}
PARTS = {
    "segmentation": ("dice", "iou", "severity_mae"),
    "detection": ("map50", "recall", "count_mae"),
}
_MASKS = ("dice", "iou", "hd95_px", "missed", "false_alarm")
_BOXES = ("ap50", "ap", "recall", "precision")
_COUNTS = ("count_mae", "count_bias", "count_exact")
_MOST_CHARTS = 6


def dense_pieces(
    report: EvalReport, labels: dict[str, Label], image_root: Path | None, language: Language
) -> dict[str, Any]:
    """Headline, tables, charts and worst pictures; ``language`` is not needed, every text holds both."""
    pictures = [outlined_picture(mistake, report.task.kind, image_root) for mistake in report.mistakes]
    return {
        "headline": _headline(report),
        "positive": None,
        **tables.metric_tables(report, _tables(report)),
        "parts": tables.parts(report, PARTS[report.task.kind]),
        "charts_title": show(phrase("dense_charts")),
        "charts": _charts(report, labels),
        "per_class_title": show(phrase("per_label")),
        "per_class": _per_label(report, labels),
        "mistakes": {
            "title": show(phrase("worst")),
            "about": show(phrase("worst_about")),
            "nothing": show(phrase("no_worst")),
            "outlined": True,
        },
        "pictures": pictures,
        "has_pictures": any(one.uri for one in pictures),
        "judged": HEADLINE[report.task.kind] in report.metrics,
    }


def _headline(report: EvalReport) -> dict[str, Any]:
    """The first sentences, the large number and its bar."""
    name = HEADLINE[report.task.kind]
    metric = report.metrics.get(name)
    about = {"images": report.n, "groups": report.n_groups, "split": known_or("split", report.split)}
    if metric is None or metric.value is None:
        return {"sentences": [show(phrase("headline_dense_undefined", **about))], "figure": None}
    value = Quantity(metric.value, "short")
    first = phrase("headline_masks", value=value, **about)
    if name == "map50":
        first = phrase("headline_boxes", value=value, **about)
    said = [first, *_further(report)]
    if metric.low is not None and metric.high is not None:
        low, high = Quantity(metric.low, "short"), Quantity(metric.high, "short")
        said.insert(
            1, phrase("headline_dense_interval", level=Quantity(metric.level, "whole"), low=low, high=high)
        )
    return {"sentences": [show(text) for text in said], "figure": figures.figure(name, metric)}


def _further(report: EvalReport) -> list[Phrase]:
    """The sentences on severity, misses, finding and counts that the report has the figures for."""
    value = {name: metric.value for name, metric in report.metrics.items()}
    out = []
    if (off := value.get("severity_mae")) is not None:
        out.append(phrase("headline_severity", value=Quantity(off, "tenth")))
    if len(report.per_class) == 1 and (missed := value.get("missed")):
        out.append(phrase("headline_missed", value=Quantity(missed, "whole")))
    recall, precision = value.get("recall"), value.get("precision")
    if recall is not None and precision is not None:
        shares = {"recall": Quantity(recall, "whole"), "precision": Quantity(precision, "whole")}
        out.append(phrase("headline_found", **shares))
    if (off := value.get("count_mae")) is not None:
        out.append(phrase("headline_counts", value=Quantity(off, "short")))
    return out


def _tables(report: EvalReport) -> list[tuple[Phrase, Phrase, tuple[str, ...]]]:
    """Title, explanation and metrics of each table; what none names goes into the last."""
    severity = tuple(f"severity_{name}" for name in ("mae", "bias", "loa_low", "loa_high", "undefined"))
    found: list[tuple[Phrase, Phrase, tuple[str, ...]]]
    if report.task.kind == "segmentation":
        found = [
            (phrase("overlap"), phrase("overlap_about"), ("dice", "iou", "dice_pooled", "iou_pooled")),
            (phrase("severity"), phrase("severity_about"), severity),
            (
                phrase("distance"),
                phrase("distance_about"),
                ("hd95_px", "hd95_mm", "missed", "false_alarm", "false_area"),
            ),
        ]
    else:
        counts = ("count_mae", "count_rmse", "count_bias", "count_exact")
        found = [
            (phrase("finding"), phrase("finding_about"), ("map50", "map", "recall", "precision", "f1")),
            (phrase("counting"), phrase("counting_about"), counts),
        ]
    named = {name for *_, names in found for name in names}
    title, about, last = found[-1]
    found[-1] = (title, about, (*last, *(name for name in report.metrics if name not in named)))
    return found


def _per_label(report: EvalReport, labels: dict[str, Label]) -> list[dict[str, Any]]:
    """Tables with a row a label; none for the masks of a single one, which the headline is about."""
    if report.task.kind == "segmentation":
        return [tables.per_class(report, labels, _MASKS)] if len(report.per_class) > 1 else []
    if not report.per_class:
        return []
    titles = ((phrase("per_label_boxes"), _BOXES), (phrase("per_label_counts"), _COUNTS))
    return [
        {"title": show(title), **tables.per_class(report, labels, names, objects=True)}
        for title, names in titles
    ]


def _charts(report: EvalReport, labels: dict[str, Label]) -> list[Chart]:
    """The charts the report has the points for."""

    def of(family: str) -> list[tuple[Label, tuple[tuple[float, float], ...]]]:
        start = f"{family}:"
        return [
            (labels.get(key.removeprefix(start), Label(id=key.removeprefix(start))), points)
            for key, points in report.curves.items()
            if key.startswith(start) and points
        ]

    out: list[Chart] = []
    if report.curves.get("severity"):
        out += dense_charts.severity_charts(report.curves["severity"], report.metrics)
    out += [dense_charts.size_chart(label, points) for label, points in of("size")]
    curves = []
    for label, points in of("pr"):
        metric = report.per_class.get(label.id, {}).get("ap50")
        curves.append((label, points, metric.value if metric else None))
    if curves:
        curves.sort(key=lambda item: (item[2] is None, item[2]))
        out.append(dense_charts.precision_recall_chart(curves))
    out += [dense_charts.count_chart(label, points) for label, points in of("count")]
    return out[:_MOST_CHARTS]
