"""``vnvision face (detect | verify | fetch)``; ``face_gallery`` and ``face_data`` have the others."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vnvision.cli.predict import ENGINES, SUFFIXES, expand

if TYPE_CHECKING:
    from vnvision.faces.engine import FaceEngine
    from vnvision.records import Face, OperatingPoint

app = typer.Typer(help="Find, compare, enrol and measure faces, offline.", no_args_is_help=True)

Engine = Annotated[str, typer.Option(help="auto, onnxruntime or openvino")]
Threads = Annotated[int | None, typer.Option(min=1)]
Model = Annotated[
    str | None,
    typer.Option(
        help="embedding bundle, insightface pack (name or folder) or ONNX file of arcface_torch; "
        "default: YuNet and SFace"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
Quiet = Annotated[bool, typer.Option(help="no progress bar")]
Identity = Annotated[str, typer.Option(help="column that names the person")]
Wanted = Annotated[
    str, typer.Option("--threshold", help="false match rate to keep (fmr=1e-4, fmr=1e-4@korean) or a cosine")
]
Population = Annotated[
    str | None, typer.Option(help="whose operating point; without one the strictest that was measured")
]
DEFAULT = "fmr=1e-4"


@app.command("detect")
def detect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="pictures or folders of pictures")],
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    quality: Annotated[bool, typer.Option(help="measure each face's quality, and say what is wrong")] = False,
    as_json: AsJson = False,
) -> None:
    """Boxes, five landmarks and scores. A picture that cannot be read is reported, and the exit code is 1."""
    from vnvision.errors import DataError

    files = pictures_in(paths)
    failed = 0
    answers = open_engine(engine, threads, model).found(files, embed=False, quality=quality)
    for file, faces in zip(files, answers, strict=True):
        if isinstance(faces, DataError):
            failed += 1
            line = {"source": str(file), "error": str(faces)}
            print(json.dumps(line, ensure_ascii=False) if as_json else f"{file}: {faces}")
        elif as_json:
            found = [face.model_dump(mode="json", exclude_none=True) for face in faces]
            print(json.dumps({"source": str(file), "faces": found}, ensure_ascii=False))
        else:
            boxes = "; ".join(
                f"{face.score:.2f} at " + " ".join(f"{v:.0f}" for v in face.box_xyxy_px) for face in faces
            )
            print(f"{file}: {len(faces)} face{'s' * (len(faces) != 1)}{': ' if boxes else ''}{boxes}")
            for number, found_face in enumerate(faces if quality else (), 1):
                said = concerns(found_face) or ["good enough"]
                score = (found_face.quality or {}).get("score", 0.0)
                print(f"  face {number}: quality {score:.0f} of 100; {'; '.join(said)}")
    if failed:
        raise typer.Exit(1)


@app.command("verify")
def verify(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="a picture with a face")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="another")],
    threshold: Wanted = DEFAULT,
    population: Population = None,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Whether the largest faces of two pictures are of one person, at a stated false match rate."""
    answer = open_engine(engine, threads, model).verify(
        first, second, threshold=threshold, population=population
    )
    if as_json:
        values: dict[str, Any] = {"similarity": answer.similarity, "threshold": answer.threshold}
        values["same"] = answer.same
        point = answer.point.model_dump(mode="json") if answer.point else None
        values |= {"operating_point": point, "concerns": [concerns(found) for found in answer.faces]}
        print(json.dumps(values, ensure_ascii=False))
        return
    verdict = "the same person" if answer.same else "not the same person"
    source = origin(answer.point, answer.populations)
    for picture, found in zip((first, second), answer.faces, strict=True):
        for line in concerns(found):
            print(f"note: {picture}: {line}", file=sys.stderr)
    print(f"{verdict}: cosine {answer.similarity:.3f}, threshold {answer.threshold:.3f}{source}")


@app.command("fetch")
def fetch(
    folder: Annotated[Path | None, typer.Option(help="where to; default: the user's cache folder")] = None,
) -> None:
    """Download the published weights from OpenCV Zoo and check them. Not needed with the extra faces."""
    from vnvision.faces.weights import KNOWN, fetch_weights

    for name, known in KNOWN.items():
        print(f"{name}: {fetch_weights(name, folder)} ({known.licence})")


def pictures_in(paths: list[Path]) -> list[Path]:
    """Every picture of files and folders.

    Raises:
        ConfigError: there is none.
    """
    from vnvision.errors import ConfigError

    files = list(expand(paths))
    if not files:
        raise ConfigError("no pictures found", expected=f"files ending in {', '.join(sorted(SUFFIXES))}")
    return files


def open_engine(engine: str, threads: int | None, model: str | None = None) -> FaceEngine:
    """Detector and embedder.

    Raises:
        ConfigError: no engine of that name.
        ModelError: no weights, or no such model.
    """
    from vnvision.errors import ConfigError
    from vnvision.faces.choosing import open_faces

    if engine not in ENGINES:
        raise ConfigError("unknown engine", expected=", ".join(ENGINES), got=engine)
    chosen = None if engine == "auto" else cast(Any, engine)
    return open_faces(model, engine=chosen, threads=threads, notice=lambda text: print(text, file=sys.stderr))


def concerns(face: Face) -> list[str]:
    """What is wrong with a face picture and what to do, in both languages; empty where it is good enough."""
    from vnvision.faces.quality import QualityGate

    reasons = QualityGate("verify").check_face(face).reasons
    return [f"{r.text('en')}, {r.advice('en')} | {r.text('vi')}, {r.advice('vi')}" for r in reasons]


def origin(point: OperatingPoint | None, populations: int = 1) -> str:
    """Where a threshold comes from, in brackets; nothing for a stated number."""
    if point is None:
        return ""
    rate = point.achieved
    interval = f" [{rate.low:.1e}, {rate.high:.1e}]" if rate.low is not None and rate.high is not None else ""
    measured = f"measured {rate.value:.1e}{interval}" if rate.value is not None else "not measured"
    whom = point.population + (f", the strictest of {populations} populations" if populations > 1 else "")
    return f" ({point.target} for {whom}: {measured} on {point.n:,} comparisons)"
