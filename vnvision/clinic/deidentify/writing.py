"""The new data set as the bytes of a DICOM file."""

from __future__ import annotations

import io

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from vnvision import __version__
from vnvision.clinic.deidentify import facts
from vnvision.clinic.deidentify.faults import reading
from vnvision.clinic.deidentify.identity import Identity
from vnvision.clinic.deidentify.options import Options
from vnvision.clinic.deidentify.syntaxes import DEFLATED, EXPLICIT
from vnvision.errors import DataError

_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def state(made: Dataset, source: Dataset, identity: Identity, options: Options, sop_class: str) -> None:
    """Put in the pseudonym, the UIDs that a file must have, and what was done (PS3.3 C.12.1.1.7).

    Raises:
        DataError: the original has no SOP Instance UID.
    """
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = UID(sop_class)
    for keyword in _UIDS:
        with reading(keyword):
            original = str(source.get(keyword) or "").strip(" \0")
        if original and not made.get(keyword):
            setattr(made, keyword, identity.uid(original))
    if not made.get("SOPInstanceUID"):
        raise DataError("the file has no SOP Instance UID", expected="one, so that it can be named")
    made.PatientName = made.PatientID = identity.patient
    if "Modality" in made and not made.Modality:
        made.Modality = "OT"
    made.PatientIdentityRemoved = "YES"
    done = [f"vnvision {__version__}", f"DICOM PS3.15 Table E.1-1 {facts.EDITION}", "allow-list on top"]
    made.DeidentificationMethod = done
    made.DeidentificationMethodCodeSequence = [_code(*code) for code in options.codes]
    made.LongitudinalTemporalInformationModified = options.dates_are


def encoded(made: Dataset, syntax: str) -> bytes:
    """A whole file: empty preamble, new file meta information, the data set.

    Raises:
        DataError: pydicom cannot write it.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    made.file_meta = meta
    stream = io.BytesIO()
    with reading("data set to write"):
        dcmwrite(stream, made, enforce_file_format=True, overwrite=True)
    content = stream.getvalue()
    assert content[:132] == b"\0" * 128 + b"DICM"
    return content


def searchable(made: Dataset, syntax: str, content: bytes) -> bytes:
    """The bytes in which to look for identifiers: inflated where the file is deflated."""
    return encoded(made, EXPLICIT) if syntax == DEFLATED else content


def check_image(made: Dataset) -> None:
    """Refuse an image that lost what showing it needs.

    Raises:
        DataError: its photometric interpretation or its palette was removed.
    """
    kind = str(made.get("PhotometricInterpretation") or "")
    palettes = [
        f"{form}{c}PaletteColorLookupTableData"
        for form in ("", "Segmented")
        for c in ("Red", "Green", "Blue")
    ]
    if not kind and "PixelData" in made:
        raise DataError(
            "the image does not say how its pixels are shown", expected="a photometric interpretation"
        )
    if kind == "PALETTE COLOR" and sum(name in made for name in palettes) != 3:
        raise DataError(
            "the colour palette does not fit its descriptor", expected="a palette of the size it states"
        )


def set_burned_in(made: Dataset, warnings: list[str], options: Options) -> None:
    """Burned In Annotation after blanking: NO where no text is seen any more, else YES."""
    if options.blank_px:
        made.BurnedInAnnotation = "YES" if "text-seen" in warnings else "NO"


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
