"""The image the answer is about: its header, checked once, so that nothing fails half way."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeAlias

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DA, TM

from vnvision.clinic.results.classes import SINGLE_FRAME, is_image
from vnvision.clinic.results.plain import UNREADABLE, plain
from vnvision.errors import ConfigError, DataError
from vnvision.imaging import sniff
from vnvision.imaging.dicom import quiet

DicomSource: TypeAlias = str | Path | bytes | Dataset
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
# Patient and General Study modules, type 2: there, empty where unknown.
_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One image of one file.

    Attributes:
        header: in Unicode, without pixels; ``PatientName`` is kept apart, highdicom would warn about it.
        patient_name: as stored, components parted by ``^``, representations by ``=``.
        frame: which one, from 1.
        n_frames: 1 for a plain image.
        groups: functional groups of that frame, then those all frames share; empty for a plain image.
        notes: what was left out of the header, and why.
    """

    header: Dataset
    patient_name: str
    frame: int
    n_frames: int
    groups: tuple[Dataset, ...]
    notes: tuple[str, ...]

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.header.Rows), int(self.header.Columns)

    @property
    def uid(self) -> str:
        """SOP Instance UID."""
        return str(self.header.SOPInstanceUID)

    @property
    def sop_class(self) -> str:
        """SOP Class UID."""
        return str(self.header.SOPClassUID)

    @property
    def frames(self) -> list[int] | None:
        """The frame number for a reference; None where there is one frame, or the class allows only one."""
        return [self.frame] if self.n_frames > 1 and self.sop_class not in SINGLE_FRAME else None


def open_source(source: DicomSource, *, frame: int = 1, character_set: str | None = None) -> Source:
    """Read and check the header.

    Args:
        source: a path, the bytes of a DICOM file, or a dataset. A dataset is not changed.
        frame: which frame of a multi-frame image the answer is about, from 1.
        character_set: overrides the file's, where that is wrong or missing.

    Raises:
        DataError: no DICOM, no image, no usable UIDs, or texts in another character set than stated.
        ConfigError: no such frame or character set.
    """
    dataset, name = _load(source, again=character_set is not None)
    header, unreadable = plain(dataset, name, character_set)
    _check_identity(header, name)
    size = [_whole(header.get(key)) for key in ("Rows", "Columns")]
    if not all(size):
        raise DataError(f"{name} holds no picture", expected="Rows and Columns", got=f"{size[0]} x {size[1]}")
    n_frames = max(1, _whole(header.get("NumberOfFrames")))
    if not 1 <= frame <= n_frames:
        raise ConfigError(f"{name} has no such frame", expected=f"1 to {n_frames}", got=str(frame))
    notes = [f"{key} cannot be read in the source: left out" for key in unreadable]
    notes += _tidy(header)
    patient_name = str(header.PatientName or "")
    header.PatientName = None
    groups = _groups(dataset, frame, name, character_set)
    return Source(header, patient_name, frame, n_frames, groups, tuple(notes))


def _load(source: DicomSource, *, again: bool) -> tuple[Dataset, str]:
    if isinstance(source, Dataset):
        # Its texts are read anew where another character set is given; the caller's stay as they are.
        return (copy.deepcopy(source) if again else source), "the dataset"
    name = "DICOM bytes" if isinstance(source, bytes) else str(source)
    try:
        stream: IO[bytes] = BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
    except OSError as exc:
        raise DataError(
            f"{name} cannot be opened", got=exc.strerror or str(exc), fix="check the path"
        ) from exc
    with stream:
        head = stream.read(sniff.HEAD_BYTES)
        stream.seek(0)
        if not sniff.is_dicom(head):
            raise DataError(
                f"{name} is not a DICOM file",
                expected="DICM at byte 128",
                got=sniff.describe(head) if head else "0 bytes",
                fix="give the file that the answer is about",
            )
        try:
            return pydicom.dcmread(stream, stop_before_pixels=True, force=True), name
        except UNREADABLE as exc:
            got = f"{type(exc).__name__}: {quiet.plain(str(exc))}"
            problem = f"{name} is damaged or breaks the DICOM standard"
            raise DataError(problem, expected="a readable header", got=got) from exc


def _check_identity(header: Dataset, name: str) -> None:
    for key in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        value = str(header.get(key) or "")
        if not _UID.fullmatch(value) or len(value) > 64:
            raise DataError(
                f"{name} has no usable {key}",
                expected="digits and dots, up to 64",
                got=repr(value)[:40],
                fix="a result must point to its image: repair the file, or export it again",
            )
    kind = UID(header.SOPClassUID)
    if not is_image(kind):
        raise DataError(
            f"{name} is no image that results can be about",
            expected="an image storage class of the current standard",
            got=kind.name,
        )


def _tidy(header: Dataset) -> list[str]:
    """Fill what must be there, and empty what is not what its VR says: a wrong date is worse than none."""
    for key in _TYPE_2:
        if key not in header:
            setattr(header, key, None)
    checks: dict[str, Callable[[Any], object]] = {
        "PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM, "PatientSex": _sex,
    }  # fmt: skip
    notes = []
    for key, check in checks.items():
        value = header[key].value
        if value in (None, ""):
            header[key].value = None
            continue
        try:
            check(value)
        except (ValueError, TypeError, AttributeError):
            notes.append(f"{key} of the source is not valid: left empty")
            header[key].value = None
    return notes


def _sex(value: Any) -> None:
    if value not in ("M", "F", "O"):
        raise ValueError(value)


def _groups(dataset: Dataset, frame: int, name: str, character_set: str | None) -> tuple[Dataset, ...]:
    """Functional groups of one frame and those shared, decoded; what cannot be read is not there."""
    found = []
    for key, index in (
        ("PerFrameFunctionalGroupsSequence", frame - 1),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        try:
            item = dataset[key].value[index]
        except UNREADABLE:
            continue
        found.append(plain(item, name, character_set)[0])
    return tuple(found)


def _whole(value: Any) -> int:
    """A whole number of 1 or more, or 0."""
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        return 0
