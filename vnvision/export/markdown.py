"""Markdown from untrusted text: nothing a label or file name holds can break a table or become markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from vnvision.report.phrases import Language

_MARKUP = set("\\`*_[]|~$")
_LONGEST = 200


def plain(text: object, longest: int = _LONGEST) -> str:
    """One line of text, every character that Markdown or HTML could read as markup escaped.

    Line ends and control characters, the ones that reverse the reading direction included, become spaces.
    """
    spaced = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in str(text))
    line = " ".join(spaced.split())
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return "".join(_escaped(char) for char in line)


def _escaped(char: str) -> str:
    if char in "<>&":
        return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[char]
    return f"\\{char}" if char in _MARKUP else char


def number(value: float, language: Language, digits: int = 3) -> str:
    """A fixed-point number, with the decimal comma of Vietnamese or the English point."""
    return localised(f"{value:.{digits}f}", language)


def short(value: float, language: Language) -> str:
    """Three significant digits, powers of ten where that is shorter."""
    return localised(f"{value:.3g}", language)


def localised(text: str, language: Language) -> str:
    """A number written in English, with the language's decimal mark."""
    return text.replace(".", ",") if language == "vi" else text


def table(header: str, rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; ``header`` is ``a | b | c``, cells are Markdown already."""
    columns = header.count("|") + 1
    lines = [f"| {header} |", "|" + " --- |" * columns]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def bullets(lines: Iterable[str]) -> str:
    """A list, one line an entry."""
    return "\n".join(f"- {line}" for line in lines)
