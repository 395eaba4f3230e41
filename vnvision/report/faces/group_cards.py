"""The cards on groups: each group's rates in a picture, in words and in a table, and rates across groups."""

from __future__ import annotations

from typing import Any

from vnvision.evaluate.faces.records import FaceReport
from vnvision.metrics.differential import DifferentialReport, GroupRates
from vnvision.records import Metric
from vnvision.report.faces import group_charts
from vnvision.report.faces.group_charts import sorted_groups, tone
from vnvision.report.faces.headline import base_of
from vnvision.report.faces.view import (
    Block,
    Card,
    Cell,
    Picture,
    Sentences,
    Table,
    base_cell,
    notes_of,
    ratio_cell,
    share_cell,
    whole,
)
from vnvision.report.faces.words import Significant, named, tell
from vnvision.report.phrases import Quantity


def _fmr(row: GroupRates) -> Metric:
    return row.fmr


def _fnmr(row: GroupRates) -> Metric:
    return row.fnmr


def groups_card(report: FaceReport, groups: DifferentialReport) -> Card:
    """Each group at the report's threshold."""
    base = base_of(report)
    level = next((row.fmr.level for row in groups.groups), 0.95)
    about = tell(
        "differential_about",
        threshold=Quantity(groups.threshold, "score"),
        level=whole(level),
        reference=named("group", groups.reference),
    )
    fmr = group_charts.rates_chart(
        groups, tell("chart_fmr", base=base), base, _fmr, lambda row: row.fmr_ratio
    )
    fnmr = group_charts.rates_chart(groups, tell("chart_fnmr"), 100, _fnmr, lambda row: row.fnmr_ratio)
    blocks: list[Block] = [[Picture(fmr, tell("on_fmr"), wide=True)]]
    blocks.append(
        Sentences([_sentence(row, base) for row in sorted_groups(groups) if row.fmr.value is not None])
    )
    blocks.append([Picture(fnmr, tell("on_fnmr"), wide=True)])
    blocks.append(_group_table(groups, base))
    return Card(tell("differential"), about, blocks)


def _sentence(row: GroupRates, base: int) -> tuple[Any, str]:
    """One group in plain words."""
    words = {
        "group": named("group", row.group),
        "base": base,
        "value": Significant((row.fmr.value or 0) * base),
    }
    if row.fmr.value == 0:
        return tell("say_none", group=words["group"], n=row.fmr.n), tone(row.fmr_ratio)
    if row.fmr_ratio is None or row.fmr_ratio.value is None:
        return tell("say_reference", **words), "own"
    return tell("say_group", ratio=Significant(row.fmr_ratio.value), **words), tone(row.fmr_ratio)


def _group_table(groups: DifferentialReport, base: int) -> Table:
    heads = [
        tell("col_group"),
        tell("col_fmr", base=base),
        tell("col_fmr_ratio"),
        tell("col_fnmr"),
        tell("col_fmr_ratio"),
    ]
    enrolled = any(row.failure_to_enrol is not None for row in groups.groups)
    heads += [tell("col_fte")] if enrolled else []
    rows = []
    for row in sorted_groups(groups):
        people = tell("people_images", people=row.n_subjects, images=row.n_images)
        cells = [
            Cell(named("group", row.group), people),
            base_cell(row.fmr, base, tone(row.fmr_ratio)),
            ratio_cell(row.fmr_ratio, tone(row.fmr_ratio)),
            share_cell(row.fnmr, tone(row.fnmr_ratio)),
            ratio_cell(row.fnmr_ratio, tone(row.fnmr_ratio)),
        ]
        if enrolled:
            cells.append(share_cell(row.failure_to_enrol) if row.failure_to_enrol else Cell(tell("dash")))
        rows.append(cells)
    notes = notes_of([metric for row in groups.groups for metric in (row.fmr, row.fnmr, row.fmr_ratio)])
    return Table(tell("table_groups"), heads, rows, notes)


def cross_card(report: FaceReport, groups: DifferentialReport) -> Card:
    """False matches between people of two groups."""
    base = base_of(report)
    picture = Picture(group_charts.cross_chart(groups, base), wide=True)
    return Card(tell("cross"), tell("cross_about", base=base), [[picture]])
