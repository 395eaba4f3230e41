"""``vnvision face (embed | calibrate)``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vnvision.cli import face
from vnvision.cli.face import AsJson, Engine, Model, Quiet, Threads
from vnvision.cli.show import bar

if TYPE_CHECKING:
    from vnvision.faces.embedded import EmbeddedFaces
    from vnvision.faces.engine import FaceEngine

app = typer.Typer()

Data = Annotated[
    Path,
    typer.Option(
        help="folder with a folder a person, manifest with path and identity, or file of face embed"
    ),
]
Where = Annotated[
    list[str] | None, typer.Option(help="COLUMN=VALUE: only these rows of the manifest; may be repeated")
]


@app.command("embed")
def embed(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="folder of pictures, or manifest with a column path")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write")],
    where: Where = None,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Templates of many pictures as one Parquet file. Stopped and started again, it goes on where it was.

    A picture that cannot be read is reported, and the exit code is 1.
    """
    from vnvision.faces.bulk import embed_pictures
    from vnvision.faces.listing import list_pictures
    from vnvision.faces.parquet import read_embedded

    pictures = list_pictures(data, where=where or ())
    with bar("embedding", quiet=quiet) as progress:
        path = embed_pictures(face.open_engine(engine, threads, model), pictures, out, progress=progress)
    done = read_embedded(path)
    reasons = [reason.split(":")[0] for reason in done.reasons]
    failed = ", ".join(f"{reasons.count(name)} {name}" for name in sorted(set(reasons)) if name)
    for picture, reason in zip(done.paths, done.reasons, strict=True):
        if reason.startswith("unreadable"):
            print(f"{picture}: {reason}", file=sys.stderr)
    print(f"{path}: {reasons.count('')} of {len(reasons)} pictures{f' ({failed})' if failed else ''}")
    if "unreadable" in reasons:
        raise typer.Exit(1)


@app.command("calibrate")
def calibrate(
    data: Data,
    fmr: Annotated[str, typer.Option(help="false match rates, with commas between them")] = "1e-3,1e-4",
    population: Annotated[str | None, typer.Option(help="name to keep the thresholds under")] = None,
    group: Annotated[
        str | None, typer.Option(help="column whose values are the populations, instead of one name")
    ] = None,
    where: Where = None,
    out: Annotated[Path | None, typer.Option(help="file to add them to; default: this machine's own")] = None,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Learn thresholds for false match rates from pictures of known people.

    One picture each of 78 people is enough for 1e-3, of 246 for 1e-4: three comparisons for each one wrong.

    A rate that the data is too small for (rule of 3) is not kept, and the exit code is 1.
    """
    from vnvision.errors import ConfigError
    from vnvision.faces.calibrate import calibrate as learn
    from vnvision.faces.thresholds import save_points

    if (population is None) == (group is None):
        raise ConfigError(
            "whose thresholds are these?", expected="either --population NAME or --group COLUMN"
        )
    rates = _rates(fmr)
    columns = ["identity", *([group] if group else [])]
    opened = partial(face.open_engine, engine, threads, model)
    faces = templates(data, where or [], opened, model, quiet, columns)
    found = learn(faces, rates, population=population, group=group)
    if found.points:
        path = save_points(faces.model, found.points, out)
    for point in found.points:
        if as_json:
            print(json.dumps(point.model_dump(mode="json"), ensure_ascii=False))
        else:
            print(f"{point.population} {point.target}: threshold {point.threshold:.4f}{face.origin(point)}")
    for few in found.refused:
        print(few.text("en"), few.text("vi"), sep=" | ", file=typer.get_text_stream("stderr"))
    if found.points and not as_json:
        last = found.points[-1]
        request = shlex.quote(f"{last.target}@{last.population}")
        # Only the machine's own file is looked into.
        hint = "" if out else f"; use them with: vnvision face verify A B --threshold {request}"
        print(f"kept in {path}{hint}")
    if found.refused:
        raise typer.Exit(1)


def templates(
    data: Path,
    where: list[str],
    engine: Callable[[], FaceEngine],
    model: str | None,
    quiet: bool,
    columns: Sequence[str] = ("identity",),
) -> EmbeddedFaces:
    """What ``face embed`` wrote, or the pictures of a folder or manifest embedded now by ``engine()``.

    Raises:
        DataError: nothing there, it is no such file, or lacks one of ``columns``.
        ConfigError: a model is named for templates that have one.
    """
    from vnvision.errors import ConfigError
    from vnvision.faces.bulk import embed_in_memory
    from vnvision.faces.conditions import column_of
    from vnvision.faces.listing import list_pictures
    from vnvision.faces.parquet import is_embedded, read_embedded

    if data.is_file() and is_embedded(data):
        if model is not None:
            raise ConfigError("stored templates have their model", expected="no --model with them", got=model)
        return read_embedded(data).where(where)
    pictures = list_pictures(data, where=where)
    for name in columns:  # before any picture is embedded
        column_of(pictures.columns, name)
    with bar("embedding", quiet=quiet) as progress:
        return embed_in_memory(engine(), pictures, progress=progress)


def _rates(text: str) -> list[float]:
    from vnvision.errors import ConfigError

    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError as exc:
        raise ConfigError("a rate is wrong", expected="such as 1e-3,1e-4", got=text) from exc
    if not all(0 < rate < 1 for rate in rates):  # before any picture is embedded
        raise ConfigError("a rate is wrong", expected="0 < rate < 1, such as 1e-3", got=text)
    return rates
