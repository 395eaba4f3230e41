"""Many pictures to answers, a table, and a PDF for each expert that answered."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np

from vnvision import atomic
from vnvision.errors import DataError, VnvisionError
from vnvision.hub import reason, shelf
from vnvision.imaging.isolated import IsolatedReader
from vnvision.records import Sample
from vnvision.report.cases import Case, Unread, case_of, write_batch
from vnvision.report.cases.drawn import SMALL_PX, thumbnail, visible
from vnvision.report.cases.records import Advice, Picture
from vnvision.report.cases.wording import plain
from vnvision.runtime import Predictor
from vnvision.runtime.router import NO_EXPERT
from vnvision_demo.jobs.batch_rows import STATUSES, BatchRow, row_of, table
from vnvision_demo.jobs.models import Models
from vnvision_demo.jobs.progress import Progress, silent

OPEN, PREDICT, WRITE, DONE = "open", "predict", "write", "done"
"""Stage codes, in this order."""
MOST_PICTURES = 500
UNREADABLE = "unreadable"
_AT_ONCE, _PIXELS_AT_ONCE = 8, 32_000_000
_PREDICT_FROM, _PREDICT_TO = 0.03, 0.92
_NOTHING = Picture(b"", (0, 0), "", "")

Language = Literal["vi", "en"]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the pictures.

    Attributes:
        rows: one a picture, in order.
        csv: the table of all.
        pdfs: one an expert, by its name.
        counts: pictures by status.
        experts: pictures by expert.
        unread: names of those that could not be read.
        seconds: taken for all of it.
        images_per_s: of reading and answering.
    """

    rows: tuple[BatchRow, ...]
    csv: Path
    pdfs: dict[str, Path]
    counts: dict[str, int]
    experts: dict[str, int]
    unread: tuple[str, ...]
    seconds: float
    images_per_s: float


def run_batch(
    files: Sequence[tuple[str, Path]],
    model: str,
    *,
    models: Models,
    out: str | Path,
    reader: IsolatedReader,
    language: Language = "vi",
    title: str = "",
    progress: Progress = silent,
) -> BatchResult:
    """Answer for up to 500 pictures. Of each a line and a thumbnail are kept, never the picture.

    Args:
        files: name to show and where the picture lies.
        model: name of an expert, or ``auto``: the router chooses one for each picture.
        models: gives loaded models.
        out: folder for ``batch.csv`` and one ``EXPERT.pdf`` each.
        reader: decodes in processes of its own.
        language: of answers and pages.
        title: what the user calls the batch.
        progress: told the share done and the stage: ``open``, ``predict``, ``write``, ``done``.

    Raises:
        DataError: no picture, too many, or the folder cannot be written.
        BundleError: no such model.
    """
    started = time.perf_counter()
    _check(len(files))
    progress(0.0, OPEN)
    job = _Job(files, model, models, language)
    job.open()
    progress(_PREDICT_FROM, PREDICT)
    begun = time.perf_counter()
    for done in job.run(reader):
        progress(_PREDICT_FROM + (_PREDICT_TO - _PREDICT_FROM) * done / len(files), PREDICT)
    spent = time.perf_counter() - begun
    progress(_PREDICT_TO, WRITE)
    rows = job.named()
    pdfs = {}
    for expert, cases in sorted(job.cases.items()):
        if any(isinstance(case, Case) for case in cases):
            (pdfs[expert],) = write_batch(cases, out, formats=["pdf"], title=title, name=expert)
    try:
        path = atomic.write_bytes(Path(out) / "batch.csv", table(rows))
    except OSError as exc:
        raise _not_written(exc) from exc
    progress(1.0, DONE)
    counted = Counter(row.status for row in rows)
    return BatchResult(
        rows=rows,
        csv=path,
        pdfs=pdfs,
        counts={status: counted[status] for status in STATUSES},
        experts=dict(Counter(row.expert for row in rows if row.expert is not None)),
        unread=tuple(row.name for row in rows if row.status == "unread"),
        seconds=time.perf_counter() - started,
        images_per_s=len(files) / max(spent, 1e-9),
    )


