"""What stands in for a patient and for UIDs: all of it follows from the key."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from vnvision.imaging.dicom.pseudonym import pseudonym

_SHORTEST_DAYS, _LONGEST_DAYS = 365, 3650
_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_DATETIME = re.compile(r"(\d{8})((\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?([+-]\d{4})?)")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")


@dataclass(frozen=True, slots=True)
class Identity:
    """The stand-in of one patient.

    Attributes:
        patient: pseudonym, 32 hex digits.
        shift_days: how far all of the patient's dates move; negative, into the past.
    """

    key: bytes
    patient: str
    shift_days: int

    @classmethod
    def of(cls, patient_id: str, study_uid: str, content: bytes, key: bytes) -> Identity:
        """The stand-in for a Patient ID; where that is empty, for the study, or else for the file."""
        if patient_id.strip("\0 \t\r\n"):
            patient = pseudonym(patient_id, key, "patient")
        elif study_uid.strip("\0 \t\r\n"):
            patient = pseudonym(study_uid, key, "patient-of-study")
        else:
            patient = pseudonym(hashlib.sha256(content).hexdigest(), key, "patient-of-file")
        spread = _LONGEST_DAYS - _SHORTEST_DAYS + 1
        drawn = int(pseudonym(patient, key, "date-shift"), 16) % spread
        return cls(key, patient, -(_SHORTEST_DAYS + drawn))

    def uid(self, original: str) -> str:
        """The new UID of an old one, under 2.25 (PS3.5 B.2); the same in every file under one key."""
        return f"2.25.{int(pseudonym(original, self.key, 'uid'), 16)}"

    def name(self, original: str, kind: str) -> str:
        """A name for a folder or a file: 16 hex digits."""
        return pseudonym(original, self.key, kind)[:16]

    def moved(self, text: str, vr: str) -> str | None:
        """A DA or DT value moved by the patient's shift; a TM value as it is; None for anything else."""
        if exact(text, vr) is None:
            return None
        if vr == "TM":
            return text
        try:
            day = date(int(text[:4]), int(text[4:6]), int(text[6:8])) + timedelta(days=self.shift_days)
        except (ValueError, OverflowError):
            return None
        return f"{day.year:04}{day.month:02}{day.day:02}{text[8:]}"


def exact(text: str, vr: str) -> str | None:
    """A DA, TM or DT value that is a real date or time, written out in full; None for anything else."""
    if vr == "TM":
        return text if _TIME.fullmatch(text) and _is_time(text) else None
    pattern = _DATE if vr == "DA" else _DATETIME
    if not pattern.fullmatch(text):
        return None
    try:
        datetime.strptime(text[:8], "%Y%m%d")
    except ValueError:
        return None
    rest = re.split(r"[+-]", text[8:])[0]
    return text if not rest or _is_time(rest) else None


def is_uid(text: str) -> bool:
    """Whether a text is a UID after PS3.5 Clause 9.1."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _is_time(text: str) -> bool:
    hours, minutes, seconds = text[:2], text[2:4] or "0", text[4:6] or "0"
    return int(hours) < 24 and int(minutes) < 60 and int(seconds) < 61
