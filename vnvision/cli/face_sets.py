"""``vnvision face (align | overlap)``: sets of faces made ready for training, and held against each other."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from vnvision.cli import face
from vnvision.cli.face import AsJson, Engine, Identity, Model, Quiet, Threads
from vnvision.cli.face_data import Where, templates
from vnvision.cli.show import bar

app = typer.Typer()


@app.command("align")
def align(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="manifest with a column path, or folder with a folder a person"),
    ],
    out: Annotated[Path, typer.Option(help="folder for the crops and their manifest")],
    where: Where = None,
    encoding: Annotated[str, typer.Option(help="png, without loss, or jpg of quality 95")] = "png",
    workers: Annotated[int, typer.Option(min=1, help="processes, each with an engine of its own")] = 1,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Cut every face out once, 112 x 112, for training. Stopped and started again, it goes on where it was.

    Pictures without a face are listed in not_aligned.csv; where one cannot be read the exit code is 1.
    """
    from vnvision.faces.aligned_cache import build_aligned
    from vnvision.faces.listing import list_pictures

    pictures = list_pictures(data, where=where or ())
    opened = partial(face.open_engine, engine, threads, model)
    with bar("aligning", quiet=quiet) as progress:
        done = build_aligned(
            opened, pictures, out, encoding=cast(Any, encoding), workers=workers, progress=progress
        )
    print(f"manifest  {done.manifest}  {done.n_aligned} of {done.n} pictures")
    if done.n_aligned < done.n:
        print(f"{done.n - done.n_aligned} pictures have no crop: see {done.skipped}", file=sys.stderr)
    if done.n_unreadable:
        raise typer.Exit(1)


@app.command("overlap")
def overlap(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="file of face embed, manifest or folder")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="the other set, of the same model")],
    threshold: Annotated[
        str, typer.Option(help="cosine, or a stored operating point such as fmr=1e-5@lfw")
    ] = face.DEFAULT,
    by: Annotated[
        str, typer.Option(help="centroid: mean of each person's templates; best: the two most alike pictures")
    ] = "centroid",
    identity: Identity = "identity",
    out: Annotated[Path | None, typer.Option(help="CSV or Parquet of the pairs")] = None,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """People of one set who are likely in the other, such as test people among training people.

    The exit code is 1 where there are any.
    """
    from dataclasses import asdict

    from vnvision.faces.overlap import find_overlap
    from vnvision.faces.overlap_records import write_overlap
    from vnvision.faces.thresholds import resolve

    opened = partial(face.open_engine, engine, threads, model)
    sets = [templates(data, [], opened, model, quiet, [identity]) for data in (first, second)]
    limit = resolve(threshold, sets[0].model)
    found = find_overlap(sets[0], sets[1], limit.value, by=cast(Any, by), identity=identity)
    if out is not None:
        write_overlap(found, out)
    for pair in found.pairs:
        if as_json:
            print(json.dumps(asdict(pair), ensure_ascii=False))
        elif out is None:
            print(f"{pair.cosine:.3f}  {pair.first} ({pair.n_first})  {pair.second} ({pair.n_second})  "
                  f"{pair.first_path}  {pair.second_path}")  # fmt: skip
    if not as_json:
        where = f": {out}" if out is not None else ""
        print(
            f"{found.first_people} of {found.n_first} people are likely among the {found.n_second} others, "
            f"{len(found.pairs)} pairs by {by} at cosine {found.threshold:.3f}"
            f"{face.origin(limit.point)}{where}"
        )
    if found.pairs:
        raise typer.Exit(1)
