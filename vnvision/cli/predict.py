"""``vnvision predict BUNDLE PATH... --json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, cast

import typer

ENGINES = ("auto", "onnxruntime", "openvino")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


def predict(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="pictures or folders of pictures")],
    engine: Annotated[str, typer.Option(help="auto, onnxruntime or openvino")] = "auto",
    language: Annotated[str, typer.Option(help="label texts: vi or en")] = "en",
    batch_size: Annotated[int, typer.Option(min=1)] = 4,
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Answer for pictures and folders. A picture that cannot be read is reported, and the exit code is 1."""
    from vnvision.errors import ConfigError, DataError
    from vnvision.runtime import load_bundle

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    files = list(expand(paths))
    if not files:
        raise ConfigError("no pictures found", expected=f"files ending in {', '.join(sorted(SUFFIXES))}")
    if engine not in ENGINES:
        raise ConfigError("unknown engine", expected=", ".join(ENGINES), got=engine)
    model = load_bundle(bundle, engine=cast(Any, engine), threads=threads)
    failed = 0
    for file, answer in zip(
        files, model.predict_many(files, batch_size=batch_size, on_error="yield"), strict=True
    ):
        if isinstance(answer, DataError):
            failed += 1
            line = {"source": str(file), "error": str(answer)}
            print(json.dumps(line, ensure_ascii=False) if as_json else f"{file}: {answer}")
        elif as_json:
            print(json.dumps({"source": str(file)} | answer.model_dump(mode="json"), ensure_ascii=False))
        else:
            print(f"{file}: {in_words(answer, model.task, language)}")
    if model.manifest.synthetic and not as_json:
        print("note: this model was trained on synthetic pictures; it knows nothing of real ones")
    if failed:
        raise typer.Exit(1)


def expand(paths: Iterable[Path]) -> Iterable[Path]:
    """Files as given, folders searched for pictures, in name order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        else:
            yield path


def in_words(answer, task, language: str) -> str:  # type: ignore[no-untyped-def]
    """``leaf spot 97 %``, or that there is no sure answer."""
    if answer.kind == "multilabel":
        parts = zip(task.labels, answer.probabilities, strict=True)
        return ", ".join(f"{label.text(language)} {share:.0%}" for label, share in parts)
    if answer.kind != "classification":
        return str(answer.kind)
    label = next(label for label in task.labels if label.id == answer.top)
    text = f"{label.text(language)} {answer.confidence:.0%}"
    if answer.abstained:
        unsure = "không chắc chắn" if language == "vi" else "not sure"
        text = f"{unsure} ({text}; {', '.join(answer.reasons)})"
    return text