@dataclass(slots=True)
class _Job:
    files: Sequence[tuple[str, Path]]
    model: str
    models: Models
    language: Language
    rows: list[BatchRow] = field(default_factory=list)
    cases: defaultdict[str, list[Case | Unread]] = field(default_factory=lambda: defaultdict(list))

    @property
    def routed(self) -> bool:
        return self.model == shelf.AUTO

    def open(self) -> None:
        """Load what is needed before the first picture is read."""
        if self.routed:
            self.models.router()
        else:
            self.models.expert(self.model)
            self.models.facts(self.model)

    def run(self, reader: IsolatedReader) -> Iterator[int]:
        """Answer for all pictures; gives the number done after each handful."""
        for first, samples in self._handfuls(reader):
            images = [one.image for one in samples if isinstance(one, Sample)]
            answers = iter(self._answers(images))
            for number, one in enumerate(samples, first):
                if isinstance(one, Sample):
                    self._take(number, one.image, next(answers))
                else:
                    self._unread(number, one)
            yield len(self.rows)

    def _handfuls(self, reader: IsolatedReader) -> Iterator[tuple[int, list[Sample | VnvisionError]]]:
        """Pictures as they come, some at a time, fewer where they are large; and the number of the first."""
        kept: list[Sample | VnvisionError] = []
        first, pixels = 1, 0
        with closing(cast(Any, reader.read_many([path for _, path in self.files]))) as samples:
            for number, one in enumerate(samples, 1):
                kept.append(one)
                pixels += one.image.shape[0] * one.image.shape[1] if isinstance(one, Sample) else 0
                if len(kept) == _AT_ONCE or pixels > _PIXELS_AT_ONCE or number == len(self.files):
                    yield first, kept
                    kept, first, pixels = [], number + 1, 0

    def _answers(self, images: list[np.ndarray]) -> list[tuple[str | None, Any]]:
        """Who answered, and the answer, a DataError, or the reasons why nobody did."""
        if not images:
            return []
        if not self.routed:
            expert = self.models.expert(self.model)
            return [(self.model, one) for one in _all(expert, images)]
        routed = _all(self.models.router(), images)
        return [
            (None, one) if isinstance(one, DataError) else (one.expert, one.answer or one.reasons)
            for one in routed
        ]

    def _take(self, number: int, image: np.ndarray, found: tuple[str | None, Any]) -> None:
        expert, answer = found
        if isinstance(answer, VnvisionError):
            self._unread(number, answer)
        elif expert is None:
            spec = self.models.router().chooser.task.preprocess
            why = tuple(answer) or (NO_EXPERT,)
            small = thumbnail(visible(image, spec))
            text = _words(why, self.language)
            row = BatchRow(number, "", None, "no_expert", reasons=why, reason_text=text, thumbnail=small)
            self.rows.append(row)
        else:
            case = self._case(number, image, answer, expert)
            self.cases[expert].append(case)
            self.rows.append(row_of(case, number, expert))

    def _case(self, number: int, image: np.ndarray, answer: Any, expert: str) -> Case:
        """What the pages need: everything that is large is let go."""
        facts = self.models.facts(expert)
        name = self.files[number - 1][0] if facts.domain == "crop" else self._number(number)
        small = _smaller(image) if answer.kind in ("classification", "multilabel") else image
        case = case_of(small, answer, facts, reference=name, language=self.language, made=date.today())
        shared = next((one.model for one in self.cases[expert] if isinstance(one, Case)), case.model)
        return replace(case, picture=_NOTHING, drawn=None, advice=Advice(), model=shared)

    def _unread(self, number: int, exc: VnvisionError) -> None:
        text = exc.vietnamese if self.language == "vi" else str(exc)
        if self.language == "vi" and not text:
            text = "không đọc được ảnh này"
        path = str(self.files[number - 1][1])
        text = " ".join((text or "").replace(path, self._number(number)).split())
        self.rows.append(BatchRow(number, "", None, "unread", reasons=(UNREADABLE,), reason_text=text))
        if not self.routed:
            crop = self.models.facts(self.model).domain == "crop"
            name = self.files[number - 1][0] if crop else self._number(number)
            self.cases[self.model].append(Unread(name))

    def named(self) -> tuple[BatchRow, ...]:
        """All lines; pictures that nobody answered for have their file's name where no clinic is about."""
        asked = {self.model} if not self.routed else {row.expert for row in self.rows if row.expert}
        crops = bool(asked) and all(self.models.facts(expert).domain == "crop" for expert in asked)
        return tuple(
            replace(row, name=plain(self.files[row.number - 1][0]) if crops else self._number(row.number))
            if row.expert is None
            else row
            for row in self.rows
        )

    def _number(self, number: int) -> str:
        return f"{number:0{max(4, len(str(len(self.files))))}d}"


def _all(model: Any, images: list[np.ndarray]) -> list[Any]:
    """Answers of a ``Predictor`` or ``Router``, each or its DataError."""
    found: Predictor = model
    return list(found.predict_many(images, batch_size=len(images), on_error="yield"))


def _smaller(image: np.ndarray) -> np.ndarray:
    """At the size that pages enlarge thumbnails from: a class belongs to no place in the picture."""
    factor = SMALL_PX / max(image.shape[:2])
    if factor >= 1:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small).reshape(size[1], size[0], image.shape[2])


def _words(codes: Sequence[str], language: Language) -> str:
    known = ((code, reason(code)) for code in codes)
    return " ".join(one.why.text(language) if one is not None else code for code, one in known)


def _check(count: int) -> None:
    if not count:
        raise DataError(
            "there are no pictures",
            expected=f"1 to {MOST_PICTURES}",
            got="0",
            fix="choose pictures, or a zip of them",
            vietnamese="chưa có ảnh nào; hãy chọn ảnh hoặc tệp zip chứa ảnh",
        )
    if count > MOST_PICTURES:
        raise DataError(
            "there are too many pictures for one batch",
            expected=f"at most {MOST_PICTURES}",
            got=f"{count:,}",
            fix="divide them, or use vnvision predict --report",
            vietnamese=f"quá nhiều ảnh: mỗi lần tối đa {MOST_PICTURES}, ở đây có {count}; hãy chia nhỏ, "
            "hoặc dùng lệnh vnvision predict --report",
        )


def _not_written(exc: OSError) -> DataError:
    return DataError(
        "cannot write the table",
        got=exc.strerror or str(exc),
        fix="make room on the disk",
        vietnamese="không ghi được bảng kết quả; hãy kiểm tra dung lượng đĩa",
    )
