"""What pydicom and the codecs raise, turned into one DataError that names the file."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from vnvision.errors import DataError
from vnvision.imaging.dicom.quiet import plain

FAULTS = (
    AttributeError,  # an element that is missing
    KeyError,  # an unknown tag, VR or character set
    IndexError,  # a list shorter than its count
    TypeError,  # None or text where a number is due
    ValueError,  # numbers and shapes that do not fit; InvalidDicomError's cousins; bad text encodings
    ArithmeticError,  # an overflow, a division by zero
    NotImplementedError,  # a transfer syntax or number type that pydicom leaves out
    RuntimeError,  # what the decoding plugins raise, and nesting too deep (RecursionError)
    AssertionError,  # pydicom's own checks
    EOFError,  # a file that stops early
    OSError,  # a read that fails; Pillow's truncated image
    MemoryError,  # a length that lies
    UserWarning,  # where warnings are turned into errors
    struct.error,  # fewer bytes than a number needs
    zlib.error,  # a damaged deflated data set
    SyntaxError,  # Pillow's word for a broken file
)
"""Seen in pydicom 3.0 and its plugins, or documented there. InvalidDicomError derives from Exception: it is
raised only by readers that are not used here."""


def faults() -> tuple[type[Exception], ...]:
    """``FAULTS``, and the error of pydicom's own that derives from Exception, once pydicom is loaded."""
    own = sys.modules.get("pydicom.errors")
    return FAULTS if own is None else (*FAULTS, own.BytesLengthException)


@contextmanager
def reading(name: str, what: str) -> Iterator[None]:
    """Turn what is raised while ``what`` is read into a DataError, without values: they may name people."""
    try:
        yield
    except MemoryError as exc:
        raise DataError(
            f"{name} does not fit into memory",
            expected=f"a {what} that fits the free memory",
            fix="close other programs, or send or export it again where its header lies",
        ) from exc
    except faults() as exc:
        raise DataError(
            f"{name} is damaged or breaks the DICOM standard",
            expected=f"a readable {what}",
            got=f"{type(exc).__name__}: {plain(str(exc))}",
            fix="send or export it again",
        ) from exc
