"""An ``EvalReport`` as the values its page is made of, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.records import EvalReport
from vnvision.report import charts, figures, tables
from vnvision.report.dense_page import dense_pieces
from vnvision.report.environment import SHARED, page_environment
from vnvision.report.facts import described, facts, mentions_synthetic, provenance
from vnvision.report.phrases import Html, Language, Quantity, known_or, phrase, show, show_note
from vnvision.report.pictures import picture
from vnvision.spec import Label

_WIDE = 6


def render(report: EvalReport, image_root: Path | None, language: Language) -> str:
    """The whole page as HTML text.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    environment = page_environment()
    environment.globals.update(say=lambda key, **fields: show(phrase(key, **fields)))
    style = Html((SHARED / "style.css").read_text("utf-8"))
    values = view(report, image_root, language)
    return environment.get_template("report.html").render(style=style, **values)


def view(report: EvalReport, image_root: Path | None, language: Language) -> dict[str, Any]:
    """Everything the template prints, by name."""
    labels = {label.id: label for label in report.task.labels}
    single, blocks = facts(described(report.data), labels)
    model_facts, model_blocks = facts(report.model)
    dense = report.task.kind in ("segmentation", "detection")
    pieces = dense_pieces if dense else _class_pieces
    return {
        "language": language,
        "page_title": f"{phrase('title').text(language)} · {_name(report)}",
        "name": _name(report) or show(phrase("model_without_name")),
        "kind": show(known_or("kind", report.task.kind)),
        "split": show(known_or("split", report.split)),
        "n": show(report.n),
        "n_groups": show(report.n_groups),
        "n_labels": show(len(labels)),
        "level": Quantity(next((m.level for m in report.metrics.values()), 0.95), "whole"),
        "synthetic": mentions_synthetic(report.data, report.model),
        "warnings": [show_note(text) for text in report.warnings],
        "confusion": tables.confusion(report),
        "labels": [show(label) for label in report.task.labels],
        "wide": len(labels) > _WIDE,
        "points": [tables.point(point, labels) for point in report.operating_points],
        "data_facts": single,
        "data_blocks": blocks,
        "model_facts": [fact for fact in model_facts if report.model] + provenance(report),
        "model_blocks": model_blocks,
        **pieces(report, labels, image_root, language),
    }


def _class_pieces(
    report: EvalReport, labels: dict[str, Label], image_root: Path | None, language: Language
) -> dict[str, Any]:
    """What is particular to classification, single-label or multi-label."""
    pictures = [picture(mistake, labels, image_root) for mistake in report.mistakes]
    classes = tables.per_class(report, labels)
    return {
        "headline": _headline(report),
        "positive": report.task.labels[-1] if len(labels) == 2 and report.confusion else None,
        **tables.metrics(report),
        "parts": tables.parts(report),
        "charts_title": show(phrase("charts")),
        "charts": _charts(report, labels, language),
        "per_class_title": show(phrase("per_class")),
        "per_class": [classes] if classes["rows"] else [],
        "mistakes": {
            "title": show(phrase("mistakes")),
            "about": show(phrase("mistakes_about")),
            "nothing": show(phrase("no_mistakes")),
            "outlined": False,
        },
        "pictures": pictures,
        "has_pictures": any(one.uri for one in pictures),
        "judged": report.metrics.get("accuracy") is not None,
    }


def _name(report: EvalReport) -> str:
    """The model's name as plain text, empty where there is none."""
    return str(report.model.get("name") or "")


def _headline(report: EvalReport) -> dict[str, Any]:
    """The first sentence, the large number and its bar."""
    metric = report.metrics.get("accuracy")
    about = {"images": report.n, "groups": report.n_groups, "split": known_or("split", report.split)}
    if metric is None or metric.value is None:
        return {"sentences": [show(phrase("headline_undefined", **about))], "figure": None}
    sentences = [show(phrase("headline", value=Quantity(metric.value, "percent"), **about))]
    wrong = round(100 * (1 - metric.value))
    if wrong:
        sentences.append(show(phrase("headline_errors", wrong=wrong)))
    if metric.low is not None and metric.high is not None:
        ends = {"low": Quantity(metric.low, "percent"), "high": Quantity(metric.high, "percent")}
        level = Quantity(metric.level, "whole")
        sentences.append(show(phrase("headline_interval", level=level, **ends)))
    guess = figures.guesses(report).get("accuracy")
    return {"sentences": sentences, "figure": figures.figure("accuracy", metric, guess=guess)}


def _charts(report: EvalReport, labels: dict[str, Label], language: Language) -> list[charts.Chart]:
    """The charts the report has the points for."""
    out = []
    if report.reliability:
        multilabel = report.task.kind == "multilabel"
        drawn = charts.reliability_chart(report.reliability, language, multilabel=multilabel)
        out.append(charts.Chart(show(phrase("reliability")), drawn, show(phrase("reliability_about"))))
    curves = []
    for key, points in report.curves.items():
        if key.startswith("roc:") and points:
            label = key.removeprefix("roc:")
            metric = report.per_class.get(label, {}).get("auroc")
            curves.append((labels.get(label, Label(id=label)), points, metric.value if metric else None))
    if curves:
        curves.sort(key=lambda item: (item[2] is None, item[2]))
        drawn = charts.roc_chart([item[:2] for item in curves], language)
        legend = charts.roc_legend([(label, area) for label, _, area in curves])
        out.append(charts.Chart(show(phrase("roc")), drawn, show(phrase("roc_about")), legend))
    if report.curves.get("selective"):
        drawn = charts.selective_chart(report.curves["selective"], language)
        out.append(charts.Chart(show(phrase("selective")), drawn, show(phrase("selective_about"))))
    return out
