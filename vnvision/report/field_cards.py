"""The field comparison and the shortcut probe as html sections, both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vnvision.evaluate import shortcut_texts
from vnvision.evaluate.field import FieldReport, FieldRow, FieldSide
from vnvision.evaluate.shortcuts import ProbeRow, ShortcutReport
from vnvision.records import Metric
from vnvision.report import figures
from vnvision.report.environment import page_environment
from vnvision.report.field_texts import TEXTS
from vnvision.report.field_words import Signed, tell, warning
from vnvision.report.phrases import Html, Language, Phrase, Quantity, both, known_or, show
from vnvision.spec import Label


def field_section(report: FieldReport, labels: Sequence[Label] = ()) -> Html:
    """The two numbers side by side as one ``<section class="card">``, both languages.

    Args:
        report: from ``evaluate_field``.
        labels: texts of the labels; ids are printed where there are none.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    texts = {label.id: label for label in labels}
    values = {
        "lead": _lead(report),
        "sides": [_side(report.lab), _side(report.field)],
        "rows": [_row(row, show(known_or("metric", row.name)), row.name) for row in report.rows],
        "recall": [_row(row, show(texts.get(row.name, row.name)), "recall") for row in report.recall],
        "notes": _notes(report),
        "left_out": _left_out(report, texts),
        "copies": show(tell("not_checked") if report.near_duplicates is None else report.near_duplicates),
        "warnings": [warning(text) for text in report.warnings],
    }
    return rendered("field", values)


def shortcut_section(report: ShortcutReport) -> Html:
    """What poor views reach, as one ``<section class="card">``, both languages.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    split = tell(f"split.{report.test}") if f"split.{report.test}" in TEXTS else report.test
    flagged = both(lambda code: _flagged(report, code), "p", 'class="lead"')
    fields = {"n_train": report.n_train, "n": report.n, "groups": report.n_groups, "split": split}
    values = {
        "about": show(tell("shortcuts_about", **fields)),
        "flagged": flagged,
        "rows": [_probe(row) for row in report.rows],
        "model": None if report.model is None else figures.figure("balanced_accuracy", report.model),
        "warnings": [
            both(lambda code, text=text: shortcut_texts.warning(text, code))  # type: ignore[misc]
            for text in report.warnings
        ],
    }
    return rendered("shortcuts", values)


def rendered(part: str, values: Mapping[str, Any]) -> Html:
    """One part of the template: ``field``, ``shortcuts`` or ``page``."""
    environment = page_environment()
    environment.globals.update(say=lambda key, **fields: show(tell(key, **fields)))
    return Html(environment.get_template("field.html").render(part=part, **values))


def _lead(report: FieldReport) -> list[Html]:
    row = next((row for row in report.rows if row.name == "accuracy"), None)
    if row is None or row.lab.value is None or row.field.value is None or row.change.value is None:
        return [show(tell("field_undefined"))]
    percent = {"lab": Quantity(row.lab.value, "percent"), "field": Quantity(row.field.value, "percent")}
    out = [show(tell("field_lead", **percent))]
    if row.change.low is not None and row.change.high is not None:
        ends = {name: Signed(getattr(row.change, name), percent=True) for name in ("low", "high")}
        level = Quantity(row.change.level, "whole")
        out.append(show(tell("field_change", change=_points(row.change.value), level=level, **ends)))
    return out


def _points(value: float) -> Phrase:
    return tell("points", value=Signed(value, percent=True))


def _side(side: FieldSide) -> Html:
    split = tell(f"split.{side.split or 'all'}") if f"split.{side.split or 'all'}" in TEXTS else side.split
    return show(tell("side", n=side.n, groups=side.n_groups, name=side.name, split=split))


def _row(row: FieldRow, name: Html, metric: str) -> dict[str, Any]:
    """One line: the metric's name, both sides as figures, the change and its tone."""
    percent = figures.style_of(metric) == "percent"
    worse_up = metric in figures.LOWER
    sides = [figures.figure(metric, side, label=name) for side in (row.lab, row.field)]
    tone = ""
    low, high = row.change.low, row.change.high
    if low is not None and high is not None and (low > 0 or high < 0):
        tone = "wrong" if (low > 0) == worse_up else "right"
    return {"name": name, "sides": sides, "change": _change(row.change, percent), "tone": tone}


def _change(metric: Metric, percent: bool) -> dict[str, Html]:
    if metric.value is None:
        return {"value": figures.value_html(metric, "score"), "range": Html("")}
    value: Any = Signed(metric.value, percent=percent)
    if percent:
        value = tell("points", value=value)
    if metric.low is None or metric.high is None:
        return {"value": show(value), "range": Html("")}
    ends = {name: Signed(getattr(metric, name), percent=percent) for name in ("low", "high")}
    return {"value": show(value), "range": show(tell("range", **ends))}


def _notes(report: FieldReport) -> list[Html]:
    """Every note of the figures, each once."""
    metrics = [m for row in (*report.rows, *report.recall) for m in (row.lab, row.field, row.change)]
    notes = dict.fromkeys(metric.note for metric in metrics if metric.note)
    return [warning(note) for note in notes]


def _left_out(report: FieldReport, texts: Mapping[str, Label]) -> list[Html]:
    out = []
    for key, side in (("left_out_lab", report.lab), ("left_out_field", report.field)):
        out += [show(tell(key, label=texts.get(label, label), n=n)) for label, n in side.left_out.items()]
        out += [show(tell("unlabelled", n=side.unlabelled))] if side.unlabelled else []
    return out


def _probe(row: ProbeRow) -> dict[str, Any]:
    luck = Html("")
    if row.shuffled is not None and row.shuffled_high is not None:
        ends = {"mean": Quantity(row.shuffled, "percent"), "high": Quantity(row.shuffled_high, "percent")}
        luck = show(tell("luck", **ends))
    return {
        "name": both(lambda code: shortcut_texts.view_name(row.view, row.cover, code)),
        "balanced": figures.figure(
            "balanced_accuracy", row.balanced_accuracy, guess=_guess(row, "balanced_accuracy")
        ),
        "accuracy": figures.figure("accuracy", row.accuracy, guess=_guess(row, "accuracy")),
        "auroc": figures.figure("auroc", row.auroc, guess=0.5),
        "luck": luck,
        "tone": {"strong": "answer", "some": "some"}.get(row.verdict, ""),
        "says": both(lambda code: row.says[code]),
    }


def _guess(row: ProbeRow, measure: str) -> float | None:
    """Chance, where the row says it for this measure."""
    return row.chance if row.judged_on == measure else None


def _flagged(report: ShortcutReport, language: Language) -> str:
    covers = {row.view: row.cover for row in report.rows}
    names = [shortcut_texts.view_name(view, covers[view], language) for view in report.flagged]
    return (
        tell("flagged", views="; ".join(names)).text(language)
        if names
        else tell("not_flagged").text(language)
    )
