"""``vnvision face (cluster | anonymise | quality | occlusion)``: whole jobs on photos of people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vnvision.cli import face
from vnvision.cli.face import AsJson, Engine, Model, Population, Quiet, Threads, Wanted
from vnvision.cli.predict import ENGINES
from vnvision.cli.show import bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vnvision.faces.anonymise import AnonymisedPhoto
    from vnvision.faces.clusters_records import PhotoClusters
    from vnvision.faces.quality.texts import Language

app = typer.Typer()

Photos = Annotated[list[Path], typer.Argument(metavar="PATH...", help="photos or folders of photos")]
Speech = Annotated[str, typer.Option(help="of the texts: vi or en")]
SamePhoto = Annotated[
    bool, typer.Option("--same-photo", help="one person may be in a photo twice: mirrors, collages")
]
KeepFaceless = Annotated[
    bool, typer.Option("--keep-faceless", help="write photos without a face too, without their metadata")
]
Replace = Annotated[bool, typer.Option("--replace", help="overwrite copies that lie there already")]

_SUMMARY = {"photos", "threshold", "people", "without_face", "unreadable", "copies"}


@app.command("cluster")
def cluster(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="photos, also in folders below")],
    out: Annotated[Path, typer.Option(help="folder for clusters.csv, clusters.json and index.html")],
    threshold: Wanted = "fmr=1e-3",
    population: Population = None,
    same_photo: SamePhoto = False,
    language: Speech = "vi",
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Group the faces of a photo folder by person, without names: a table and a page to look through.

    A photo that cannot be read is reported, and the exit code is 1.
    """
    from vnvision.faces.clusters import cluster_photos

    speech = _language(language)
    with bar("grouping", quiet=quiet) as progress:
        found = cluster_photos(
            folder,
            out=out,
            threshold=threshold,
            population=population,
            same_photo=same_photo,
            engine=face.open_engine(engine, threads, model),
            language=speech,
            progress=progress,
        )
    for one in found.unreadable:
        print(one.problem, file=sys.stderr)
    if as_json:
        print(found.model_dump_json(include=_SUMMARY))
    else:
        print(_counted(found, speech))
        print(out / "index.html")
    if found.unreadable:
        raise typer.Exit(1)


