"""The first thing a reader sees: one number, and what it means in a sentence."""

from __future__ import annotations

from typing import Any

from vnvision.evaluate.faces.records import FaceReport
from vnvision.metrics.differential import DifferentialReport
from vnvision.metrics.identification import complement
from vnvision.records import Metric
from vnvision.report.faces.group_charts import sorted_groups, tone, worst_ratio
from vnvision.report.faces.view import Headline, percent, percent_span, span, whole
from vnvision.report.faces.words import Significant, named, per_base, tell


def base_of(report: FaceReport) -> int:
    """The round number that false matches are told out of."""
    if report.operating is None:
        return 1000
    rates = [report.operating.fmr.value or 0.0]
    if report.differential is not None:
        own = [
            row.fmr.value for row in report.differential.groups if row.group == report.differential.reference
        ]
        rates = [own[0] or 0.0] if own else rates
    return per_base(report.operating.target_fmr, rates)


def headline(report: FaceReport) -> Headline:
    """Of the worst group where groups are known; else of all comparisons, or of searches."""
    if report.search is not None:
        return _search(report)
    if report.differential is not None and len(report.differential.groups) > 1:
        return _groups(report, report.differential)
    return _overall(report)


def _groups(report: FaceReport, groups: DifferentialReport) -> Headline:
    base = base_of(report)
    about = {"base": base, "reference": named("group", groups.reference)}
    row = worst_ratio(groups)
    if row is None or row.fmr_ratio is None or row.fmr_ratio.value is None:
        first = sorted_groups(groups)[0]
        value = Significant((first.fmr.value or 0.0) * base)
        plain = _overall(report)
        lead = tell("lead_no_ratio", group=named("group", first.group), value=value, **about)
        return Headline([lead], plain.big, plain.big_name, plain.big_small)
    ratio = row.fmr_ratio
    more = row.fmr_ratio.value > 1
    lead = tell(
        "lead_group" if more else "lead_group_less",
        group=named("group", row.group),
        value=Significant((row.fmr.value or 0.0) * base),
        ratio=Significant(row.fmr_ratio.value),
        **about,
    )
    leads = [lead, *_certainty(ratio)]
    big = tell("times", value=Significant(row.fmr_ratio.value))
    return Headline(leads, big, tell("big_ratio"), _interval(ratio, span(ratio)), tone(ratio))


def _certainty(ratio: Metric) -> list[Any]:
    """Whether the interval of the ratio excludes 1."""
    if ratio.low is None or ratio.high is None:
        return []
    ends = {"low": Significant(ratio.low), "high": Significant(ratio.high), "level": whole(ratio.level)}
    return [tell("lead_unclear" if ratio.low <= 1 <= ratio.high else "lead_clear", **ends)]


def _interval(metric: Metric, shown: Any) -> Any:
    """The interval with its level, empty where there is none."""
    if shown == "":
        return ""
    return tell("interval", level=whole(metric.level), **shown.fields)


def _overall(report: FaceReport) -> Headline:
    point, base = report.operating, base_of(report)
    if point is None or point.fmr.value is None or point.fnmr.value is None:
        return Headline([], tell("dash"), tell("undefined"), "")
    tar = complement(point.fnmr)
    said = tell("lead_pairs", base=base, value=Significant(point.fmr.value * base))
    leads = [
        said if point.fmr.value else tell("lead_pairs_none", n=point.fmr.n),
        tell("lead_missed", value=Significant(100 * point.fnmr.value)),
    ]
    return Headline(leads, percent(1 - point.fnmr.value), tell("big_tar"), _interval(tar, percent_span(tar)))


def _search(report: FaceReport) -> Headline:
    assert report.search is not None
    rows = report.search.tpir
    best = next((one for one in reversed(rows) if one.at.supported), rows[0])
    if best.tpir.value is None or best.fpir.value is None:
        return Headline([], tell("dash"), tell("undefined"), "")
    lead = tell(
        "lead_search",
        found=Significant(100 * best.tpir.value),
        wrong=Significant(100 * best.fpir.value),
    )
    shown = _interval(best.tpir, percent_span(best.tpir))
    return Headline([lead], percent(best.tpir.value), tell("big_tpir"), shown)
