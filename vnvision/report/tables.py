"""The report's tables as plain values: metrics, parts of the data, confusion, classes, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vnvision.records import EvalReport, Metric, OperatingPoint
from vnvision.report import figures
from vnvision.report.phrases import Html, Phrase, Quantity, both, known_or, phrase, show
from vnvision.spec import Label

_SHADE = 0.62  # the strongest colour on which dark and light text still reach AA


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the confusion matrix; ``shade`` is the strength of its colour, 0..1."""

    count: Html
    share: Html
    shade: float
    right: bool


def metrics(report: EvalReport) -> dict[str, Any]:
    """Three tables of metrics, and the notes they share."""
    limit = Quantity(report.calibration.abstain_below or 0.0, "percent")
    return metric_tables(
        report,
        [
            (phrase("higher"), phrase("higher_about"), (*figures.HIGHER, *figures.other_names(report))),
            (phrase("lower"), phrase("lower_about"), figures.LOWER),
            (phrase("withholding"), phrase("withholding_about", limit=limit), figures.WITHHOLDING),
        ],
    )


def metric_tables(
    report: EvalReport, wanted: Sequence[tuple[Phrase, Phrase, Sequence[str]]]
) -> dict[str, Any]:
    """Tables (title, about, names of metrics) of the metrics there are, and the notes they share."""
    rows, notes = figures.with_marks([figures.figures(report, names) for _, _, names in wanted])
    tables = [
        {"title": show(title), "about": show(about), "rows": found}
        for (title, about, _), found in zip(wanted, rows, strict=True)
        if found
    ]
    return {"tables": tables, "metric_notes": notes}


def matrix(rows: list[tuple[Html, Html, dict[str, Metric]]], names: Sequence[str]) -> dict[str, Any]:
    """A table of several metrics a row: (row name, count, metrics)."""
    names = [name for name in names if any(name in metrics for *_, metrics in rows)]
    cells = [
        [figures.figure(name, metrics[name]) for name in names if name in metrics] for *_, metrics in rows
    ]
    marked, notes = figures.with_marks(cells)
    return {
        "names": [show(known_or("metric", name)) for name in names],
        "rows": [
            {"name": name, "n": count, "cells": row}
            for (name, count, _), row in zip(rows, marked, strict=True)
        ],
        "notes": notes,
        "count_name": show(phrase("col_n")),
    }


def parts(report: EvalReport, names: Sequence[str] = figures.PARTS) -> list[dict[str, Any]]:
    """One table a column: each value with its metrics."""
    tables: dict[str, list[Any]] = {}
    for row in report.groups:
        name = show(row.value) if row.value else show(phrase("part_unknown"))
        tables.setdefault(row.column, []).append((name, show(row.n), row.metrics))
    return [
        {"title": show(known_or("column", column)), **matrix(rows, names)} for column, rows in tables.items()
    ]


def confusion(report: EvalReport) -> list[list[Cell]]:
    """Cells by truth and answer, shaded by their share of the row."""
    rows = []
    for i, counts in enumerate(report.confusion):
        total = sum(counts)
        shares = [count / total if total else 0.0 for count in counts]
        rows.append(
            [
                Cell(
                    show(count), show(Quantity(share, "whole")) if count else Html(""), _SHADE * share, i == j
                )
                for j, (count, share) in enumerate(zip(counts, shares, strict=True))
            ]
        )
    return rows


def per_class(
    report: EvalReport,
    labels: dict[str, Label],
    names: Sequence[str] = figures.PER_CLASS,
    *,
    objects: bool = False,
) -> dict[str, Any]:
    """One row a class: its size, in images or in ``objects``, and those of its metrics."""

    def size(metrics: dict[str, Metric]) -> int:
        counted = metrics.get("n")
        if counted is None:
            return 0
        return int(counted.value or 0) if objects else counted.n

    rows = [
        (show(labels.get(label, label)), show(size(metrics)), metrics)
        for label, metrics in report.per_class.items()
    ]
    return matrix(rows, names) | ({"count_name": show(phrase("col_objects"))} if objects else {})


def point(point: OperatingPoint, labels: dict[str, Label]) -> dict[str, Any]:
    """One operating point; its note holds the sensitivity."""
    asked = point.target.partition("=")[2]
    target: Any = point.target
    if point.target.startswith("specificity="):
        target = phrase("target_specificity", value=Quantity(float(asked), "whole"))
    return {
        "label": show(labels.get(point.label or "", point.label or "")),
        "target": show(target),
        "threshold": show(Quantity(point.threshold, "score")),
        "figure": figures.figure("specificity", point.achieved),
        "value": figures.value_html(point.achieved, "percent"),
        "interval": both(lambda code: figures.interval_text(point.achieved, "percent", code)),
    }
