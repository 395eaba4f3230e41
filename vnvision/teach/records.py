"""What teaching gives back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vnvision.records import Metric
from vnvision.spec import Label, Record

Language = Literal["vi", "en"]


class Note(Record):
    """A sentence for people, in both languages, under a code for programs."""

    code: str
    vi: str
    en: str

    def text(self, language: Language) -> str:
        """In one of them."""
        return self.vi if language == "vi" else self.en


class ClassRow(Record):
    """One class.

    Attributes:
        label: its id, and its name as given.
        files: how many there were.
        photos: how many could be read.
        distinct: how many of these differ: copies and bursts count once.
        recall: of its photographs, the share that was answered rightly.
        precision: of the answers that named it, the share that was right.
    """

    label: Label
    files: int = Field(ge=0)
    photos: int = Field(ge=0)
    distinct: int = Field(ge=0)
    recall: Metric
    precision: Metric


class Skipped(Record):
    """A file that could not be read, and why."""

    photo: str
    why: str
    why_vi: str | None = None


class Taught(Record):
    """A model that was taught, and how good it is on photographs that it had not seen.

    Attributes:
        name: of the model, as ``vnvision models add`` takes it.
        title: as the user gave it.
        folder: of the bundle.
        accuracy, balanced_accuracy: over repeated folds of whole groups, with intervals over groups.
        guessing: accuracy of always naming the commonest class.
        verdict: whether it is better than guessing, in words.
        rows: the classes.
        confusion: counts of the first repeat, truth by row and answer by column.
        warnings: what to know before believing it.
        skipped: files that could not be read.
        n, n_groups: photographs learnt from, and groups of near-duplicates (plants, patients) among them.
        trunk: the model whose network describes the photographs.
        strength: of the head, see ``teach.head``.
        seconds: how long it took.
    """

    name: str
    title: str
    folder: Path
    accuracy: Metric
    balanced_accuracy: Metric
    guessing: float
    verdict: Note
    rows: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    warnings: tuple[Note, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    n: int
    n_groups: int
    trunk: str
    strength: float
    seconds: float
