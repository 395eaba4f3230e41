"""Texts and numbers in both languages at once, as HTML that one switch shows or hides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from vnvision.metrics.notes import SEPARATOR
from vnvision.report.texts import NOTES, TEXTS
from vnvision.spec import Label

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = ("vi", "en")
Style = Literal[
    "percent", "whole", "bare", "score", "short", "count", "plain", "tenth", "signed", "signed_tenth"
]


class Html(str):
    """Text that is already escaped; templates print it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that reads differently in each language.

    ``percent`` 0.8812 -> 88.1%, ``whole`` 88%, ``bare`` 88, ``score`` 0.881, ``short`` 0.88, ``count``
    1419 -> 1,419, ``plain`` as few digits as it needs, ``tenth`` 12.3, ``signed`` +0.38, ``signed_tenth``
    +0.4; a minus is a real one, so that a range can be read.
    """

    value: float
    style: Style = "score"

    def text(self, language: Language) -> str:
        """The number as people write it there."""
        formats = {
            "percent": f"{100 * self.value:.1f}%",
            "whole": f"{100 * self.value:.0f}%",
            "bare": f"{100 * self.value:.0f}",
            "score": f"{self.value:.3f}",
            "short": f"{self.value:.2f}",
            "count": f"{self.value:,.0f}",
            "plain": f"{self.value:,.6g}" if abs(self.value) < 1e6 else f"{self.value:,.0f}",
            "tenth": f"{self.value:,.1f}",
            "signed": f"{self.value:+,.2f}".replace("-", "−"),
            "signed_tenth": f"{self.value:+,.1f}".replace("-", "−"),
        }
        text = formats[self.style]
        return text.translate(_VIETNAMESE) if language == "vi" else text


_VIETNAMESE = str.maketrans({".": ",", ",": "."})


def local(value: Any, language: Language) -> str:
    """Any value as plain text in one language."""
    if isinstance(value, Quantity | Label):
        return value.text(language)
    if isinstance(value, Phrase):
        return value.text(language)
    if isinstance(value, bool):
        return TEXTS["yes" if value else "no"][LANGUAGES.index(language)]
    if isinstance(value, int):
        return Quantity(value, "count").text(language)
    if isinstance(value, float):
        return Quantity(value, "plain").text(language)
    return str(value)


@dataclass(frozen=True)
class Phrase:
    """One text of the table with its fields filled in."""

    key: str
    fields: dict[str, Any]
    texts: Mapping[str, tuple[str, str]] = field(default_factory=lambda: TEXTS, repr=False)

    def text(self, language: Language) -> str:
        """The filled text in one language."""
        template = self.texts[self.key][LANGUAGES.index(language)]
        return template.format(**{name: local(value, language) for name, value in self.fields.items()})


def phrase(key: str, **fields: Any) -> Phrase:
    """A text of the table; unknown keys raise ``KeyError`` at once."""
    if key not in TEXTS:
        raise KeyError(key)
    return Phrase(key, fields)


def phrase_of(texts: Mapping[str, tuple[str, str]], key: str, **fields: Any) -> Phrase:
    """As ``phrase``, out of another table."""
    if key not in texts:
        raise KeyError(key)
    return Phrase(key, fields, texts)


def known_or(family: str, name: str) -> Phrase | str:
    """``family.name`` of the table, or the name itself in words where the table has none."""
    key = f"{family}.{name}"
    return Phrase(key, {}) if key in TEXTS else name.replace("_", " ")


def both(say: Callable[[Language], str], tag: str = "span", attributes: str = "") -> Html:
    """Escaped HTML that carries a text in both languages, once where they agree.

    Args:
        say: the plain text in one language.
        tag: element to wrap each in; elements are always made for tags other than span.
        attributes: already escaped attributes for those elements.
    """
    vi, en = (escape(say(language)) for language in LANGUAGES)
    space = " " + attributes if attributes else ""
    if vi == en:
        return Html(vi if tag == "span" and not attributes else f"<{tag}{space}>{vi}</{tag}>")
    return Html(
        "".join(f'<{tag}{space} lang="{code}">{text}</{tag}>' for code, text in (("vi", vi), ("en", en)))
    )


def show(value: Any) -> Html:
    """Any value as HTML in both languages."""
    return value if isinstance(value, Html) else both(lambda language: local(value, language))


def pattern(template: str) -> re.Pattern[str]:
    """What a filled template looks like; its fields are named groups."""
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(f"(?P<{part}>[^;]+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    )


def translated(text: str) -> str:
    """The Vietnamese of one note or warning; the text itself where it is not one of ours."""
    for english, vietnamese in NOTES.items():
        found = pattern(english).fullmatch(text)
        if found:
            fields = {name: field_text(name, value) for name, value in found.groupdict().items()}
            return vietnamese.format(**fields)
    return text


def field_text(name: str, text: str) -> str:
    """A field of a note: a nested note is translated, a decimal number gets its comma."""
    if name == "text":
        return translated(text)
    return text.replace(".", ",") if re.fullmatch(r"\d+\.\d+(e[+-]?\d+)?", text) else text


def show_note(text: str) -> Html:
    """A note (several joined by semicolons) or a warning, in both languages."""
    whole = translated(text)
    if whole == text and SEPARATOR in text:
        whole = SEPARATOR.join(translated(part) for part in text.split(SEPARATOR))
    return both(lambda language: whole if language == "vi" else text)
