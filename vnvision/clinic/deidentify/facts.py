"""The tables: what the standard says of each attribute, and what may stay beside it."""

from __future__ import annotations

import csv
import shlex
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

EDITION = "2026c"
Column = Literal[
    "uids",
    "device",
    "institution",
    "patient",
    "dates",
    "shifted_dates",
    "descriptors",
    "structured",
    "graphics",
]


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute of PS3.15 Table E.1-1.

    Attributes:
        basic: action of the Basic Profile: D dummy, Z empty, X remove, U new UID, alternatives as ``X/Z/D``.
        options: K (keep) or C (clean) under each option that names the attribute.
    """

    basic: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Private:
    """A private element of PS3.15 Table E.3.10-1 that may stay: numbers only."""

    vr: str
    vm: str


@cache
def table() -> dict[int, Row]:
    """PS3.15 Table E.1-1 by tag, repeating groups apart."""
    rows = {}
    for line in _rows("confidentiality.csv"):
        options = {name: line[name] for name in Column.__args__ if line[name]}  # type: ignore[attr-defined]
        rows[int(line["tag"], 16)] = Row(line["basic"], options)
    return rows


@cache
def keep() -> dict[int, str]:
    """What happens to attributes that the table does not name and the general rules do not fit."""
    from pydicom.datadict import tag_for_keyword

    found = {line["keyword"]: (tag_for_keyword(line["keyword"]), line["rule"]) for line in _rows("keep.csv")}
    unknown = [keyword for keyword, (tag, _) in found.items() if tag is None]
    assert not unknown, unknown
    return {tag: rule for tag, rule in found.values() if tag is not None}


@cache
def safe_private() -> dict[tuple[str, int, int], Private]:
    """Numeric private elements of Table E.3.10-1 by (creator, group, last byte of the element)."""
    return {
        (line["creator"], int(line["group"], 16), int(line["element"], 16)): Private(line["vr"], line["vm"])
        for line in _rows("safe_private.csv")
    }


@cache
def terms() -> frozenset[str]:
    """Values that a CS attribute may keep."""
    return frozenset(_words("terms.txt"))


@cache
def words() -> frozenset[str]:
    """Words that a description may keep under Clean Descriptors, small letters, NFC."""
    return frozenset(unicodedata.normalize("NFC", word) for word in _words("words.txt"))


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(_text(name).splitlines()))


def _words(name: str) -> list[str]:
    return [word for line in _text(name).splitlines() for word in shlex.split(line, comments=True)]


def _text(name: str) -> str:
    return files("vnvision.clinic.deidentify").joinpath("tables", name).read_text(encoding="utf-8")
