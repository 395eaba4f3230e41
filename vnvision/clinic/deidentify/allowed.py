"""The allow-list: which values of attributes that the table does not name may stay."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydicom.datadict import DicomDictionary, dictionary_has_tag, dictionary_VM
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID_dictionary

from vnvision.clinic.deidentify import facts, numbers, rules, values
from vnvision.clinic.deidentify.faults import FAULTS
from vnvision.clinic.deidentify.options import Options

LUT_DATA = frozenset(
    {0x00283006, *range(0x00281201, 0x00281205), *range(0x00281221, 0x00281225)}
)  # LUT Data, palettes, segmented palettes
_ICC_PROFILE, _CHARACTER_SET = 0x00282000, 0x00080005
_IMAGE_TYPES = frozenset({0x00080008, 0x00089007})
_MAX_VALUES = 16


def registered(uid: Any) -> bool:
    """Whether a UID names something of the standard, such as a SOP class: it identifies nobody."""
    return str(uid) in UID_dictionary


def values_of(element: DataElement, vr: str, found: list[Any], rule: str | None) -> Any:
    """The values that stay, or None.

    Args:
        element: of the original.
        vr: its VR, which is one of those the dictionary gives.
        found: its values, at least one.
        rule: of ``tables/keep.csv``, None where the attribute is not in it.
    """
    tag = int(element.tag)
    if tag == _CHARACTER_SET:
        return None
    if tag in LUT_DATA and vr in ("OW", "OB", "US", "SS"):
        return found if vr in ("US", "SS") else bytes(found[0])  # checked against its descriptor afterwards
    if vr == "CS":
        return values.image_type(found) if tag in _IMAGE_TYPES else _terms(found)
    if vr in numbers.VRS:
        return _numbers(tag, vr, found, rule)
    if vr == "UI":
        return found if all(registered(uid) for uid in found) else None
    if vr == "AT":
        return found if len(found) <= _MAX_VALUES and all(map(_is_public, found)) else None
    return _terms(found) if rule == "term" else None


def stays_empty(tag: int, vr: str, rule: str | None) -> bool:
    """Whether an attribute whose value is refused stays without one: modules may require it to be there."""
    return tag != _CHARACTER_SET and (
        vr == "CS" or rule is not None or (vr in numbers.VRS and _bounded(tag, rule))
    )


def plain(vr: str, found: list[Any]) -> list[Any] | None:
    """Values of CS and of numbers that an option retains."""
    if vr == "CS":
        return _terms(found)
    return numbers.cleaned(found, vr, None) if vr in numbers.VRS and len(found) <= _MAX_VALUES else None


def private(source: Dataset, made: Dataset, options: Options, counts: Counter[str]) -> None:
    """Copy the numeric elements of PS3.15 Table E.3.10-1, where they are asked for."""
    if "safe-private" not in options.retain:
        return
    for tag in sorted(key for key in list(source.keys()) if key.is_private and key.element > 0xFF):
        try:
            creator = str(source.get((tag.group, tag.element >> 8), ""))
            creator = str(source[tag.group, tag.element >> 8].value).strip() if creator else ""
            rule = facts.safe_private().get((creator, tag.group, tag.element & 0xFF))
            found = values.listed(source[tag].value) if rule else []
            kept = _of_private(found, str(source[tag].VR), rule) if rule and found else None
        except FAULTS:
            continue
        if kept and rule:
            made.add(DataElement(Tag(tag.group, tag.element >> 8), "LO", creator))
            made.add(DataElement(Tag(tag), rule.vr, kept[0] if len(kept) == 1 else kept))
            counts["private kept"] += 1


def _of_private(found: list[Any], vr: str, rule: facts.Private) -> list[Any] | None:
    if vr != rule.vr or not _fits(len(found), rule.vm):
        return None
    return numbers.cleaned(found, vr, None)


def _numbers(tag: int, vr: str, found: list[Any], rule: str | None) -> list[Any] | None:
    if not _bounded(tag, rule) or not _fits(len(found), dictionary_VM(tag)):
        return None
    limit = float(rule) if rule and rule[0].isdigit() else None
    return numbers.cleaned(found, vr, limit)


def _bounded(tag: int, rule: str | None) -> bool:
    """Whether numbers of this attribute may stay: a fixed few in a group that describes images, or listed."""
    if rule:
        return True
    low, high, _ = numbers.vm_range(dictionary_VM(tag))
    return rules.may_hold_numbers(tag) and high is not None and max(low, high) <= _MAX_VALUES


def _fits(count: int, vm: str) -> bool:
    low, high, step = numbers.vm_range(vm)
    return count >= low and (high is None or count <= high) and (count - low) % step == 0


def _terms(found: list[Any]) -> list[str] | None:
    kept = [str(value) for value in found]
    return kept if all(not value.strip(" \0") or values.term(value) for value in kept) else None


def _is_public(tag: BaseTag | int) -> bool:
    return dictionary_has_tag(tag) and int(tag) in DicomDictionary
