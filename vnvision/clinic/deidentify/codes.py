"""Codes of published schemes: the code stays, its meaning is written anew from the published list."""

from __future__ import annotations

from functools import cache

from pydicom.dataset import Dataset

_SCHEMES = ("DCM", "SCT", "UCUM", "LN", "RADLEX", "UMLS", "FMA", "NCIt", "IBSI", "NEU", "MDC")


def published(item: Dataset) -> Dataset | None:
    """The code of an item of a code sequence, built anew; None where no published scheme has it.

    A code that a hospital made up, or a meaning typed by hand, can name a person. SRT codes become their SCT
    successors (PS3.16 Annex O).
    """
    value, scheme = (_text(item, name) for name in ("CodeValue", "CodingSchemeDesignator"))
    if scheme in ("SRT", "SNM3", "99SDM"):
        scheme, value = "SCT", _successors().get(value, "")
    meaning = _meanings().get((scheme, value))
    if not meaning:
        return None
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning[:64]
    return code


def is_code(item: Dataset) -> bool:
    """Whether an item of a sequence is a coded entry (PS3.3 Section 8)."""
    return any(name in item for name in ("CodeValue", "LongCodeValue", "URNCodeValue"))


def _text(item: Dataset, name: str) -> str:
    return str(item.get(name, "") or "").strip(" \0")


@cache
def _meanings() -> dict[tuple[str, str], str]:
    from pydicom.sr._concepts_dict import concepts

    found: dict[tuple[str, str], str] = {}
    for scheme in _SCHEMES:
        for entry in concepts.get(scheme, {}).values():
            for value, (meaning, *_) in entry.items():
                found[scheme, value] = min(found.get((scheme, value), meaning), meaning, key=len)
    return found


@cache
def _successors() -> dict[str, str]:
    from pydicom.sr._snomed_dict import mapping

    return dict(mapping["SRT"])
