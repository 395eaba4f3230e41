"""``vnvision face eval --data FOLDER_OR_MANIFEST --protocol P --group COLUMN --out DIR --json``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vnvision.cli import face
from vnvision.cli.face import Engine, Model, Threads
from vnvision.cli.face_data import Where, templates
from vnvision.cli.show import bar, figure

if TYPE_CHECKING:
    from vnvision.evaluate.faces import FaceReport
    from vnvision.evaluate.faces.pair_lists import PairList
    from vnvision.faces.embedded import EmbeddedFaces
    from vnvision.faces.engine import FaceEngine
    from vnvision.metrics.differential import DifferentialReport

app = typer.Typer()


@app.command("eval")
def evaluate(
    data: Annotated[
        Path,
        typer.Option(help="folder with a folder a person, manifest, file of face embed, or a .bin set"),
    ],
    out: Annotated[Path, typer.Option(help="folder for report.html, report.pdf and report.json")],
    protocol: Annotated[
        str | None, typer.Option(help="all-pairs, lfw or 1n; default: all-pairs, lfw with --pairs or .bin")
    ] = None,
    group: Annotated[str | None, typer.Option(help="column of the groups to hold against each other")] = None,
    reference: Annotated[
        str | None, typer.Option(help="group the others are held against; default: the largest")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(help="cosine, or a stored operating point such as fmr=1e-3@lfw")
    ] = None,
    fmr: Annotated[
        float, typer.Option(help="without --threshold: the rate that the reference group is held at")
    ] = 1e-3,
    pairs: Annotated[Path | None, typer.Option(help="pairs.txt in LFW's form, for protocol lfw")] = None,
    within: Annotated[
        str | None, typer.Option(help="column: only pictures with one value of it are compared")
    ] = None,
    identity: Annotated[str, typer.Option(help="column that names the person")] = "identity",
    where: Where = None,
    language: Annotated[str, typer.Option(help="shown first in the report: vi or en")] = "en",
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Annotated[bool, typer.Option(help="no progress bar")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the whole report on standard output")] = False,
) -> None:
    """How well people are told apart, and for whom: error rates by group at one threshold."""
    from vnvision.errors import ConfigError
    from vnvision.evaluate.faces import evaluate_faces
    from vnvision.faces.thresholds import resolve
    from vnvision.report.faces import write_face_report

    _check_options(protocol, threshold, fmr, language)
    if protocol == "lfw" and pairs is None and data.suffix.lower() != ".bin":
        raise ConfigError(
            "protocol lfw needs its pairs", expected="--pairs FILE, or a .bin set", got="neither"
        )
    columns = [name for name in (None if pairs else identity, group, within) if name]
    opened = cache(partial(face.open_engine, engine, threads, model))
    faces, listed = _load(data, pairs, where or [], opened, model, quiet, columns)
    limit = None
    if threshold is not None:  # an engine that was opened may bring points of its own, as bundles do
        embedded_now = opened.cache_info().currsize > 0
        limit = opened().threshold(threshold) if embedded_now else resolve(threshold, faces.model)
    report = evaluate_faces(
        faces,
        cast(Any, protocol or ("lfw" if listed is not None else "all-pairs")),
        pairs=listed,
        group=group,
        reference=reference,
        threshold=None if limit is None else limit.point or limit.value,
        fmr=fmr,
        within=within,
        identity=identity,
        name=" ".join([data.stem, *(where or [])]),
    )
    path = write_face_report(report, out, language=cast(Any, language))
    if as_json:
        print(report.to_json())
        return
    _show(report)
    print(f"report: {path}")


def _check_options(protocol: str | None, threshold: str | None, fmr: float, language: str) -> None:
    """Refuse what cannot be followed before any picture is embedded."""
    from vnvision.errors import ConfigError
    from vnvision.evaluate.faces import PROTOCOLS
    from vnvision.faces.threshold_requests import is_number, parse_request
    from vnvision.metrics.thresholds import check_rate
    from vnvision.report.phrases import LANGUAGES

    if protocol is not None and protocol not in PROTOCOLS:
        raise ConfigError("protocol", expected=", ".join(PROTOCOLS), got=protocol)
    if language not in LANGUAGES:
        raise ConfigError("language", expected=" or ".join(LANGUAGES), got=language)
    check_rate(fmr)
    if threshold is not None and not is_number(threshold):
        parse_request(threshold)


def _load(
    data: Path,
    pairs: Path | None,
    where: list[str],
    engine: Callable[[], FaceEngine],
    model: str | None,
    quiet: bool,
    columns: list[str],
) -> tuple[EmbeddedFaces, PairList | None]:
    from vnvision.data.records.bin_sets import read_bin
    from vnvision.evaluate.faces import pair_lists
    from vnvision.faces.aligned import embed_aligned

    if data.suffix.lower() == ".bin":
        found = read_bin(data)
        with bar("embedding", quiet=quiet) as progress:
            faces = embed_aligned(engine(), found.images, data, progress=progress)
        return faces, pair_lists.pairs_in_order(found.same)
    faces = templates(data, where, engine, model, quiet, columns)
    if pairs is None:
        return faces, None
    return faces, pair_lists.pairs_of_names(pair_lists.read_pairs_txt(pairs), faces.paths)


def _show(report: FaceReport) -> None:
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
