"""The last look: what identifies the patient of the original must not be in the bytes to be written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from vnvision.clinic.deidentify import values
from vnvision.clinic.deidentify.allowed import registered
from vnvision.clinic.deidentify.faults import FAULTS
from vnvision.clinic.deidentify.options import Options

_SHORTEST, _SHORTEST_NUMBER = 5, 6
_IDENTIFIERS = frozenset(
    {
        "PatientID", "OtherPatientIDs", "AccessionNumber", "AdmissionID", "PatientAddress",
        "PatientTelephoneNumbers",
        "MedicalRecordLocator", "PatientInsurancePlanCodeSequence", "IssuerOfPatientID", "CountryOfResidence",
    }
)  # fmt: skip
_DATES = frozenset({"PatientBirthDate", "StudyDate"})


def found(source: Dataset, written: bytes, options: Options) -> str | None:
    """The keyword of an original attribute whose value is still in the output, None where there is none.

    Looked for are names (each part), numbers and addresses of the patient, UIDs, and dates, wherever they
    stand in the original, of five letters or six digits and more. A number counts only where it stands alone:
    its digits may occur in others by chance.

    Args:
        source: the original.
        written: all bytes of the output, inflated.
        options: what is retained is not looked for.
    """
    for keyword, text in _secrets(source, options):
        for encoded in {
            text.encode("utf-8", "replace"),
            text.encode("latin-1", "replace"),
            text.encode("utf-16-le", "replace"),
        }:
            if encoded not in written:
                continue
            if not _is_number(text) or re.search(
                rb"(?<![0-9.])" + re.escape(encoded) + rb"(?![0-9.])", written
            ):
                return keyword
    return None


def _secrets(source: Dataset, options: Options) -> Iterator[tuple[str, str]]:
    seen = set()
    for keyword, text in _texts(source, options):
        plain = text.strip(" \0")
        shortest = _SHORTEST_NUMBER if _is_number(plain) else _SHORTEST
        usual = (
            values.term(plain) or plain in values.DUMMY.values() or plain.lower() in ("anonymous", "unknown")
        )
        if len(plain) >= shortest and not usual and (keyword, plain) not in seen:
            seen.add((keyword, plain))
            yield keyword, plain


def _texts(source: Dataset, options: Options) -> Iterator[tuple[str, str]]:
    for tag in list(source.keys()):
        try:
            element = source[tag]
            vr, keyword, found_values = str(element.VR), element.keyword, element.value
        except FAULTS:
            continue
        if vr == "SQ" or isinstance(found_values, Sequence):
            for item in found_values or ():
                if isinstance(item, Dataset):
                    yield from _texts(item, options)
        elif vr == "PN":
            for name in values.listed(found_values):
                yield from ((keyword, part) for part in _parts(str(name)))
        elif vr == "UI" and "uids" not in options.retain and not keyword.endswith(("ClassUID", "SyntaxUID")):
            if not ("device" in options.retain and "Device" in keyword):
                yield from ((keyword, str(uid)) for uid in values.listed(found_values) if not registered(uid))
        elif keyword in _IDENTIFIERS or (keyword in _DATES and not _keeps_dates(options)):
            yield from ((keyword, str(value)) for value in values.listed(found_values))


def _parts(name: str) -> Iterable[str]:
    return [part for part in re.split(r"[\^=\s]+", name) if part] + [name]


def _is_number(text: str) -> bool:
    return not text.strip("0123456789.")


def _keeps_dates(options: Options) -> bool:
    return bool({"dates", "shifted-dates"} & options.retain)
