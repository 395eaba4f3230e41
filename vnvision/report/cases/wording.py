"""Probabilities and shares as the pages write them."""

from __future__ import annotations

import unicodedata

from vnvision.hub import probability_words
from vnvision.hub.library import Language
from vnvision.report.cases.texts import say
from vnvision.report.phrases import Quantity


def percent(share: float, language: Language) -> str:
    """A probability in whole percent.

    Never 0 % or 100 %: a calibration measured on some hundred pictures cannot vouch for what lies beyond 1
    and 99 %.
    """
    if share > 0.99:
        return say("over", language)
    return say("under", language) if share < 0.01 else Quantity(share, "whole").text(language)


def in_words(share: float, language: Language) -> str:
    """``very likely (97%)``."""
    return say(
        "probability",
        language,
        words=probability_words(share, language),
        number=percent(share, language),
    )


def area(share: float, language: Language) -> str:
    """A share of an area with one decimal, which a mask of thousands of pixels can bear."""
    return Quantity(share, "percent").text(language)


def plain(text: str, most: int = 120) -> str:
    """Text from outside as one short line in NFC (file names of some systems come decomposed)."""
    letters = (letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text))
    line = " ".join("".join(letters).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def sentence(text: str) -> str:
    """The same with a capital first letter."""
    return text[:1].upper() + text[1:]
