"""Words and differences of the field cards, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vnvision.report.field_texts import NOTES, TEXTS
from vnvision.report.phrases import (
    LANGUAGES,
    Html,
    Language,
    Phrase,
    Quantity,
    both,
    field_text,
    local,
    pattern,
    show_note,
)


@dataclass(frozen=True)
class Words(Phrase):
    """One text of this table with its fields filled in."""

    def text(self, language: Language) -> str:
        """The filled text in one language."""
        template = TEXTS[self.key][LANGUAGES.index(language)]
        return template.format(**{name: local(value, language) for name, value in self.fields.items()})


def tell(key: str, **fields: Any) -> Words:
    """A text of this table; unknown keys raise ``KeyError`` at once."""
    if key not in TEXTS:
        raise KeyError(key)
    return Words(key, fields)


class Signed(Phrase):
    """A difference with its sign: ``−12.3`` points of a percentage, else ``−0.123``."""

    def __init__(self, value: float, *, percent: bool) -> None:
        super().__init__("", {"value": value, "percent": percent})

    def text(self, language: Language) -> str:
        """The number as people write it there."""
        value: float = self.fields["value"]
        sign = "+" if value > 0 else "−" if value < 0 else ""
        size = Quantity(abs(value), "percent" if self.fields["percent"] else "score").text(language)
        return sign + size.removesuffix("%")


def warning(text: str) -> Html:
    """A warning of ``field_notes`` or a note of the metrics, in both languages."""
    for english, vietnamese in NOTES.items():
        found = pattern(english).fullmatch(text)
        if found:
            return _both(vietnamese, text, found.groupdict())
    return show_note(text)


def _both(vietnamese: str, english: str, fields: dict[str, str]) -> Html:
    said = vietnamese.format(**{name: field_text(name, value) for name, value in fields.items()})
    return both(lambda code: said if code == "vi" else english)
