"""What ``vnvision face eval`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vnvision.cli.show import figure

if TYPE_CHECKING:
    from vnvision.evaluate.faces import FaceReport
    from vnvision.metrics.differential import DifferentialReport


def show_faces(report: FaceReport) -> None:
    """The figures that matter as lines."""
    kinds = ("comparisons of one person", "of two")
    if report.search is not None:
        kinds = ("searches for enrolled people", "for strangers")
    print(
        f"{report.n_images} pictures of {report.n_subjects} people; {report.n_genuine:,} {kinds[0]}, "
        f"{report.n_impostor:,} {kinds[1]}; 95 % intervals over people"
    )
    if report.folds is not None:
        folds = report.folds
        print(f"  accuracy over folds             {folds.accuracy:.4f} ± {folds.standard_error:.4f}")
    for row in report.tar_at_fmr:
        few = "" if row.at.supported else f"  (too few comparisons for this rate: {row.at.n_impostor:,})"
        print(f"  TAR at FMR {row.at.target:<8g}             {figure(row.tar)}{few}")
    if report.eer is not None:
        print(f"  EER                             {report.eer.rate:.4f}")
    print(f"  failure to enrol                {figure(report.failure_to_enrol)}")
    if report.search is not None:
        for found in report.search.tpir:
            print(f"  TPIR at FPIR {found.at.target:<8g}           {figure(found.tpir)}")
        if report.search.cmc:
            print(f"  rank 1                          {figure(report.search.cmc[0])}")
    if report.operating is not None:
        point = report.operating
        print(
            f"  at threshold {point.threshold:.4f} ({point.source}{': ' if point.population else ''}"
            f"{point.population})"
        )
        print(f"    FMR                           {_rate(point.fmr)}")
        print(f"    FNMR                          {_rate(point.fnmr)}")
    if report.differential is not None:
        _show_groups(report.differential)
    for warning in report.warnings:
        print(f"  note: {warning}")


def _show_groups(found: DifferentialReport) -> None:
    print(f"  by group, held against {found.reference}:")
    for row in found.groups:
        ratio = ""
        if row.fmr_ratio is not None and row.fmr_ratio.value is not None:
            ratio = f", {row.fmr_ratio.value:.1f} times {found.reference}"
        print(
            f"    {row.group}: {row.n_subjects} people, FMR {_rate(row.fmr)}{ratio}; FNMR {_rate(row.fnmr)}"
        )
    for row in found.groups:
        for warning in row.warnings:
            print(f"    note: {warning}")
    for warning in found.warnings:
        print(f"    note: {warning}")


def _rate(metric: Any) -> str:
    if metric.value is None:
        return "not defined"
    interval = "" if metric.low is None else f" [{metric.low:.1e}, {metric.high:.1e}]"
    return f"{metric.value:.1e}{interval}"
