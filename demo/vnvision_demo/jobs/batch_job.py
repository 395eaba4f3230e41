"""Pictures by the handful through the model that each needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import cv2
import numpy as np

from vnvision.errors import DataError, VnvisionError
from vnvision.hub import reason, shelf
from vnvision.imaging.isolated import IsolatedReader
from vnvision.records import Sample
from vnvision.report.cases import Case, ModelFacts, Unread, case_of
from vnvision.report.cases.drawn import SMALL_PX, thumbnail, visible
from vnvision.report.cases.records import Advice, Picture
from vnvision.report.cases.wording import plain
from vnvision.runtime import Predictor
from vnvision.runtime.router import NO_EXPERT, Router
from vnvision_demo.jobs.batch_rows import BatchRow, row_of

Language = Literal["vi", "en"]
UNREADABLE = "unreadable"
_AT_ONCE, _PIXELS_AT_ONCE, _MOST_PIXELS = 8, 32_000_000, 50_000_000
_NOTHING = Picture(b"", (0, 0), "", "")


class Models(Protocol):
    """Gives loaded models, each opened once; the demo's station is one. May be asked from several threads."""

    @property
    def router(self) -> Router:
        """``auto``: finds the expert for a picture."""
        ...

    def model(self, name: str) -> tuple[Predictor, ModelFacts]:
        """A model by name, with what its pages say of it.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        ...


@dataclass(slots=True)
class Job:
    """What is kept while pictures go by: a line and a thumbnail of each."""

    files: Sequence[tuple[str, Path]]
    model: str
    models: Models
    language: Language
    rows: list[BatchRow] = field(default_factory=list)
    cases: defaultdict[str, list[Case | Unread]] = field(default_factory=lambda: defaultdict(list))

    @property
    def routed(self) -> bool:
        """Whether the router chooses for each picture."""
        return self.model == shelf.AUTO

    def open(self) -> None:
        """Load what is needed before the first picture is read."""
        if self.routed:
            _ = self.models.router
        else:
            self.models.model(self.model)

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
        with closing(cast(Any, _read(self.files, reader))) as samples:
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
            expert, _ = self.models.model(self.model)
            return [(self.model, one) for one in _all(expert, images)]
        routed = _all(self.models.router, images)
        return [
            (None, one) if isinstance(one, DataError) else (one.expert, one.answer or one.reasons)
            for one in routed
        ]

    def _take(self, number: int, image: np.ndarray, found: tuple[str | None, Any]) -> None:
        expert, answer = found
        if isinstance(answer, VnvisionError):
            self._unread(number, answer)
        elif expert is None:
            spec = self.models.router.chooser.task.preprocess
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
        facts = self._facts(expert)
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
            crop = self._facts(self.model).domain == "crop"
            name = self.files[number - 1][0] if crop else self._number(number)
            self.cases[self.model].append(Unread(name))

    def named(self) -> tuple[BatchRow, ...]:
        """All lines; pictures that nobody answered for have their file's name where no clinic is about."""
        asked = {self.model} if not self.routed else {row.expert for row in self.rows if row.expert}
        crops = bool(asked) and all(self._facts(expert).domain == "crop" for expert in asked)
        return tuple(
            replace(row, name=plain(self.files[row.number - 1][0]) if crops else self._number(row.number))
            if row.expert is None
            else row
            for row in self.rows
        )

    def _facts(self, expert: str) -> ModelFacts:
        return self.models.model(expert)[1]

    def _number(self, number: int) -> str:
        return f"{number:0{max(4, len(str(len(self.files))))}d}"


def _read(files: Sequence[tuple[str, Path]], reader: IsolatedReader) -> Iterator[Sample | VnvisionError]:
    return reader.read_many([path for _, path in files], max_pixels=_MOST_PIXELS)


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
