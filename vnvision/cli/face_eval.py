"""``vnvision face eval --data FOLDER_OR_MANIFEST --protocol P --group COLUMN --out DIR --json``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vnvision.cli import face
from vnvision.cli.face import Engine, Identity, Model, Quiet, Threads
from vnvision.cli.face_data import Where, templates
from vnvision.cli.show import bar
from vnvision.cli.show_faces import show_faces

if TYPE_CHECKING:
    from vnvision.evaluate.faces.pair_lists import PairList
    from vnvision.faces.embedded import EmbeddedFaces
    from vnvision.faces.engine import FaceEngine
    from vnvision.records import OperatingPoint

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
    identity: Identity = "identity",
    where: Where = None,
    language: Annotated[str, typer.Option(help="shown first in the report: vi or en")] = "en",
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="the whole report on standard output")] = False,
) -> None:
    """How well people are told apart, and for whom: error rates by group at one threshold."""
    from vnvision.evaluate.faces import evaluate_faces
    from vnvision.report.faces import write_face_report

    _check_options(protocol, threshold, fmr, language, listed=pairs is not None or _is_bin(data))
    columns = [name for name in (None if pairs else identity, group, within) if name]
    opened = cache(partial(face.open_engine, engine, threads, model))
    faces, listed = _load(data, pairs, where or [], opened, model, quiet, columns)
    # An engine that was opened may bring operating points of its own, as bundles do.
    embedder = opened() if opened.cache_info().currsize > 0 else None
    report = evaluate_faces(
        faces,
        cast(Any, protocol or ("lfw" if listed is not None else "all-pairs")),
        pairs=listed,
        group=group,
        reference=reference,
        threshold=_limit(threshold, embedder, faces.model),
        fmr=fmr,
        within=within,
        identity=identity,
        name=" ".join([data.stem, *(where or [])]),
    )
    path = write_face_report(report, out, language=cast(Any, language))
    if as_json:
        print(report.to_json())
        return
    show_faces(report)
    print(f"report: {path}")


def _limit(threshold: str | None, embedder: FaceEngine | None, model: str) -> OperatingPoint | float | None:
    """The threshold asked for, with its operating point where one is stored."""
    from vnvision.faces.thresholds import resolve

    if threshold is None:
        return None
    limit = resolve(threshold, model) if embedder is None else embedder.threshold(threshold)
    return limit.point or limit.value


def _is_bin(data: Path) -> bool:
    return data.suffix.lower() == ".bin"


def _check_options(
    protocol: str | None, threshold: str | None, fmr: float, language: str, *, listed: bool
) -> None:
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
    if protocol == "lfw" and not listed:
        raise ConfigError(
            "protocol lfw needs its pairs", expected="--pairs FILE, or a .bin set", got="neither"
        )


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

    if _is_bin(data):
        found = read_bin(data)
        with bar("embedding", quiet=quiet) as progress:
            faces = embed_aligned(engine(), found.images, data, progress=progress)
        return faces, pair_lists.pairs_in_order(found.same)
    faces = templates(data, where, engine, model, quiet, columns)
    if pairs is None:
        return faces, None
    return faces, pair_lists.pairs_of_names(pair_lists.read_pairs_txt(pairs), faces.paths)
