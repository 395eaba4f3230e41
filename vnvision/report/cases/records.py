"""All that a page about one picture shows, in one language, ready to be laid out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from vnvision.hub.library import Domain, Language
from vnvision.imaging.exif import Place
from vnvision.records import ClassPrediction, DetectionPrediction, MaskPrediction

Answer = ClassPrediction | DetectionPrediction | MaskPrediction
Tone = Literal["sure", "found", "unsure"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG made anew from pixels: it carries no EXIF and no name.

    Attributes:
        jpeg: the file.
        size_px: height and width.
        alt: what it shows, for those who cannot see it.
        caption: the line under it.
    """

    jpeg: bytes
    size_px: tuple[int, int]
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: ``colour`` as ``#rrggbb``; None for the colour scale of a heatmap."""

    words: str
    colour: str | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A share, 0 to 1, with its name and its number as text; ``strong`` for what was answered."""

    name: str
    number: str
    share: float
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, or that there is none.

    Attributes:
        tone: ``sure`` for a label, ``found`` for a count or an area, ``unsure`` where the model withheld it.
        title: what the box is about.
        big: the answer itself.
        words: its probability in words and number; empty where there is none.
        lines: what else belongs to it: severity and its error, thresholds, reasons.
        alerts: what must not be overlooked.
        steps: what to do next, where there is no answer.
        bars_title: what the bars are.
        bars: probabilities of labels, or counts and areas.
    """

    tone: Tone
    title: str
    big: str
    words: str = ""
    lines: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    bars_title: str = ""
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """One statement with the numbers of its sources on this page."""

    text: str
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Statements under a heading."""

    title: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known of the answer's label; ``sources`` are numbered from 1 in this order."""

    title: str = ""
    sections: tuple[Section, ...] = ()
    sources: tuple[str, ...] = ()
    review: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A case as one line of a batch. Label ids and plain numbers, for programs; ``answer_text`` for people.

    Attributes:
        answer: id of the label, several with ``; `` between; empty where the model withheld it.
        probability: calibrated, of ``answer``; None where there is none.
        severity: diseased share, 0 to 1.
        amounts: counts or pixels of each label, probabilities of each label; empty where withheld.
    """

    reference: str
    kind: str
    answer: str
    answer_text: str
    abstained: bool
    reasons: tuple[str, ...] = ()
    reason_texts: tuple[str, ...] = ()
    probability: float | None = None
    severity: float | None = None
    amounts: tuple[tuple[str, float], ...] = ()
    place: Place | None = None
    taken: datetime | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """The lines about the model that all cases of a batch share.

    Attributes:
        name: of the bundle.
        version: first digits of the manifest's SHA-256, and the commit.
        sha256: of the bundle's ``manifest.json``.
        labels: names by id.
        facts: data, measured quality, thresholds.
        notice: research use, or guidance only.
        warnings: drawn training data, probabilities that were not calibrated.
    """

    name: str
    version: str
    sha256: str
    domain: Domain
    labels: dict[str, str]
    facts: tuple[Fact, ...]
    notice: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One picture and what was answered, as shown."""

    language: Language
    reference: str
    model: Model
    picture: Picture
    thumbnail: bytes
    verdict: Verdict
    row: Row
    drawn: Picture | None = None
    keys: tuple[Key, ...] = ()
    advice: Advice = Advice()
    place: tuple[Fact, ...] = ()
    made: date | None = None
