"""``vnvision predict NAME|BUNDLE PATH... --json --report DIR``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from vnvision.errors import DataError
    from vnvision.runtime import Predictor
    from vnvision.runtime.answers import Answer
    from vnvision.runtime.router import RoutedPrediction, Router
    from vnvision.spec import TaskSpec

ENGINES = ("auto", "onnxruntime", "openvino")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".dcm"}


def predict(
    bundle: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="name (models list), bundle folder, or auto: whichever fits"),
    ],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="pictures or folders of pictures")],
    engine: Annotated[str, typer.Option(help="auto, onnxruntime or openvino")] = "auto",
    language: Annotated[str, typer.Option(help="of answers and pages: vi or en")] = "en",
    batch_size: Annotated[int, typer.Option(min=1)] = 4,
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="for files from strangers: decode with limited memory and time")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write pages to print: a case, or a batch with a table")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="PDF beside the html")] = True,
    csv: Annotated[
        bool | None, typer.Option("--csv/--no-csv", help="table of all answers; by default for a batch")
    ] = None,
    heatmap: Annotated[bool, typer.Option("--heatmap", help="show where a classifier looked")] = False,
    each: Annotated[bool, typer.Option("--each", help="of a batch, a page for every picture too")] = False,
    reference: Annotated[str | None, typer.Option(help="what the case or the batch is called")] = None,
    file_names: Annotated[
        bool | None,
        typer.Option(
            "--file-names/--no-file-names",
            help="show them on pages; by default not where the model is for clinics",
        ),
    ] = None,
    place_and_time: Annotated[
        bool, typer.Option("--place-and-time", help="show those that the picture's file holds")
    ] = False,
) -> None:
    """Answer for pictures and folders. A picture that cannot be read is reported, and the exit code is 1."""
    from vnvision.cli.predict_report import Wanted, write_pages
    from vnvision.errors import ConfigError
    from vnvision.hub import shelf
    from vnvision.imaging import read
    from vnvision.imaging.isolated import IsolatedReader
    from vnvision.runtime import load_bundle

    files = _files(paths, engine, language)
    if report is None and (csv or heatmap or each or reference or place_and_time):
        raise ConfigError("these options are about pages", fix="say where to write them, with --report DIR")
    folder = shelf.resolve(bundle)
    if report is not None and bundle == shelf.AUTO and not shelf.is_bundle(folder):
        raise ConfigError("auto writes no pages: each expert has its own", fix="name the model instead")
    with ExitStack() as stack:
        reader = stack.enter_context(IsolatedReader()).read if isolated else read
        model = load_bundle(bundle, engine=cast(Any, engine), threads=threads, reader=reader)
        show = Lines(model, language, as_json)
        if report is None:
            show.all(files, batch_size)
        else:
            wanted = Wanted(
                bundle=folder,
                out=report,
                language=cast(Any, language),
                pdf=pdf,
                csv=csv if csv is not None else len(files) > 1,
                heatmap=heatmap,
                each=each,
                reference=reference,
                file_names=file_names,
                place_and_time=place_and_time,
            )
            written = write_pages(model, files, wanted, show.line)
            if not as_json:
                print("\n".join(f"wrote {path}" for path in written))
        if not as_json and getattr(getattr(model, "manifest", None), "synthetic", False):
            print("note: this model was trained on synthetic pictures; it knows nothing of real ones")
        if show.failed:
            raise typer.Exit(1)


def _files(paths: list[Path], engine: str, language: str) -> list[Path]:
    """The pictures to answer for, once it is sure that they can be answered for as asked."""
    from vnvision.errors import ConfigError

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    files = list(expand(paths))
    if not files:
        raise ConfigError("no pictures found", expected=f"files ending in {', '.join(sorted(SUFFIXES))}")
    if engine not in ENGINES:
        raise ConfigError("unknown engine", expected=", ".join(ENGINES), got=engine)
    return files


class Lines:
    """One line a picture, and how many could not be read."""

    def __init__(self, model: Predictor, language: str, as_json: bool) -> None:
        self.model, self.language, self.as_json, self.failed = model, language, as_json, 0

    def all(self, files: list[Path], batch_size: int) -> None:
        """Answer for all files, in batches."""
        found = self.model.predict_many(files, batch_size=batch_size, on_error="yield")
        for file, answer in zip(files, found, strict=True):
            self.line(file, answer)

    def line(self, file: Path, answer: Answer | RoutedPrediction | DataError) -> None:
        """Print one answer, or why there is none."""
        if isinstance(answer, Exception):
            self.failed += 1
            line = {"source": str(file), "error": str(answer)}
            print(json.dumps(line, ensure_ascii=False) if self.as_json else f"{file}: {answer}")
        elif self.as_json:
            print(json.dumps({"source": str(file)} | answer.model_dump(mode="json"), ensure_ascii=False))
        else:
            print(f"{file}: {self._words(answer)}")

    def _words(self, answer: Answer | RoutedPrediction) -> str:
        if answer.kind == "routed":
            return routed_in_words(answer, cast("Router", self.model), self.language)
        return in_words(answer, self.model.task, self.language)


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as given, folders searched for pictures, in name order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        else:
            yield path


def routed_in_words(routed: RoutedPrediction, router: Router, language: str) -> str:
    """``mango: anthracnose 97%``: who answered, and the answer."""
    if routed.expert is None or routed.answer is None:
        return not_sure(routed.reasons, language)
    return f"{routed.expert}: {in_words(routed.answer, router.task_of(routed.expert), language)}"


def not_sure(reasons: tuple[str, ...], language: str) -> str:
    """Why there is no answer."""
    from vnvision.hub import reason
    from vnvision.hub.library import checked_language

    language = checked_language(language)
    known = ((code, reason(code)) for code in reasons)
    why = " ".join(one.why.text(language) if one is not None else code for code, one in known)
    return f"{'không chắc chắn' if language == 'vi' else 'not sure'}: {why}"


def in_words(answer: Answer, task: TaskSpec, language: str) -> str:
    """``leaf spot 97%``, ``12.4% diseased``, ``2 white cells``, or why there is no answer.

    An answer that was withheld is not shown: ``--json`` has its probabilities, for programs.
    """
    from vnvision.hub.library import checked_language
    from vnvision.report.cases.wording import area, percent

    language = checked_language(language)
    vi = language == "vi"
    if answer.abstained:
        return not_sure(answer.reasons, language)
    names = {label.id: label.text(language) for label in task.labels}
    if answer.kind == "segmentation":
        whole = answer.size_px[0] * answer.size_px[1]
        shares = ((label.id, answer.areas_px.get(label.id, 0) / whole) for label in task.labels[1:])
        text = ", ".join(f"{names[label]} {area(share, language)}" for label, share in shares)
        if answer.severity is None:
            return text
        return f"{area(answer.severity, language)} {'diện tích bị bệnh' if vi else 'diseased'} ({text})"
    if answer.kind == "detection":
        found = [f"{count} {names[label]}" for label, count in answer.counts.items() if count]
        return ", ".join(found) or ("không tìm thấy gì" if vi else "nothing found")
    if answer.kind == "multilabel":
        pairs = zip(answer.labels, answer.probabilities, strict=True)
        return ", ".join(f"{names[label]} {percent(share, language)}" for label, share in pairs)
    if answer.kind == "classification":
        return f"{names[answer.top]} {percent(answer.confidence, language)}"
    return str(answer.kind)
