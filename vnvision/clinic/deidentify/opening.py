"""A DICOM file in memory, read once, opened for reading only."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from vnvision.clinic.deidentify.allowed import registered
from vnvision.clinic.deidentify.faults import reading
from vnvision.clinic.deidentify.syntaxes import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, READABLE
from vnvision.errors import DataError

MAX_BYTES = 4 * 2**30
_HEAD_BYTES, _STEP_BYTES = 1024, 2**24
_DIRECTORY = "1.2.840.10008.1.3.10"
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_FIRST_GROUPS = frozenset({b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08"})


@dataclass(frozen=True, slots=True)
class Opened:
    """What was read.

    Attributes:
        dataset: as pydicom parsed it.
        content: all bytes of the file.
        syntax: transfer syntax UID; where the file names none, the one it is written in.
        sop_class: SOP Class UID, registered.
    """

    dataset: FileDataset
    content: bytes
    syntax: str
    sop_class: str


def opened(path: Path) -> Opened:
    """Read a file. Errors do not name it: they go into a report that must not hold file names.

    Raises:
        DataError: it cannot be read, is no DICOM file, or is of a kind that cannot be de-identified: a
            DICOMDIR, an encapsulated document, a video.
    """
    content = _content(path)
    dataset = _parsed(content)
    syntax = _syntax(dataset)
    sop_class = _text(dataset, "SOPClassUID") or _text(dataset.file_meta, "MediaStorageSOPClassUID")
    _check(dataset, sop_class, syntax)
    return Opened(dataset, content, syntax, sop_class)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            if head[128:132] != b"DICM" and head[:2] not in _FIRST_GROUPS:
                raise _not_dicom()
            content = head + stream.read(MAX_BYTES)
    except OSError as exc:
        raise DataError(
            "the file cannot be read",
            got=exc.strerror or type(exc).__name__,
            vietnamese="không đọc được tệp",
        ) from exc
    if len(content) > MAX_BYTES or _inflates_beyond(content):
        raise DataError(
            "the file is too large",
            expected=f"at most {MAX_BYTES >> 30} GB, unpacked",
            vietnamese=f"tệp quá lớn; tối đa {MAX_BYTES >> 30} GB",
        )
    return content


def _inflates_beyond(content: bytes) -> bool:
    """Whether a deflated data set would unpack to more than ``MAX_BYTES``."""
    if DEFLATED.encode() not in content[:_HEAD_BYTES] or content[132:138] != b"\2\0\0\0UL":
        return False
    engine, rest, size = zlib.decompressobj(-zlib.MAX_WBITS), content[144 + _meta_length(content) :], 0
    try:
        while rest and not engine.eof and size <= MAX_BYTES:
            size += len(engine.decompress(rest, _STEP_BYTES))
            rest = engine.unconsumed_tail
    except zlib.error:
        return False  # damaged: said when it is parsed
    return size > MAX_BYTES


def _meta_length(content: bytes) -> int:
    return int.from_bytes(content[140:144], "little")


def _parsed(content: bytes) -> FileDataset:
    with reading("data set"):
        dataset = dcmread(io.BytesIO(content), force=True)
    if not any(name in dataset for name in ("SOPInstanceUID", "SOPClassUID", "DirectoryRecordSequence")):
        raise _not_dicom() if content[128:132] != b"DICM" else _nameless()
    return dataset


def _syntax(dataset: FileDataset) -> str:
    named = _text(dataset.file_meta, "TransferSyntaxUID")
    if named:
        return named
    implicit, little = dataset.original_encoding
    if implicit:
        return IMPLICIT
    return EXPLICIT if little else BIG_ENDIAN


def _check(dataset: FileDataset, sop_class: str, syntax: str) -> None:
    if sop_class == _DIRECTORY or "DirectoryRecordSequence" in dataset:
        raise DataError(
            "a DICOMDIR lists names of patients and files; it is not copied",
            vietnamese="DICOMDIR chứa danh sách tên bệnh nhân và tệp nên không được sao chép",
        )
    if sop_class.startswith(_DOCUMENTS) or "EncapsulatedDocument" in dataset:
        raise DataError(
            "an encapsulated document (PDF, CDA, 3D model) cannot be de-identified",
            expected="images, segmentations, structured reports, radiotherapy objects",
            vietnamese="không thể khử định danh tài liệu nhúng (PDF, CDA, mô hình 3D)",
        )
    if "WaveformSequence" in dataset:
        raise DataError(
            "a waveform (ECG, voice) cannot be de-identified",
            expected="images and what belongs to them",
            vietnamese="không thể khử định danh dạng sóng (điện tim, giọng nói)",
        )
    if not registered(sop_class):
        raise DataError(
            "the file is of no known kind",
            expected="a SOP class of the DICOM standard",
            vietnamese="tệp thuộc loại không có trong chuẩn DICOM",
        )
    has_pixels = any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if syntax not in READABLE and (has_pixels or syntax != DEFLATED):
        known = UID(syntax).name if registered(syntax) else "an unknown one"
        raise DataError(
            "this transfer syntax cannot be de-identified: its stream may hold texts",
            expected="uncompressed, RLE, JPEG, JPEG-LS or JPEG 2000",
            got=known,
            fix="export the study uncompressed",
            vietnamese="không thể khử định danh kiểu nén này; hãy xuất ca chụp ở dạng không nén",
        )


def _text(dataset: object, keyword: str) -> str:
    with reading(keyword):
        return str(getattr(dataset, keyword, "") or "").strip(" \0")


def _not_dicom() -> DataError:
    return DataError(
        "not a DICOM file", expected="a file that starts as PS3.10 says", vietnamese="không phải tệp DICOM"
    )


def _nameless() -> DataError:
    return DataError(
        "the file says neither what it is nor which one",
        expected="a SOP Class UID and a SOP Instance UID",
        vietnamese="tệp thiếu mã SOP Class UID và SOP Instance UID",
    )
