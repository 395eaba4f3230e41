"""A DICOM file or its bytes, opened and parsed up to the pixels."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vnvision.errors import DataError
from vnvision.imaging import sniff
from vnvision.imaging.dicom import colour, grey, groups, header, spacing, views
from vnvision.imaging.dicom.parsing import Parsed, parse

Source = str | Path | bytes
DESCRIBING = ("Modality", "ImageLaterality", "Laterality", "ViewPosition", "BodyPartExamined", "Units")
KEYWORDS = (
    *header.KEYWORDS, *grey.KEYWORDS, *views.KEYWORDS, *colour.KEYWORDS, *spacing.KEYWORDS, *groups.KEYWORDS,
    *DESCRIBING,
)  # fmt: skip
_SLACK_BYTES = 64 * 2**20


@contextmanager
def opened(
    source: Source, max_pixels: int, keywords: tuple[str, ...] = KEYWORDS
) -> Iterator[tuple[Parsed, str | None]]:
    """Parse a file up to its pixels and keep it open; also its path as text, None for bytes.

    A deflated data set unpacks no further than ``8 * max_pixels`` bytes and 64 MiB beside them.

    Raises:
        DataError: it is missing, cannot be opened, no DICOM file, or damaged.
        MissingExtraError: pydicom is not installed.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name, path = "image bytes", None
        stream: IO[bytes] = io.BytesIO(bytes(source))
    elif isinstance(source, str | Path):
        name, path = str(source), str(source)
        stream = _open(Path(source), name)
    else:
        raise DataError("cannot read an image", expected="a path or bytes", got=type(source).__name__)
    with stream:
        head = stream.read(sniff.HEAD_BYTES)
        stream.seek(0)
        if not sniff.is_dicom(head):
            got = sniff.describe(head) if head else "0 bytes"
            raise DataError(f"{name} is not a DICOM file", expected="DICM at byte 128", got=got)
        yield parse(stream, name, keywords, _SLACK_BYTES + 8 * max_pixels), path


def _open(path: Path, name: str) -> IO[bytes]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{name} is not a regular file", expected="a DICOM file")
        return path.open("rb")
    except FileNotFoundError as exc:
        raise DataError(f"{name} does not exist", fix="check the path") from exc
    except OSError as exc:
        raise DataError(f"{name} cannot be opened", got=exc.strerror or str(exc)) from exc
    except ValueError as exc:  # a zero byte in the name
        raise DataError(f"{name!r} is not a file name", got=str(exc)) from exc
