"""An ``EvalReport`` as the values its page is made of, and the page."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from vnvision.errors import MissingExtraError
from vnvision.records import EvalReport, Mistake, OperatingPoint
from vnvision.report import charts, figures
from vnvision.report.facts import Block, Fact, facts, mentions_synthetic
from vnvision.report.phrases import Html, Language, Quantity, both, known_or, phrase, show, show_note
from vnvision.report.thumbnails import thumbnail
from vnvision.spec import Label

_SHADE = 0.62
_WIDE = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the confusion matrix; ``shade`` is the strength of its colour, 0..1."""

    count: Html
    share: Html
    shade: float
    right: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """One mistake."""

    uri: str | None
    path: str
    truth: Html
    answer: Html
    confidence: Html
    width: str


def render(report: EvalReport, image_root: Path | None, language: Language) -> str:
    """The whole page as HTML text.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as exc:
        raise MissingExtraError("jinja2", "eval") from exc

    folder = resources.files("vnvision.report") / "templates"
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
    )
    environment.globals.update(say=lambda key, **fields: show(phrase(key, **fields)))
    style = Html((folder / "style.css").read_text("utf-8"))
    values = view(report, image_root, language)
    return environment.get_template("report.html").render(style=style, **values)


def view(report: EvalReport, image_root: Path | None, language: Language) -> dict[str, Any]:
    """Everything the template prints, by name."""
    labels = {label.id: label for label in report.task.labels}
    single, blocks = facts(report.data)
    model_facts, model_blocks = facts(report.model)
    limit = report.calibration.abstain_below
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
        "level": Quantity(next((m.level for m in report.metrics.values()), 0.95), "percent"),
        "synthetic": mentions_synthetic(report.data, report.model),
        "warnings": [show_note(text) for text in report.warnings],
        "higher": figures.figures(report, (*figures.HIGHER, *figures.other_names(report))),
        "lower": figures.figures(report, figures.LOWER),
        "withholding": figures.figures(report, figures.WITHHOLDING),
        "limit": Quantity(limit, "percent") if limit is not None else None,
        "parts": _parts(report),
        "confusion": _confusion(report),
        "labels": [show(label) for label in report.task.labels],
        "wide": len(labels) > _WIDE,
        "charts": _charts(report, labels, language),
        "per_class": _per_class(report, labels),
        "per_class_names": [show(known_or("metric", name)) for name in figures.PER_CLASS],
        "points": [_point(point, labels) for point in report.operating_points],
        "pictures": [_picture(mistake, labels, image_root) for mistake in report.mistakes],
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
        level = Quantity(metric.level, "percent")
        sentences.append(show(phrase("headline_interval", level=level, **ends)))
    guess = figures.guesses(report).get("accuracy")
    return {"sentences": sentences, "figure": figures.figure("accuracy", metric, guess=guess)}


def _parts(report: EvalReport) -> list[dict[str, Any]]:
    """One table a column: each value with its metrics."""
    tables: dict[str, list[Any]] = {}
    for row in report.groups:
        name = show(row.value) if row.value else show(phrase("part_unknown"))
        cells = [figures.figure(m, row.metrics[m]) for m in figures.PARTS if m in row.metrics]
        tables.setdefault(row.column, []).append({"name": name, "n": show(row.n), "cells": cells})
    return [{"title": show(known_or("column", column)), "rows": rows} for column, rows in tables.items()]


def _confusion(report: EvalReport) -> list[list[Cell]]:
    """Cells by truth and answer, shaded by their share of the row."""
    rows = []
    for i, counts in enumerate(report.confusion):
        total = sum(counts)
        shares = [count / total if total else 0.0 for count in counts]
        rows.append(
            [
                Cell(show(count), show(charts.whole_percent(share)) if count else Html(""), _SHADE * share, i == j)
                for j, (count, share) in enumerate(zip(counts, shares, strict=True))
            ]
        )
    return rows


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


def _per_class(report: EvalReport, labels: dict[str, Label]) -> list[dict[str, Any]]:
    """One row a class: its size and its metrics."""
    rows = []
    for label, metrics in report.per_class.items():
        cells = [figures.figure(name, metrics[name]) for name in figures.PER_CLASS if name in metrics]
        count = metrics["n"].n if "n" in metrics else 0
        rows.append({"name": show(labels.get(label, label)), "n": show(count), "cells": cells})
    return rows


def _point(point: OperatingPoint, labels: dict[str, Label]) -> dict[str, Any]:
    """One operating point; its note holds the sensitivity."""
    asked = point.target.partition("=")[2]
    target: Any = point.target
    if point.target.startswith("specificity="):
        target = phrase("target_specificity", value=Quantity(float(asked), "percent"))
    return {
        "label": show(labels.get(point.label or "", point.label or "")),
        "target": show(target),
        "threshold": show(Quantity(point.threshold, "score")),
        "figure": figures.figure("specificity", point.achieved),
        "value": figures.value_html(point.achieved, "percent"),
        "interval": both(lambda code: figures.interval_text(point.achieved, "percent", code)),
    }


def _picture(mistake: Mistake, labels: dict[str, Label], image_root: Path | None) -> Picture:
    """One mistake with its thumbnail, if there is one."""
    return Picture(
        uri=thumbnail(image_root, mistake.path),
        path=mistake.path,
        truth=_answer(mistake.truth, labels),
        answer=_answer(mistake.answer, labels),
        confidence=show(phrase("confident", value=Quantity(mistake.probability, "percent"))),
        width=f"{100 * mistake.probability:.1f}%",
    )


def _answer(text: str, labels: dict[str, Label]) -> Html:
    """A label, or ``label=1`` and ``label=0`` of multi-label answers in words."""
    if text in labels:
        return show(labels[text])
    label, _, value = text.rpartition("=")
    if label in labels and value in ("0", "1"):
        return show(phrase("present" if value == "1" else "not_present", label=labels[label]))
    return show(text)


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


__all__ = ["Block", "render", "view"]
