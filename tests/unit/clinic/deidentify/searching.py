"""Looks for tokens in everything that an output folder holds: names, bytes, inflated bytes."""

import zlib
from pathlib import Path

from raw_dicom import DEFLATED

MARK = b"\x02\x00\x10\x00UI"


def everything(folder: Path) -> bytes:
    """All names and all bytes below a folder; deflated data sets inflated as well."""
    found = b""
    for path in sorted(folder.rglob("*")):
        found += str(path.relative_to(folder)).encode() + b"\n"
        if path.is_file():
            data = path.read_bytes()
            found += data + inflated(data)
    return found


def inflated(data: bytes) -> bytes:
    """The data set of a deflated DICOM file, nothing for other files."""
    if data[128:132] != b"DICM" or DEFLATED.encode() not in data[:400]:
        return b""
    length = int.from_bytes(data[140:144], "little")
    return zlib.decompress(data[144 + length :], -zlib.MAX_WBITS)


def variants(token: str) -> list[bytes]:
    """A token as it may be stored: UTF-8, UTF-16 both ways, bytes swapped in pairs, reversed."""
    plain = token.encode()
    even = plain[: len(plain) // 2 * 2]
    swapped = b"".join(even[i + 1 : i + 2] + even[i : i + 1] for i in range(0, len(even), 2))
    return [plain, plain.lower(), token.encode("utf-16-le"), token.encode("utf-16-be"), swapped, plain[::-1]]


def found(tokens, data: bytes) -> list[str]:
    """The tokens that occur in ``data`` in any form."""
    return [token for token in tokens if any(form in data for form in variants(token))]
