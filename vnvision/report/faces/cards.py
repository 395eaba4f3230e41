"""The parts of the report in reading order: groups, overall results, charts, how it was measured."""

from __future__ import annotations

from typing import Any

from vnvision.evaluate.faces.records import FaceOperatingPoint, FaceReport
from vnvision.records import Metric
from vnvision.report.faces import charts
from vnvision.report.faces.group_cards import cross_card, groups_card
from vnvision.report.faces.view import (
    Block,
    Card,
    Cell,
    Facts,
    Picture,
    Table,
    notes_of,
    percent,
    percent_span,
    share_cell,
)
from vnvision.report.faces.words import Significant, named, rate_text, tell
from vnvision.report.phrases import Quantity


def cards(report: FaceReport) -> list[Card]:
    """Every card that the report has data for."""
    out = []
    if report.differential is not None:
        out.append(groups_card(report, report.differential))
        if len(report.differential.groups) > 1:
            out.append(cross_card(report, report.differential))
    if report.search is not None:
        out.append(_search(report))
    if report.tar_at_fmr or report.operating is not None:
        out.append(_overall(report))
    pictures = _pictures(report)
    if pictures:
        out.append(Card(tell("charts"), "", [pictures]))
    if report.failures:
        out.append(_failures(report))
    out.append(_how(report))
    return out


def _overall(report: FaceReport) -> Card:
    blocks: list[Block] = []
    if report.tar_at_fmr:
        heads = [tell("col_target_fmr"), tell("col_threshold"), tell("col_tar"), tell("col_supported")]
        rows = [
            [
                Cell(rate_text(one.at.target)),
                Cell(Quantity(one.at.threshold, "score")),
                share_cell(one.tar),
                Cell(tell("yes" if one.at.supported else "no"), "", "" if one.at.supported else "worse"),
            ]
            for one in report.tar_at_fmr
        ]
        blocks.append(Table("", heads, rows, notes_of([one.tar for one in report.tar_at_fmr])))
    blocks.append(Facts(_overall_facts(report)))
    return Card(tell("overall"), tell("overall_about") if report.tar_at_fmr else "", blocks)


def _overall_facts(report: FaceReport) -> list[tuple[Any, Any]]:
    facts: list[tuple[Any, Any]] = []
    if report.operating is not None:
        facts.append((tell("fact_operating"), Quantity(report.operating.threshold, "score")))
        facts.append((tell("fact_source"), source(report.operating)))
        for key, metric in (("fact_fmr", report.operating.fmr), ("fact_fnmr", report.operating.fnmr)):
            facts.append((tell(key), _with_span(metric)))
    if report.eer is not None:
        facts.append((tell("fact_eer"), percent(report.eer.rate)))
    if report.folds is not None:
        value = tell(
            "fact_folds_value",
            value=Quantity(100 * report.folds.accuracy, "short"),
            error=Significant(100 * report.folds.standard_error),
        )
        facts.append((tell("fact_folds", n=len(report.folds.per_fold)), value))
    facts.append((tell("fact_genuine"), report.n_genuine))
    facts.append((tell("fact_impostor"), report.n_impostor))
    return facts


def _with_span(metric: Metric) -> Any:
    """``0.10% (0.086%-0.11%)``."""
    if metric.value is None:
        return tell("undefined")
    ends = percent_span(metric)
    return (
        tell("with_range", value=percent(metric.value), range=ends) if ends != "" else percent(metric.value)
    )


def source(point: FaceOperatingPoint) -> Any:
    """Where the threshold comes from."""
    if point.source == "given" or point.target_fmr is None:
        named_point = point.source == "operating point"
        return tell("source_point", population=point.population) if named_point else tell("source_given")
    if point.source == "operating point":
        return tell("source_point", population=point.population)
    target = rate_text(point.target_fmr)
    if point.source == "reference group":
        return tell("source_reference", target=target, population=named("group", point.population))
    return tell("source_all", target=target)


def _pictures(report: FaceReport) -> list[Picture]:
    out = []
    if report.histogram is not None:
        searching = report.search is not None
        threshold = report.operating.threshold if report.operating is not None else None
        drawing = charts.histogram_chart(report.histogram, threshold, search=searching)
        about = tell("histogram_search_about") if searching else tell("histogram_about")
        out.append(Picture(drawing, tell("histogram"), about))
    if report.det:
        out.append(Picture(charts.det_chart(report), tell("det"), tell("det_about")))
    if report.roc:
        out.append(Picture(charts.roc_chart(report), tell("roc"), tell("roc_about")))
    if report.search is not None and report.search.cmc:
        out.append(Picture(charts.cmc_chart(report.search.cmc), tell("cmc"), tell("cmc_about")))
    return out


def _search(report: FaceReport) -> Card:
    search = report.search
    assert search is not None
    about = tell(
        "search_about",
        enrolled=search.n_enrolled,
        gallery=search.n_gallery,
        mated=search.n_mated,
        unknown=search.n_unknown,
    )
    heads = [
        tell("col_target_fpir"),
        tell("col_threshold"),
        tell("col_tpir"),
        tell("col_fpir"),
        tell("col_supported"),
    ]
    rows = [
        [
            Cell(rate_text(one.at.target)),
            Cell(Quantity(one.at.threshold, "score")),
            share_cell(one.tpir),
            share_cell(one.fpir),
            Cell(tell("yes" if one.at.supported else "no"), "", "" if one.at.supported else "worse"),
        ]
        for one in search.tpir
    ]
    notes = notes_of([metric for one in search.tpir for metric in (one.tpir, one.fpir)])
    return Card(tell("search"), about, [Table("", heads, rows, notes)])


def _failures(report: FaceReport) -> Card:
    metric = report.failure_to_enrol
    about = tell(
        "failures_about",
        failed=sum(one.n for one in report.failures),
        images=report.n_images,
        rate=percent(metric.value or 0.0),
        low=percent(metric.low or 0.0),
        high=percent(metric.high if metric.high is not None else 1.0),
    )
    rows = [[Cell(named("reason", one.reason)), Cell(one.n)] for one in report.failures]
    return Card(tell("failures"), about, [Table("", [tell("col_reason"), tell("images")], rows)])


def _how(report: FaceReport) -> Card:
    facts: list[tuple[Any, Any]] = [(tell("fact_protocol"), named("protocol", report.protocol))]
    if report.group is not None:
        facts.append((tell("fact_group"), report.group))
    if report.within is not None:
        facts.append((tell("fact_within"), report.within))
    hashes = [
        (tell("fact_model"), report.model or tell("not_stated")),
        (tell("fact_manifest"), report.manifest_sha256 or tell("not_stated")),
    ]
    return Card(tell("how"), tell("glossary"), [Facts(facts), Facts(hashes, code=True)])
