"""Metrics as table rows: name, value, interval, and a small bar that shows both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vnvision.records import EvalReport, Metric
from vnvision.report.phrases import (
    Html,
    Language,
    Quantity,
    Style,
    both,
    known_or,
    local,
    phrase,
    show,
    show_note,
)

HIGHER = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "auroc",
    "auprc",
    "sensitivity_at_specificity_90",
    "sensitivity_at_specificity_95",
)
LOWER = ("ece", "brier", "nll")
WITHHOLDING = ("coverage", "selective_accuracy")
PERCENT = (
    "accuracy", "balanced_accuracy", "ece", "precision", "recall", "coverage", "selective_accuracy",
    "missed", "false_alarm", "false_area", "severity_undefined", "count_exact",
)  # fmt: skip
PARTS = ("accuracy", "balanced_accuracy", "auroc")
PER_CLASS = ("recall", "precision", "f1", "auroc")
UNBOUNDED: dict[str, Style] = {
    "hd95_px": "tenth",
    "hd95_mm": "tenth",
    "severity_mae": "tenth",
    "severity_bias": "signed_tenth",
    "severity_loa_low": "signed_tenth",
    "severity_loa_high": "signed_tenth",
    "count_mae": "short",
    "count_rmse": "short",
    "count_bias": "signed",
}
"""How figures without a natural end of their scale are written; they have no bar."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric, ready to print; empty Html where there is nothing to say.

    ``mark`` is the letter of its note below the table.
    """

    name: Html
    about: Html
    value: Html
    interval: Html
    bar: Html
    note: Html
    mark: str = ""


def style_of(name: str) -> Style:
    """Percent for shares, three decimals for the rest, but for those of ``UNBOUNDED``."""
    if name in UNBOUNDED:
        return UNBOUNDED[name]
    return "percent" if name in PERCENT or name.startswith("sensitivity") else "score"


def value_html(metric: Metric, style: Style) -> Html:
    """The value, or that it is not defined."""
    return show(phrase("undefined") if metric.value is None else Quantity(metric.value, style))


def interval_text(metric: Metric, style: Style, language: Language) -> str:
    """``79.0-95.2%`` with an en dash, or that there is none."""
    if metric.low is None or metric.high is None:
        return "" if metric.value is None else local(phrase("no_interval"), language)
    low, high = (Quantity(end, style).text(language) for end in (metric.low, metric.high))
    dash = " – " if style.startswith("signed") else "–"
    return f"{low.removesuffix('%')}{dash}{high}"


def bar(metric: Metric, scale: float = 1.0, guess: float | None = None) -> Html:
    """A bar from 0 to ``scale`` with the interval as a band, the value as a dot and guessing as a tick."""
    if metric.value is None:
        return Html("")

    def place(value: float) -> str:
        return f"{min(max(value / scale, 0), 1):.4f}"

    band = ""
    if metric.low is not None and metric.high is not None:
        band = f'<i class="band" style="--at:{place(metric.low)};--to:{place(metric.high)}"></i>'
    tick = "" if guess is None else f'<i class="tick" style="--at:{place(guess)}"></i>'
    dot = f'<i class="point" style="--at:{place(metric.value)}"></i>'
    return Html(f'<span class="bar" aria-hidden="true">{tick}{band}{dot}</span>')


def figure(
    name: str, metric: Metric, *, scale: float = 1.0, guess: float | None = None, label: Html | None = None
) -> Figure:
    """One metric as a row; ``label`` stands in for the metric's own name."""
    style = style_of(name)
    about = known_or("about", name)
    return Figure(
        name=label if label is not None else show(known_or("metric", name)),
        about=Html("") if isinstance(about, str) else show(about),
        value=value_html(metric, style),
        interval=both(lambda language: interval_text(metric, style, language)),
        bar=Html("") if name in UNBOUNDED else bar(metric, scale, guess),
        note=show_note(metric.note) if metric.note else Html(""),
    )


def guesses(report: EvalReport) -> dict[str, float]:
    """What blind guessing scores: always the commonest class; or, for ranking, any order.

    For Brier and log-loss, equal probabilities for all classes.
    """
    classes = len(report.task.labels)
    out = {"auroc": 0.5}
    if report.task.kind == "multilabel":
        return out | {"balanced_accuracy": 0.5, "brier": 0.25, "nll": math.log(2)}
    present = max(1, sum(any(row) for row in report.confusion))
    if report.confusion and report.n:
        out["accuracy"] = max(sum(row) for row in report.confusion) / report.n
        out["balanced_accuracy"] = 1 / present
    brier = 0.25 if classes == 2 else 1 - 1 / classes
    return out | {"brier": brier, "nll": math.log(max(2, classes))}


def figures(report: EvalReport, names: Iterable[str]) -> list[Figure]:
    """Those of the named metrics that the report has."""
    guess = guesses(report)
    rows = []
    for name in names:
        metric = report.metrics.get(name)
        if metric is None:
            continue
        scale = 1.0
        if name in ("brier", "nll"):
            scale = max(guess[name], metric.high or 0, metric.value or 0)
            rows.append(figure(name, metric, scale=scale))
        else:
            rows.append(figure(name, metric, guess=guess.get(name)))
    return rows


def with_marks(rows: Iterable[Sequence[Figure]]) -> tuple[list[list[Figure]], list[Html]]:
    """Give equal notes one letter each, so that a table says each once below itself.

    Args:
        rows: the table's figures, row by row.

    Returns:
        the same rows with their marks; the notes in the order of their letters.
    """
    notes: list[Html] = []
    marked = []
    for row in rows:
        out = []
        for item in row:
            if item.note and item.note not in notes:
                notes.append(item.note)
            out.append(replace(item, mark=_letter(notes.index(item.note))) if item.note else item)
        marked.append(out)
    return marked, notes


def _letter(index: int) -> str:
    """a, b, ... z, then numbers."""
    return chr(ord("a") + index) if index < 26 else str(index + 1)


def other_names(report: EvalReport) -> list[str]:
    """Metrics that no table above lists, so that none is lost."""
    return [name for name in report.metrics if name not in (*HIGHER, *LOWER, *WITHHOLDING)]
