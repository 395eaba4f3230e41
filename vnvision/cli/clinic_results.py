"""``vnvision clinic report BUNDLE SOURCE.dcm... --out DIR``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from vnvision.clinic.results import ResultFiles


def report(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="DICOM images")],
    out: Annotated[Path, typer.Option(help="folder; each image gets one in it, named by its UID")],
    sr: Annotated[bool, typer.Option("--sr/--no-sr", help="structured report")] = True,
    sc: Annotated[bool, typer.Option("--sc/--no-sc", help="picture with the answer drawn on it")] = True,
    seg: Annotated[bool, typer.Option("--seg/--no-seg", help="segmentation, where there is a mask")] = True,
    language: Annotated[str, typer.Option(help="of the texts: vi or en")] = "vi",
    character_set: Annotated[
        str | None, typer.Option(help="of the sources' texts where they do not say it, as ISO_IR 192")
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, onnxruntime or openvino")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Answer for DICOM images, and write the answers as DICOM into the images' own studies.

    Research use, not a medical device. An image that cannot be read is reported, and the exit code is 1.
    """
    from vnvision.cli.predict import in_words
    from vnvision.clinic.results.batch import not_of_auto, report_files
    from vnvision.clinic.results.texts import text
    from vnvision.errors import ConfigError, DataError
    from vnvision.hub import shelf
    from vnvision.runtime import load_bundle

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    kinds = [name for name, asked in (("sr", sr), ("sc", sc), ("seg", seg)) if asked]
    if not kinds:
        raise ConfigError("nothing to write", expected="one of --sr, --sc, --seg")
    if str(bundle) == shelf.AUTO and not shelf.is_bundle(bundle):
        raise not_of_auto()
    model = load_bundle(bundle, engine=cast(Any, engine), threads=threads)
    statement = text("statement", cast(Any, language))
    failed = 0
    for source, result in report_files(
        model, sources, out=out, language=cast(Any, language), kinds=kinds, character_set=character_set
    ):
        line: dict[str, Any] = {"source": str(source), "statement": statement}
        if isinstance(result, DataError):
            failed += 1
            line["error"], words = str(result), [f"{source}: {result.in_both()}"]
        else:
            line |= {"answer": result.answer.model_dump(mode="json")}
            line |= {"files": result.files.model_dump(mode="json")}
            words = [f"{source}: {in_words(result.answer, model.task, language)}", *_listed(result.files)]
        print(json.dumps(line, ensure_ascii=False) if as_json else "\n".join(words))
    if not as_json:
        print(statement)
    if failed:
        raise typer.Exit(1)


def _listed(files: ResultFiles) -> list[str]:
    paths = [path for path in (files.sr, files.sc, files.seg) if path is not None]
    return [f"  wrote {path}" for path in paths] + [f"  note: {note}" for note in files.notes]
