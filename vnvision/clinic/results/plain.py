"""A header freed of its file: every text as Unicode, every value decoded, nothing left to fail later."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pydicom import config
from pydicom.charset import convert_encodings, python_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from vnvision.errors import ConfigError, DataError
from vnvision.imaging.dicom.faults import FAULTS

# pydicom's word for a value whose length does not fit its VR is a bare Exception.
UNREADABLE = (*FAULTS, BytesLengthException)
_TEXT = {"PN", "LO", "SH", "LT", "ST", "UT", "UC"}
_BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"}
# Identification, patient, study, acquisition, geometry, image, procedure. Pixels and frames stay behind.
_GROUPS = {0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0028, 0x0032, 0x0038, 0x0040}
_REPLACEMENT = "\ufffd"


@dataclass(slots=True)
class Found:
    """What went wrong on the way."""

    unreadable: list[str] = field(default_factory=list)
    undecoded: list[str] = field(default_factory=list)


def plain(source: Dataset, name: str, character_set: str | None) -> tuple[Dataset, tuple[str, ...]]:
    """A copy of the header in ISO_IR 192 (UTF-8), which writes every language.

    Args:
        source: as read; private elements, pixels and per-frame groups are left out.
        name: of the file, for errors.
        character_set: what the texts are really in, where the file is wrong or silent about it.

    Returns:
        The header, and the keywords of elements that could not be read.

    Raises:
        ConfigError: there is no such character set.
        DataError: a text is not in the character set that the file states: its letters would be changed.
    """
    if character_set is not None and not _known(character_set):
        raise ConfigError(
            "unknown character set", expected="a DICOM term such as ISO_IR 192", got=character_set
        )
    stated = character_set or _stated(source)
    found = Found()
    header = _copy(source, character_set, silent=not _says_more_than_ascii(stated), found=found, top=True)
    if found.undecoded:
        raise DataError(
            f"{name}: the text of {', '.join(found.undecoded[:3])} cannot be told",
            expected=f"text in the file's character set, {stated or 'plain ASCII, as it names none'}",
            got="other bytes",
            fix="say which it is, such as character_set='ISO_IR 192' for UTF-8",
            vietnamese=f"{name}: không đọc được chữ trong {', '.join(found.undecoded[:3])}; "
            "hãy cho biết bảng mã, ví dụ character_set='ISO_IR 192' cho UTF-8",
        )
    header.SpecificCharacterSet = "ISO_IR 192"
    return header, tuple(found.unreadable)


def _stated(source: Dataset) -> str:
    try:
        value = source.get("SpecificCharacterSet")
    except UNREADABLE:
        return ""
    return "\\".join(value) if isinstance(value, list | tuple) or hasattr(value, "append") else (value or "")


def _known(character_set: str) -> bool:
    """Whether each of the terms is one of PS3.3, C.12.1.1.2; ``ISO IR 100`` and ``ISO-IR 100`` pass too."""
    terms = [re.sub(r"^ISO.IR", "ISO_IR", term.strip()) for term in character_set.split("\\")]
    return all(term in python_encoding for term in terms)


def _says_more_than_ascii(character_set: str) -> bool:
    """Whether letters beyond ASCII have a meaning. An unknown term says nothing: pydicom would guess."""
    plain_ascii = {"", "ISO_IR 6", "ISO 2022 IR 6"}
    return _known(character_set) and any(
        term.strip() not in plain_ascii for term in character_set.split("\\")
    )


def _copy(source: Dataset, override: str | None, *, silent: bool, found: Found, top: bool) -> Dataset:
    out = Dataset()
    if override:
        _reinterpret(source, override)
    for tag in list(source.keys()):
        if BaseTag(tag).is_private or (top and BaseTag(tag).group not in _GROUPS):
            continue
        try:
            element = source[tag]
            value = _value(element, override, silent, found)
            copied = DataElement(tag, element.VR, value, validation_mode=config.IGNORE)
        except UNREADABLE:
            found.unreadable.append(_keyword(tag))
            continue
        if element.VR in _BINARY or tag == 0x00080005:
            continue
        if element.VR in _TEXT and _doubtful(str(element.value), silent and not override):
            found.undecoded.append(_keyword(tag))
        out.add(copied)
    return out


def _reinterpret(source: Dataset, character_set: str) -> None:
    python = convert_encodings(character_set.split("\\"))
    implicit, little = source.original_encoding
    source.set_original_encoding(implicit, little, python)


def _value(element: DataElement, override: str | None, silent: bool, found: Found) -> Any:
    value = element.value
    if element.VR == "SQ":
        return Sequence(
            [_copy(item, override, silent=silent, found=found, top=False) for item in value or ()]
        )
    if element.VR == "PN":
        # As text: a PersonName would remember the bytes it came from.
        return [str(part) for part in value] if element.VM > 1 else str(value or "")
    return list(value) if element.VM > 1 else value


def _doubtful(text: str, silent: bool) -> bool:
    return _REPLACEMENT in text or (silent and not text.isascii())


def _keyword(tag: int) -> str:
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or str(BaseTag(tag))
