"""Words and differences of the field cards, in both languages."""

from __future__ import annotations

from functools import partial

from vnvision.report.field_texts import NOTES, TEXTS
from vnvision.report.phrases import (
    Html,
    Language,
    Phrase,
    Quantity,
    both,
    field_text,
    pattern,
    phrase_of,
    show_note,
)

tell = partial(phrase_of, TEXTS)
"""A text of this table; unknown keys raise ``KeyError`` at once."""


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
