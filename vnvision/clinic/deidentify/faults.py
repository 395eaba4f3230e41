"""What pydicom raises on damaged data, as one DataError that quotes nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

from vnvision.errors import DataError
from vnvision.imaging.dicom import faults

FAULTS = (*faults.FAULTS, BytesLengthException, InvalidDicomError)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what is raised while ``what`` is read or written into a DataError without names and values."""
    try:
        yield
    except FAULTS as exc:
        raise DataError(
            "the file is damaged or breaks the DICOM standard",
            expected=f"a readable {what}",
            got=type(exc).__name__,
            fix="send or export it again",
            vietnamese="tệp hỏng hoặc sai chuẩn DICOM; hãy gửi hoặc xuất lại",
        ) from exc
