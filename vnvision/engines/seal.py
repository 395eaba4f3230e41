"""A hash of a model file inside that file, for engines whose C++ trusts the bytes it is given.

A bundle's manifest has the hash of every file. A file that travelled alone has only its own.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from vnvision.engines import base
from vnvision.errors import ModelError

_DIGITS = 27
BLANK = "vnvision:" + "0" * _DIGITS
"""Where the hash goes: 36 characters, as long as a UUID."""

_PLACE = re.compile(rb"vnvision:[0-9a-f]{%d}" % _DIGITS)


def sealed(data: bytes) -> bytes:
    """A file with a hash (SHA-256, its first 108 bits) of all the rest in its place for one.

    Raises:
        ModelError: there is not exactly one such place.
    """
    found = _PLACE.findall(data)
    if len(found) != 1:
        raise ModelError("the file has no place for its hash", expected="one", got=str(len(found)))
    blank = _PLACE.sub(BLANK.encode(), data)
    return blank.replace(BLANK.encode(), f"vnvision:{hashlib.sha256(blank).hexdigest()[:_DIGITS]}".encode())


def checked_bytes(path: Path, engine: str) -> bytes:
    """The bytes of a model file; of one that is sealed, only as they were when it was.

    A file of another origin has no seal, and passes.

    Raises:
        ModelError: changed since it was exported.
    """
    data = path.read_bytes()
    found = len(_PLACE.findall(data))
    if found > 1 or (found == 1 and sealed(data) != data):
        raise base.damaged(path, engine, "its bytes are not those that were exported")
    return data
