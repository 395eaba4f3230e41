"""Values that stay, and what stands in for those that do not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from vnvision.clinic.deidentify import facts

REMOVED = "REMOVED"
DUMMY: dict[str, Any] = {
    "DA": "19000101",
    "TM": "000000",
    "DT": "19000101000000",
    "AS": "000Y",
    "DS": "0",
    "IS": "0",
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), REMOVED),
    **dict.fromkeys(("FL", "FD"), 0.0),
    **dict.fromkeys(("SL", "SS", "UL", "US", "SV", "UV"), 0),
    **dict.fromkeys(("OB", "OW", "UN"), b"\0\0"),
}
"""What action D writes, by VR. VRs that are missing here are removed instead."""
TEXTS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
DATES = frozenset({"DA", "DT", "TM"})
_AGE = re.compile(r"(\d{3})([DWMY])")
_MEASURE = re.compile(r"\d{1,3}(mm|cm|kv|t)")
_OLDEST = 90


def listed(value: Any) -> list[Any]:
    """The values of an element as a list: none, one or many."""
    if value is None or (isinstance(value, str | bytes) and not value):
        return []
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return [value]
    return list(value)


def term(value: str) -> bool:
    """Whether a text is, whole, a term of the standard."""
    return value.strip(" \0") in facts.terms()


def image_type(values: Sequence[str]) -> list[str] | None:
    """Image Type and Frame Type: a third or later value that is no term reads OTHER, so that places stay."""
    if len(values) < 2 or not all(term(value) for value in values[:2]):
        return None
    return [value if not value.strip(" \0") or term(value) else "OTHER" for value in values]


def age(value: str) -> str | None:
    """An AS value; 90 years and more read 090Y, so that very old people are not singled out."""
    found = _AGE.fullmatch(value.strip())
    if not found:
        return None
    return f"{_OLDEST:03}Y" if found[2] == "Y" and int(found[1]) > _OLDEST else found[0]


def description(value: str) -> str:
    """The words of a description that the shipped list knows, and sizes such as 5mm."""
    plain = unicodedata.normalize("NFC", value)
    kept = [
        word
        for word in re.split(r"[\s_,;:/\\^=()\[\]<>+*|.-]+", plain)
        if word.lower() in facts.words() or _MEASURE.fullmatch(word.lower())
    ]
    return " ".join(kept)
