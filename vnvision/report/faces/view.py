"""A ``FaceReport`` as the cards that both the page and the PDF show: words, numbers and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vnvision.evaluate.faces.records import FaceReport
from vnvision.records import Metric
from vnvision.report.faces.drawing import Drawing
from vnvision.report.faces.words import Note, Significant, note, tell
from vnvision.report.phrases import Quantity


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a text, a small one below it, and a tone (``worse``, ``better``, ``own``)."""

    main: Any
    small: Any = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title of its own; ``notes`` stand below it."""

    title: Any
    heads: Sequence[Any]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with a title above and words below; a wide one has a row of its own."""

    drawing: Drawing
    title: Any = ""
    about: Any = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; ``code`` where values are hashes."""

    items: Sequence[tuple[Any, Any]]
    code: bool = False


@dataclass(frozen=True, slots=True)
class Sentences:
    """Plain sentences, each with its tone."""

    items: Sequence[tuple[Any, str]]


Block = Table | Sequence[Picture] | Facts | Sentences


@dataclass(frozen=True, slots=True)
class Card:
    """One part of the report."""

    title: Any
    about: Any
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Headline:
    """The first sentences, and one large number with its name and its interval."""

    leads: Sequence[Any]
    big: Any
    big_name: Any
    big_small: Any
    tone: str = ""


def whole(level: float) -> Quantity:
    """A confidence level as whole percent."""
    return Quantity(level, "whole")


def span(metric: Metric, scale: float = 1.0) -> Any:
    """The interval, empty where there is none."""
    if metric.low is None or metric.high is None:
        return ""
    return tell("range", low=Significant(metric.low * scale), high=Significant(metric.high * scale))


def percent(value: float) -> Any:
    """A share as percent with two significant digits, or one decimal from 10 % on."""
    shown = Quantity(100 * value, "plain") if value in (0, 1) else Significant(100 * value)
    return Quantity(value, "percent") if 0.1 <= value < 1 else tell("percent_of", value=shown)


def percent_span(metric: Metric) -> Any:
    """The interval as percent, empty where there is none."""
    if metric.low is None or metric.high is None:
        return ""
    return tell("range", low=percent(metric.low), high=percent(metric.high))


def share_cell(metric: Metric, tone: str = "") -> Cell:
    """A share with its interval below."""
    if metric.value is None:
        return Cell(tell("undefined"))
    return Cell(percent(metric.value), percent_span(metric), tone)


def base_cell(metric: Metric, base: int, tone: str = "") -> Cell:
    """A rate out of ``base`` with its interval below."""
    if metric.value is None:
        return Cell(tell("undefined"))
    return Cell(Significant(metric.value * base), span(metric, base), tone)


def ratio_cell(metric: Metric | None, tone: str = "") -> Cell:
    """A ratio with its interval below; the reference group itself has none."""
    if metric is None:
        return Cell(tell("reference_mark"), "", "own")
    if metric.value is None:
        return Cell(tell("dash"))
    return Cell(tell("times", value=Significant(metric.value)), span(metric), tone)


def notes_of(metrics: Sequence[Metric | None]) -> list[Note]:
    """Notes of metrics, each once."""
    return [note(text) for text in dict.fromkeys(one.note for one in metrics if one is not None and one.note)]


def tiles(report: FaceReport) -> list[tuple[Any, Any]]:
    """Four large facts."""
    what = "searches" if report.protocol == "1n" else "comparisons"
    failed = report.failure_to_enrol.value
    return [
        (tell("images"), report.n_images),
        (tell("persons"), report.n_subjects),
        (tell(what), report.n_genuine + report.n_impostor),
        (tell("col_fte"), percent(failed) if failed is not None else tell("undefined")),
    ]
