"""Codes: the standard one where there is one we are sure of, a private one for everything else.

A label's standard code comes from SNOMED CT through DICOM PS3.16 where DICOM uses it, so that other systems
understand the finding. What is not in the table gets the private scheme ``99VNVISION`` (PS3.3, 8.2: private
schemes start with 99) with the label's id as code and its text as meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.coding import Code

from vnvision.clinic.results.records import Language
from vnvision.clinic.results.texts import reason_text, text
from vnvision.spec import Label

PRIVATE = "99VNVISION"
MEANING_CHARACTERS = 64  # LO

_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
_ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
_LESION = Code("52988006", "SCT", "Lesion")
_UNSORTED = Code("unsorted", PRIVATE, "Not sorted into a category")


@dataclass(frozen=True, slots=True)
class Known:
    """The standard code of a label: as a finding, and as the category and type of a segment."""

    finding: Code
    category: Code | None = None
    kind: Code | None = None


KNOWN: dict[str, Known] = {
    "normal": Known(Code("17621005", "SCT", "Normal")),
    "benign": Known(Code("30807003", "SCT", "Benign"), _ABNORMAL, _LESION),
    "malignant": Known(Code("21594007", "SCT", "Malignant"), _ABNORMAL, _LESION),
    "lesion": Known(_LESION, _ABNORMAL, _LESION),
    "nodule": Known(Code("27925004", "SCT", "Nodule"), _ABNORMAL, Code("27925004", "SCT", "Nodule")),
    "neoplasm": Known(Code("108369006", "SCT", "Neoplasm"), _ABNORMAL, Code("108369006", "SCT", "Neoplasm")),
    "pneumonia": Known(Code("233604007", "SCT", "Pneumonia")),
    "malaria": Known(Code("61462000", "SCT", "Malaria")),
    "pneumothorax": Known(Code("36118008", "SCT", "Pneumothorax")),
    "pleural_effusion": Known(Code("60046008", "SCT", "Pleural effusion")),
    "pulmonary_edema": Known(Code("19242006", "SCT", "Pulmonary edema")),
    "wbc": Known(Code("52501007", "SCT", "Leukocyte"), _ANATOMY, Code("52501007", "SCT", "Leukocyte")),
    "rbc": Known(Code("41898006", "SCT", "Erythrocyte"), _ANATOMY, Code("41898006", "SCT", "Erythrocyte")),
    "platelets": Known(Code("16378004", "SCT", "Platelet"), _ANATOMY, Code("16378004", "SCT", "Platelet")),
}
"""By label id in small letters. Not in here on purpose: ``no_findings`` (a label of "none of these" is not
"clinically nothing") and cell shapes, whose codes we are not sure of."""

PROCEDURES: dict[str, Code] = {
    "CT": Code("77477000", "SCT", "Computed tomography"),
    "MG": Code("71651007", "SCT", "Mammography"),
    "CR": Code("168537006", "SCT", "Plain radiography"),
    "DX": Code("168537006", "SCT", "Plain radiography"),
}
PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
LANGUAGES: dict[Language, Code] = {
    "vi": Code("vi", "RFC5646", "Vietnamese"),
    "en": Code("en", "RFC5646", "English"),
}

CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
AREA = Code("42798000", "SCT", "Area")
COMMENT = Code("121106", "DCM", "Comment")
QUALITATIVE = Code("C0034375", "UMLS", "Qualitative Evaluations")
YES, NO = Code("373066001", "SCT", "Yes"), Code("373067005", "SCT", "No")
PERCENT = Code("%", "UCUM", "Percent")
SQUARE_MM = Code("mm2", "UCUM", "square millimeter")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
NO_UNIT = Code("1", "UCUM", "no units")


def private(value: str, meaning: str) -> CodedConcept:
    """A code of our own scheme; a meaning too long for the field is cut, visibly."""
    short = meaning if len(meaning) <= MEANING_CHARACTERS else meaning[: MEANING_CHARACTERS - 1] + "…"
    return CodedConcept(value, PRIVATE, short)


def finding(label: Label, language: Language) -> CodedConcept:
    """What a label says is there."""
    known = KNOWN.get(label.id.casefold())
    return CodedConcept.from_code(known.finding) if known else private(label.id, label.text(language))


def segment_category(label: Label) -> CodedConcept:
    """The broad kind of a segment (PS3.16, CID 7150, extensible)."""
    known = KNOWN.get(label.id.casefold())
    return CodedConcept.from_code((known and known.category) or _UNSORTED)


def segment_type(label: Label, language: Language) -> CodedConcept:
    """What a segment is."""
    known = KNOWN.get(label.id.casefold())
    if known and known.kind:
        return CodedConcept.from_code(known.kind)
    return private(label.id, label.text(language))


def about(key: str, label: Label, language: Language) -> CodedConcept:
    """The name of a figure about one label: ``probability``, ``area`` or ``count``."""
    return private(f"{key}.{label.id}", text(key, language, label=label.text(language)))


def reason(code: str, language: Language) -> CodedConcept:
    """Why the model does not answer."""
    return private(code, reason_text(code, language))


def scheme() -> CodingSchemeIdentificationItem:
    """What the private scheme is, for whoever meets its codes."""
    return CodingSchemeIdentificationItem(
        PRIVATE, name="vnvision label ids", responsible_organization="vnvision"
    )
