"""Pages of ``vnvision predict --report``: one case, or a batch and, if asked for, each of its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vnvision.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from vnvision.report.cases import Case, ModelFacts, Unread
    from vnvision.runtime import Predictor
    from vnvision.runtime.answers import Answer


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for; see the options of ``vnvision predict``."""

    bundle: Path
    out: Path
    language: Literal["vi", "en"]
    pdf: bool = True
    csv: bool = False
    heatmap: bool = False
    each: bool = False
    reference: str | None = None
    file_names: bool | None = None
    place_and_time: bool = False


def write_pages(
    model: Predictor, files: list[Path], wanted: Wanted, show: Callable[[Path, Answer | DataError], None]
) -> list[Path]:
    """Answer a picture at a time and write the pages.

    Args:
        model: the loaded bundle.
        files: pictures; a single one makes a case, several a batch.
        wanted: what to write where.
        show: told each answer, and each picture that could not be read.

    Returns:
        What was written; nothing where the only picture could not be read.

    Raises:
        ConfigError: the model's answers have no pages, or no picture of a batch could be read.
        DataError: the folder cannot be written.
        MissingExtraError: jinja2 or reportlab is not installed.
    """
    from vnvision.report.cases import Unread, model_facts, write_batch, write_case
    from vnvision.runtime import open_bundle

    if model.task.kind == "embedding":
        raise ConfigError("an embedding has no pages", expected="labels, a mask or boxes")
    facts = model_facts(open_bundle(wanted.bundle), model.target)
    written: list[Path] = []
    pages: list[Literal["html", "pdf"]] = ["html", "pdf"] if wanted.pdf else ["html"]
    tables: list[Literal["csv"]] = ["csv"] if wanted.csv else []

    def cases() -> Iterator[Case | Unread]:
        for number, case in enumerate(_cases(model, files, facts, wanted, show), 1):
            if wanted.each and len(files) > 1 and not isinstance(case, Unread):
                written.extend(write_case(case, wanted.out / "cases", formats=pages, name=f"{number:04d}"))
            yield case

    if len(files) > 1:
        batch = write_batch(cases(), wanted.out, formats=(*pages, *tables), title=wanted.reference or "")
        return [*batch, *written]
    for case in cases():
        if isinstance(case, Unread):
            continue
        written += write_case(case, wanted.out, formats=pages)
        written += write_batch([case], wanted.out, formats=tables, name="case") if tables else []
    return written


def _cases(
    model: Predictor,
    files: list[Path],
    facts: ModelFacts,
    wanted: Wanted,
    show: Callable[[Path, Answer | DataError], None],
) -> Iterator[Case | Unread]:
    from vnvision.report.cases import Unread

    for number, file in enumerate(files, 1):
        reference = _reference(file, number, len(files), facts, wanted)
        try:
            image = model.read(file).image
            answer = model.predict(image).model_copy(update={"source": str(file)})
        except DataError as exc:
            show(file, exc)
            yield Unread(reference)
            continue
        show(file, answer)
        yield _case(model, image, answer, file, reference, facts, wanted)


def _case(
    model: Predictor,
    image: np.ndarray,
    answer: Answer,
    file: Path,
    reference: str,
    facts: ModelFacts,
    wanted: Wanted,
) -> Case:
    from vnvision.imaging.exif import place_and_time
    from vnvision.report.cases import case_of

    seen = wanted.heatmap and model.task.kind in ("classification", "multilabel") and not answer.abstained
    return case_of(
        image,
        answer,
        facts,
        reference=reference,
        language=wanted.language,
        heatmap=model.heatmap(image) if seen else None,
        place_and_time=place_and_time(file) if wanted.place_and_time else None,
        made=date.today(),
    )


def _reference(file: Path, number: int, total: int, facts: ModelFacts, wanted: Wanted) -> str:
    """What a page calls a picture: what the user said, its file name, or its number.

    The name of a file in a clinic may be a patient's, so it is shown only where the user asks for it.
    """
    if total == 1 and wanted.reference:
        return wanted.reference
    names = facts.domain == "crop" if wanted.file_names is None else wanted.file_names
    return file.name if names else f"{number:0{max(4, len(str(total)))}d}"
