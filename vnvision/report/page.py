"""An ``EvalReport`` as the values its page is made of, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.records import EvalReport
from vnvision.report import charts, figures, tables
from vnvision.report.environment import SHARED, page_environment
from vnvision.report.facts import Fact, described, facts, mentions_synthetic
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
    limit = report.calibration.abstain_below
    pictures = [picture(mistake, labels, image_root) for mistake in report.mistakes]
    return {
        "language": language,
        "page_title": f"{phrase('title').text(language)} · {_name(report)}",
        "name": _name(report) or show(phrase("model_without_name")),
        "kind": show(known_or("kind", report.task.kind)),
        "split": show(known_or("split", report.split)),
        "n": show(report.n),
        "n_groups": show(report.n_groups),
        "n_labels": show(len(labels)),
        "headline": _headline(report),
        "level": Quantity(next((m.level for m in report.metrics.values()), 0.95), "whole"),
        "synthetic": mentions_synthetic(report.data, report.model),
        "warnings": [show_note(text) for text in report.warnings],
        "positive": report.task.labels[-1] if len(labels) == 2 and report.confusion else None,
        **tables.metrics(report),
        "limit": Quantity(limit, "percent") if limit is not None else None,
        "parts": tables.parts(report),
        "confusion": tables.confusion(report),
        "labels": [show(label) for label in report.task.labels],
        "wide": len(labels) > _WIDE,
        "charts": _charts(report, labels, language),
        "per_class": tables.per_class(report, labels),
        "points": [tables.point(point, labels) for point in report.operating_points],
        "pictures": pictures,
        "has_pictures": any(picture.uri for picture in pictures),
        "judged": report.metrics.get("accuracy") is not None,
        "data_facts": single,
        "data_blocks": blocks,
        "model_facts": [fact for fact in model_facts if report.model] + _provenance(report),
        "model_blocks": model_blocks,
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


def _charts(report: EvalReport, labels: dict[str, Label], language: Language) -> dict[str, Html]:
    """The charts the report has the points for."""
    out = {}
    if report.reliability:
        multilabel = report.task.kind == "multilabel"
        out["reliability"] = charts.reliability_chart(report.reliability, language, multilabel=multilabel)
    curves = []
    for key, points in report.curves.items():
        if key.startswith("roc:") and points:
            label = key.removeprefix("roc:")
            metric = report.per_class.get(label, {}).get("auroc")
            curves.append((labels.get(label, Label(id=label)), points, metric.value if metric else None))
    if curves:
        curves.sort(key=lambda item: (item[2] is None, item[2]))
        out["roc"] = charts.roc_chart([item[:2] for item in curves], language)
        out["roc_legend"] = charts.roc_legend([(label, area) for label, _, area in curves])
    if report.curves.get("selective"):
        out["selective"] = charts.selective_chart(report.curves["selective"], language)
    return out


def _provenance(report: EvalReport) -> list[Fact]:
    """What every model has: calibration, input, fingerprints."""
    calibration, spec = report.calibration, report.task.preprocess
    fitted: Any = phrase("not_calibrated")
    if calibration.n:
        split = known_or("split", calibration.fitted_on)
        fitted = phrase("fitted_on_n", split=split, n=calibration.n)
    height, width = spec.size_px
    temperatures = ", ".join(show(Quantity(t, "short")) for t in calibration.temperatures)
    return [
        Fact(show(phrase("fitted_on")), show(fitted)),
        Fact(show(phrase("temperatures")), Html(temperatures)),
        Fact(
            show(phrase("input")),
            show(phrase("input_value", height=str(height), width=str(width), colour=spec.colour.upper())),
        ),
        Fact(show(phrase("preprocess")), Html(f"<code>{spec.fingerprint()}</code>")),
        Fact(show(phrase("manifest")), Html(f"<code>{report.manifest_sha256}</code>")),
    ]
