"""``vnvision face (detect | verify | fetch)``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vnvision.cli.predict import ENGINES, SUFFIXES, expand

if TYPE_CHECKING:
    import numpy as np

    from vnvision.faces.engine import FaceEngine

app = typer.Typer(help="Find and compare faces, offline.", no_args_is_help=True)

Engine = Annotated[str, typer.Option(help="auto, onnxruntime or openvino")]
Threads = Annotated[int | None, typer.Option(min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
_AT_ONCE = 64


@app.command("detect")
def detect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="pictures or folders of pictures")],
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Boxes, five landmarks and scores. A picture that cannot be read is reported, and the exit code is 1."""
    from vnvision.errors import ConfigError, DataError

    files = list(expand(paths))
    if not files:
        raise ConfigError("no pictures found", expected=f"files ending in {', '.join(sorted(SUFFIXES))}")
    failed = 0
    for file, faces in _found(_engine(engine, threads), files):
        if isinstance(faces, DataError):
            failed += 1
            print(json.dumps({"source": str(file), "error": str(faces)}) if as_json else f"{file}: {faces}")
        elif as_json:
            found = [face.model_dump(mode="json", exclude_none=True) for face in faces]
            print(json.dumps({"source": str(file), "faces": found}, ensure_ascii=False))
        else:
            boxes = "; ".join(
                f"{face.score:.2f} at " + " ".join(f"{v:.0f}" for v in face.box_xyxy_px) for face in faces
            )
            print(f"{file}: {len(faces)} face{'s' * (len(faces) != 1)}{': ' if boxes else ''}{boxes}")
    if failed:
        raise typer.Exit(1)


@app.command("verify")
def verify(
    first: Annotated[Path, typer.Argument(help="a picture with a face")],
    second: Annotated[Path, typer.Argument(help="another")],
    threshold: Annotated[
        float, typer.Option(min=-1, max=1, help="cosine from which two faces are one person")
    ],
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Whether the largest faces of two pictures are of one person, at a threshold you state."""
    answer = _engine(engine, threads).verify(first, second, threshold=threshold)
    if as_json:
        values = {"similarity": answer.similarity, "threshold": threshold, "same": answer.same}
        print(json.dumps(values))
        return
    verdict = "the same person" if answer.same else "not the same person"
    print(f"{verdict}: cosine {answer.similarity:.3f}, threshold {threshold:.3f}")


@app.command("fetch")
def fetch(
    folder: Annotated[Path | None, typer.Option(help="where to; default: the user's cache folder")] = None,
) -> None:
    """Download the published weights from OpenCV Zoo and check them. Not needed with the extra faces."""
    from vnvision.faces.weights import KNOWN, fetch_weights

    for name, known in KNOWN.items():
        print(f"{name}: {fetch_weights(name, folder)} ({known.licence})")


def _engine(engine: str, threads: int | None) -> FaceEngine:
    from vnvision.errors import ConfigError
    from vnvision.faces.engine import FaceEngine

    if engine not in ENGINES:
        raise ConfigError("unknown engine", expected=", ".join(ENGINES), got=engine)
    return FaceEngine(engine=None if engine == "auto" else cast(Any, engine), threads=threads)


def _found(engine: FaceEngine, files: list[Path]) -> Iterator[tuple[Path, Any]]:
    """Each file with its faces, or with the error that reading it gave."""
    from vnvision.errors import DataError
    from vnvision.faces.engine import decoded

    for at in range(0, len(files), _AT_ONCE):
        images: list[np.ndarray] = []
        answers: list[DataError | None] = []
        for file in files[at : at + _AT_ONCE]:
            try:
                images.append(decoded(file))
                answers.append(None)
            except DataError as exc:
                answers.append(exc)
        faces = iter(engine.detector.detect(images))
        for file, error in zip(files[at : at + _AT_ONCE], answers, strict=True):
            yield file, error if error is not None else next(faces)
