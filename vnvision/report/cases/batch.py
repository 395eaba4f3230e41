"""Many cases of one model counted up, without holding more of each than a line and a thumbnail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from statistics import median

from vnvision.errors import ConfigError
from vnvision.hub import reason
from vnvision.hub.library import Language
from vnvision.report.cases.records import Bar, Case, Fact, Model, Row
from vnvision.report.cases.texts import say
from vnvision.report.cases.wording import area, percent, sentence
from vnvision.report.phrases import Quantity

MOST_SHOWN = 1000
"""Pictures listed on the pages; the table has all."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A picture that could not be read. Why is told where it happened: the message names the file."""

    reference: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list."""

    thumbnail: bytes | None
    reference: str
    big: str
    small: str
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What the pages about a batch show.

    Attributes:
        tiles: pictures, answered, withheld, unread.
        answers: pictures by answer, or objects by kind, with their legend.
        reasons: pictures by reason of no answer.
        notes: severity over all, what the counts are not, how many are listed.
        entries: the first ``MOST_SHOWN``.
        rows: all of them; None for a picture that could not be read.
    """

    language: Language
    model: Model
    tiles: tuple[Fact, ...]
    answers_title: str
    answers: tuple[Bar, ...]
    reasons: tuple[Bar, ...]
    notes: tuple[str, ...]
    entries: tuple[Entry, ...]
    rows: tuple[tuple[str, Row | None], ...]
    made: date | None = None


def batch_of(cases: Iterable[Case | Unread]) -> Batch:
    """Count up cases, which may come from a generator: each is let go after its line is taken.

    Raises:
        ConfigError: no case at all, or cases of several models or languages.
    """
    first: Case | None = None
    tally = _Tally()
    for case in cases:
        if isinstance(case, Case):
            first = first or case
            if (case.model.sha256, case.language) != (first.model.sha256, first.language):
                raise ConfigError(
                    "a batch is about one model, in one language",
                    expected=f"{first.model.name} {first.model.sha256[:12]}, {first.language}",
                    got=f"{case.model.name} {case.model.sha256[:12]}, {case.language}",
                )
        tally.add(case)
    if first is None:
        raise ConfigError("there is nothing to report", expected="one picture or more that could be read")
    return tally.batch(first)


@dataclass(slots=True)
class _Tally:
    entries: list[Entry] = field(default_factory=list)
    rows: list[tuple[str, Row | None]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case | Unread) -> None:
        """Take what a batch needs of a case."""
        row = case.row if isinstance(case, Case) else None
        self.rows.append((case.reference, row))
        if row is not None and row.abstained:
            self.reasons.update(row.reasons)
        if row is not None and not row.abstained:
            self.answers.update(_counted(row))
        if len(self.entries) < MOST_SHOWN:
            self.entries.append(_entry(case))

    def batch(self, first: Case) -> Batch:
        """What was taken, in words."""
        language, known = first.language, [row for _, row in self.rows if row is not None]
        withheld, unread = sum(row.abstained for row in known), len(self.rows) - len(known)
        tiles = {"pictures": len(self.rows), "answered": len(known) - withheld, "abstained": withheld}
        tiles |= {"unread": unread} if unread else {}
        entries = tuple(_worded(one, language) for one in self.entries)
        return Batch(
            language=language,
            model=first.model,
            tiles=tuple(Fact(say(key, language), _count(n, language)) for key, n in tiles.items()),
            answers_title=say(_TITLES.get(first.row.kind, "by_answer"), language),
            answers=_bars(self.answers, first, language),
            reasons=_reasons(self.reasons, language),
            notes=tuple(_notes(known, len(entries), len(self.rows), language)),
            entries=entries,
            rows=tuple(self.rows),
            made=first.made,
        )


_TITLES = {"detection": "in_all", "segmentation": "with_found"}


def _counted(row: Row) -> Counter[str]:
    """What one answer adds: objects of each label, or one for each label that is there."""
    if row.kind == "detection":
        return Counter({name: int(count) for name, count in row.amounts})
    return Counter({name: 1 for name in row.answer.split("; ") if name})


def _bars(counts: Counter[str], first: Case, language: Language) -> tuple[Bar, ...]:
    most = max(counts.values(), default=0)
    names = first.model.labels
    order = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    return tuple(
        Bar(names.get(name, name), _count(counts[name], language), counts[name] / most, strong=True)
        for name in order
    )


def _reasons(counts: Counter[str], language: Language) -> tuple[Bar, ...]:
    most = max(counts.values(), default=0)
    found = ((code, reason(code)) for code in counts)
    words = {code: one.why.text(language).rstrip(".") if one is not None else code for code, one in found}
    order = sorted(counts, key=lambda code: -counts[code])
    return tuple(Bar(words[code], _count(counts[code], language), counts[code] / most) for code in order)


def _notes(rows: list[Row], shown: int, total: int, language: Language) -> Iterator[str]:
    shares = [row.severity for row in rows if row.severity is not None]
    if shares:
        middle, low, high = (area(x, language) for x in (median(shares), min(shares), max(shares)))
        yield say("severity_batch", language, median=middle, low=low, high=high, n=len(shares))
    yield say("sample_limit", language)
    if shown < total:
        yield say("first_only", language, shown=shown, total=total)


def _entry(case: Case | Unread) -> Entry:
    if isinstance(case, Unread):
        return Entry(None, case.reference, "", "", unsure=True)
    row, language = case.row, case.language
    if row.abstained:
        return Entry(
            case.thumbnail, case.reference, case.verdict.big, " ".join(row.reason_texts), unsure=True
        )
    parts = [percent(row.probability, language)] if row.probability is not None else []
    big = case.verdict.big
    if row.kind == "detection" and big == say("counted", language, count=sum(int(n) for _, n in row.amounts)):
        counts = ((case.model.labels.get(name, name), n) for name, n in row.amounts if n)
        parts += [f"{name} {_count(int(n), language)}" for name, n in counts]
    if row.kind in ("classification", "multilabel") and row.severity is not None:
        parts.append(say("severity", language, number=area(row.severity, language)))
    return Entry(case.thumbnail, case.reference, big, " · ".join(parts))


def _worded(entry: Entry, language: Language) -> Entry:
    """An unread picture's line, once the language is known."""
    if entry.thumbnail is not None:
        return entry
    return Entry(None, entry.reference, sentence(say("unread", language)), "", unsure=True)


def _count(value: int, language: Language) -> str:
    return Quantity(value, "count").text(language)