@app.command("anonymise")
def anonymise(
    paths: Photos,
    out: Annotated[Path, typer.Option(help="folder for the copies; originals are never touched")],
    method: Annotated[str, typer.Option(help="blur, pixelate or fill")] = "blur",
    keep_faceless: KeepFaceless = False,
    replace: Replace = False,
    language: Speech = "vi",
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Hide every face of photos, hair to chin, and drop EXIF. Look at the copies before they leave the house.

    Photos in which no face was found are named and not written, and the exit code is 1: one that was missed
    is not hidden.
    """
    from vnvision.faces import anonymise as job

    speech, chosen = _language(language), _engine(engine)
    with bar("hiding", quiet=quiet) as progress:
        done = job.anonymise_faces(
            paths,
            out=out,
            method=cast(Any, method),
            keep_faceless=keep_faceless,
            replace=replace,
            detectors=job.watchful_detectors(engine=chosen, threads=threads),
            progress=progress,
        )
    for photo in done.photos:
        if as_json:
            print(photo.model_dump_json(exclude_none=True))
        else:
            _tell(photo, speech)
    if missed := [photo.path for photo in done.photos if photo.status == "no_face"]:
        print(_not_hidden(missed, speech), file=sys.stderr)
    if not done.all_hidden:
        raise typer.Exit(1)


@app.command("quality")
def quality(
    paths: Photos,
    csv: Annotated[Path | None, typer.Option("--csv", help="table to write, a row a photo")] = None,
    language: Speech = "vi",
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Is each photo good enough to enrol a person with, or to verify one? If not, why, and what to do.

    A photo that cannot be read is reported, and the exit code is 1.
    """
    from vnvision.faces.photo_quality import face_quality, quality_table

    speech = _language(language)
    files = face.pictures_in(paths)
    with bar("judging", quiet=quiet) as progress:
        photos = face_quality(files, engine=face.open_engine(engine, threads), progress=progress)
    if csv is not None:
        _write(csv, quality_table(photos, speech))
    for photo in photos:
        if as_json:
            texts = {"verdict": photo.verdict(speech), "advice": photo.advice(speech)}
            print(json.dumps(photo.model_dump(mode="json", exclude_none=True) | texts, ensure_ascii=False))
            continue
        score = "" if photo.score is None else f" ({photo.score:.0f}/100)"
        print(f"{photo.path}: {photo.verdict(speech)}{score}")
        for line in photo.advice(speech) or ([photo.problem] if photo.problem else []):
            print(f"  - {line}")
    if any(photo.use == "unreadable" for photo in photos):
        raise typer.Exit(1)


@app.command("occlusion")
def occlusion(
    paths: Photos,
    language: Speech = "vi",
    engine: Engine = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Is the face covered? What can be told from a photo, for every face in it.

    A photo without a face, or that cannot be read, is reported, and the exit code is 1.
    """
    from vnvision.faces.occlusion import face_occlusions

    speech = _language(language)
    files = face.pictures_in(paths)
    with bar("looking", quiet=quiet) as progress:
        photos = face_occlusions(files, engine=face.open_engine(engine, threads), progress=progress)
    for photo in photos:
        if as_json:
            print(photo.model_dump_json(exclude_none=True))
        else:
            print("\n".join(f"{photo.path}: {line}" for line in photo.lines(speech)))
    if any(photo.problem or not photo.faces for photo in photos):
        raise typer.Exit(1)


def _language(given: str) -> Language:
    from vnvision.errors import ConfigError

    if given not in ("vi", "en"):
        raise ConfigError(
            "unknown language",
            expected="vi or en",
            got=given,
            vietnamese=f"ngôn ngữ {given!r}: chọn vi hoặc en",
        )
    return cast(Any, given)


def _engine(given: str) -> Any:
    from vnvision.errors import ConfigError

    if given not in ENGINES:
        raise ConfigError("unknown engine", expected=", ".join(ENGINES), got=given)
    return None if given == "auto" else given


def _counted(found: PhotoClusters, language: Language) -> str:
    words = {
        "vi": "{} ảnh, {} khuôn mặt, {} người, {} người có từ 2 ảnh",
        "en": "photos: {}, faces: {}, people: {}, in 2 photos or more: {}",
    }
    many = sum(person.photos > 1 for person in found.people)
    return words[language].format(found.photos, len(found.faces), len(found.people), many)


def _tell(photo: AnonymisedPhoto, language: Language) -> None:
    if photo.status == "unreadable":
        print(photo.problem, file=sys.stderr)
    else:
        print(f"{photo.path}: {_hidden(photo.faces, photo.out, language)}")


def _not_hidden(missed: Sequence[str], language: Language) -> str:
    words = {
        "vi": "KHÔNG thấy khuôn mặt, chưa che gì: {}; hãy tự xem lại",
        "en": "NO face found, nothing is hidden: {}; look at them yourself",
    }
    return words[language].format(", ".join(missed))


def _hidden(faces: int, out: str | None, language: Language) -> str:
    if not faces:
        said = {"vi": "không thấy khuôn mặt", "en": "no face found"}[language]
    else:
        said = {"vi": f"đã che {faces} khuôn mặt", "en": f"hidden faces: {faces}"}[language]
    return f"{said} -> {out}" if out else said


def _write(path: Path, text: str) -> None:
    from vnvision import atomic
    from vnvision.errors import DataError

    try:
        atomic.write_text(path, text)
    except OSError as exc:
        raise DataError(
            f"cannot write {path}", got=exc.strerror or str(exc), vietnamese=f"không ghi được {path}"
        ) from exc
