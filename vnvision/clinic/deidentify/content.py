"""Structured content (SR): which items may stay, and what stands in for all of them."""

from __future__ import annotations

from pydicom.dataset import Dataset

TAG = 0x0040A730  # Content Sequence
_MAY_STAY = frozenset(
    {"CONTAINER", "CODE", "NUM", "SCOORD", "SCOORD3D", "TCOORD", "IMAGE", "COMPOSITE", "WAVEFORM", "UIDREF"}
)


def may_stay(item: Dataset) -> bool:
    """Whether a content item, already built anew, says what it is and is no text, name or date."""
    return str(item.get("ValueType", "")) in _MAY_STAY and (
        "ConceptNameCodeSequence" in item or item.ValueType in ("CONTAINER", "IMAGE", "COMPOSITE", "SCOORD")
    )


def title(source: Dataset, made: Dataset) -> None:
    """Give a report whose title was removed (a code of no published scheme) a general one."""
    if "ConceptNameCodeSequence" in source and "ConceptNameCodeSequence" not in made and TAG in source:
        made.ConceptNameCodeSequence = [_code("18748-4", "LN", "Diagnostic Imaging Report")]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def dummy() -> Dataset:
    """One content item that says that the content was removed."""
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [_code("121106", "DCM", "Comment")]
    item.TextValue = "REMOVED"
    return item
