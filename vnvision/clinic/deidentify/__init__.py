"""De-identification of DICOM files after PS3.15 Annex E, with an allow-list on top.

Every output file is built anew: nothing of the original is carried over unless a rule names it.

1. **The standard's table** (``tables/confidentiality.csv``): 652 attributes of PS3.15 Table E.1-1, edition
   2026c, with the actions of the Basic Profile; curves (50xx) and overlays (60xx) beside it. The columns of
   the options are those of mid-2025: attributes that came later have none, so no option retains them.
2. **An allow-list** for what the table does not name: numbers of bounded length and size, CS values that are
   terms of the standard (``tables/terms.txt``), registered UIDs, codes of published coding schemes, and the
   few attributes of ``tables/keep.csv``. Any other text or blob is removed, known to the standard or not.
3. **The pixels** keep their values; what lies around them does not: bytes past the last pixel, bits outside
   Bits Stored, comment and application segments inside JPEG and JPEG 2000 frames.
4. **A last look** at the bytes to be written: where the name, the number, a date or a UID of the original is
   still found in them, the file is refused.

What is drawn into the picture is not removed: there is a warning where text or a face may be seen, and
``Options.blank_px`` for rectangles to blank. A name hidden inside pixel values, in numbers that stay, or in
unused tables of a compressed frame is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnvision.clinic.deidentify.folder import deidentify_folder
    from vnvision.clinic.deidentify.one import deidentify_file
    from vnvision.clinic.deidentify.options import Options
    from vnvision.clinic.deidentify.report import Outcome, Summary

__all__ = ["Options", "Outcome", "Summary", "deidentify_file", "deidentify_folder"]
_HOMES = {
    "Options": "options",
    "Outcome": "report",
    "Summary": "report",
    "deidentify_file": "one",
    "deidentify_folder": "folder",
}


def __getattr__(name: str) -> Any:
    """Load a part when it is asked for; pydicom may be missing (MissingExtraError)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from vnvision.imaging.dicom.toolkit import pydicom

    pydicom()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
