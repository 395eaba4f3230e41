"""Texts of the face report's own table, and numbers as this report writes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from vnvision.metrics.notes import SEPARATOR
from vnvision.report.faces.texts import NOTES, TEXTS
from vnvision.report.phrases import (
    Language,
    Phrase,
    Quantity,
    field_text,
    local,
    pattern,
    phrase_of,
)
from vnvision.report.texts import NOTES as SHARED_NOTES

_VIETNAMESE = str.maketrans({".": ",", ",": "."})


tell = partial(phrase_of, TEXTS)
"""A text of this table; unknown keys raise ``KeyError`` at once."""


def named(family: str, name: str) -> Phrase | str:
    """``family.name`` of the table, or the name itself where the table has none."""
    key = f"{family}.{name.lower()}"
    return tell(key) if key in TEXTS else name


@dataclass(frozen=True)
class Note(Phrase):
    """A note or warning of the metrics; ``key`` is its English."""

    def text(self, language: Language) -> str:
        """In one language; a note that no table has stays as it is."""
        if language == "en":
            return self.key
        return SEPARATOR.join(_vietnamese(part) for part in self.key.split(SEPARATOR))


def note(text: str) -> Note:
    """A note as it travels in the report."""
    return Note(text, {})


def _vietnamese(text: str) -> str:
    for english, vietnamese in (NOTES | SHARED_NOTES).items():
        found = pattern(english).fullmatch(text)
        if found:
            fields = {name: field_text(name, value) for name, value in found.groupdict().items()}
            if "group" in fields:
                fields["group"] = local(named("group", fields["group"]), "vi")
            return vietnamese.format(**fields)
    return text


@dataclass(frozen=True, slots=True)
class Significant(Quantity):
    """Two significant digits, whole from 10 on: 0.0998 -> 0.10, 9.004 -> 9.0, 125.3 -> 125."""

    def text(self, language: Language) -> str:
        """The number as people write it there."""
        value = self.value
        rounded = abs(float(f"{value:.1e}"))  # 0.998 is written as 1.0
        places = 0 if rounded == 0 else max(0, 1 - math.floor(math.log10(rounded) + 1e-9))
        text = f"{value:,.{min(places, 9)}f}"
        return text.translate(_VIETNAMESE) if language == "vi" else text


def rate_text(target: float) -> Quantity | str:
    """An FMR asked for, as in 0.001, or 1e-6 where that is shorter."""
    return f"{target:g}" if target < 1e-4 else Quantity(target, "plain")


def per_base(target: float | None, rates: list[float]) -> int:
    """The round number that a rate is told out of: 1,000 to 1,000,000, so that the target is 1 in it."""
    known = [target] if target else sorted(rate for rate in rates if rate > 0)
    if not known:
        return 1000
    middle = known[len(known) // 2]
    return int(10 ** min(6, max(3, round(-math.log10(middle)))))
