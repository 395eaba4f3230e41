"""What a model's card says, as records: they ship as YAML and travel inside a bundle's provenance as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vnvision.hub.library import Domain, Language, Source, Text
from vnvision.hub.reasons import Line
from vnvision.spec import Record

Status = Literal["ready", "experimental"]
STATEMENTS = (
    "experimental", "purpose", "users", "not_for", "out_of_scope", "not_sure", "shortcuts", "field",
    "never_seen",
)  # fmt: skip
"""The parts of a card that are made of statements, in reading order."""


class Measured(Record):
    """A figure measured by this project, and where it stands.

    ``file`` and ``section`` name a row that is kept, ``command`` what gives it again; one of them is there.
    """

    value: float
    low: float | None = None
    high: float | None = None
    digits: int = Field(default=2, ge=0, le=4, description="as the kept row prints it")
    percent: bool = Field(default=True, description="told in percent")
    file: str = "training/BENCHMARKS.md"
    section: str | None = None
    command: str | None = None

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if (self.section is None) == (self.command is None):
            raise ValueError("a measured figure names its section, or the command that gives it")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together")
        if self.low is not None and self.high is not None and not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} lies outside its interval {self.low}..{self.high}")
        return self

    def text(self, language: Language) -> str:
        """``71 % [60, 80]``, in Vietnamese ``71 % [60; 80]``; without percent ``0.71 [0.60, 0.80]``."""
        scale, digits = (100, max(0, self.digits - 2)) if self.percent else (1, self.digits)
        numbers = (self.value, self.low, self.high)
        value, *ends = (f"{scale * one:.{digits}f}" for one in numbers if one is not None)
        unit = " %" if self.percent else ""
        told = f"{value}{unit}" + (f" [{'; '.join(ends)}]" if ends else "")
        return told.replace(".", ",") if language == "vi" else told.replace("; ", ", ")

    @property
    def place(self) -> str:
        """Where to look it up."""
        return f"{self.file}, «{self.section}»" if self.section else str(self.command)


class CardStatement(Record):
    """One thing said, in both languages; ``{name}`` stands for a measured figure of that name.

    ``sources`` are documents it rests on. What is our own decision, such as whom a model is for, has none.
    """

    vi: Text
    en: Text
    sources: tuple[str, ...] = ()
    measured: dict[str, Measured] = Field(default={})

    @model_validator(mode="after")
    def _fields(self) -> Self:
        for words in (self.vi, self.en):
            named = {name for _, name, _, _ in Formatter().parse(words) if name is not None}
            if named != set(self.measured):
                raise ValueError(f"figures named: {sorted(named)}, figures given: {sorted(self.measured)}")
        return self

    def text(self, language: Language) -> str:
        """The statement in one language, figures filled in."""
        figures = {name: figure.text(language) for name, figure in self.measured.items()}
        return str(getattr(self, language)).format(**figures)


Statements = Annotated[tuple[CardStatement, ...], Field(min_length=1)]


class DataSource(Record):
    """Pictures a model learned from, credited as CC BY 4.0 asks in section 3(a)(1).

    Attributes:
        id: set name, as ``agri/mango_bd``.
        holder: who must be named besides the authors, or thanked.
        licence: SPDX-like id or plain words, never empty.
        licence_vi: plain words in Vietnamese.
        basis: where the licence was read.
        consent: of the people pictured, as far as it is known.
        question: what about the licence is still open; whoever sells a product should settle it first.
        changes: what was done to the pictures.
        synthetic: drawn by a program.
    """

    id: Text
    title: Text
    authors: Text
    year: int = Field(ge=1900, le=2100)
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$")
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    holder: Line | None = None
    licence: Text
    licence_vi: Text | None = None
    licence_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    basis: Line
    question: Line | None = None
    country: Line
    consent: Line | None = None
    changes: Line
    synthetic: bool = False

    @property
    def link(self) -> str:
        """Where the pictures come from; empty for drawn ones."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url or ""

    @model_validator(mode="after")
    def _credited(self) -> Self:
        if not self.synthetic and not self.link:
            raise ValueError(f"{self.id} has neither doi nor url")
        return self


class Card(Record):
    """Everything a card says that no run can measure; results, calibration and times come from the bundle.

    Attributes:
        name: of the model.
        status: experimental models say so before anything else.
        title: for people.
        domain: crop, clinic or other.
        headline: the metric to remember, as the report names it; None: the first of accuracy, Dice, mAP50.
        call: what ``predict`` calls it by; None: its name.
        experimental: why it is experimental; empty for ready ones.
        purpose: what it does.
        users: whom it is for.
        not_for: who must not use it.
        out_of_scope: what it must not be used for.
        not_sure: what to do when it does not answer.
        shortcuts: what it may have learned besides the subject.
        field: what is known of pictures taken elsewhere.
        never_seen: what it has never seen.
        reviewed_by: physician or agronomist who checked the card, or none.
        looks: names in the column ``set`` of ``training/test_looks.csv``.
        data: what it learned from.
        documents: every document cited, in full.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    status: Status
    domain: Domain | Literal["other"]
    title: Line
    headline: str | None = None
    call: str | None = None
    experimental: tuple[CardStatement, ...] = ()
    purpose: Statements
    users: Statements
    not_for: Statements
    out_of_scope: Statements
    not_sure: Statements
    shortcuts: Statements
    field: Statements
    never_seen: Statements
    reviewed_by: Text = "none"
    looks: tuple[str, ...] = ()
    data: Annotated[tuple[DataSource, ...], Field(min_length=1)]
    documents: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.status == "experimental") != bool(self.experimental):
            raise ValueError(
                "an experimental model says why under experimental; a ready one has no such part"
            )
        cited, known = self.cited(), {source.id for source in self.documents}
        if missing := sorted(cited - known):
            raise ValueError(f"unknown sources: {', '.join(missing)}")
        return self

    def statements(self) -> Iterator[tuple[str, CardStatement]]:
        """Every statement with the part it stands in, in reading order."""
        for part in STATEMENTS:
            for statement in getattr(self, part):
                yield part, statement

    def cited(self) -> set[str]:
        """Ids of the documents that the statements cite."""
        return {key for _, statement in self.statements() for key in statement.sources}
