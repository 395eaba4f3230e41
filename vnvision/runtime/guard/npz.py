"""``.npz`` files: arrays of numbers, whose sizes are known before anything is unpacked.

``np.load(allow_pickle=False)`` runs no code of the file's, but unpacks as much as the archive holds.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from math import prod
from typing import BinaryIO

from vnvision.runtime.guard.refusal import UnfitError, shown

MOST_BYTES = 512 << 20
"""Of the file, and of all its arrays unpacked."""
MOST_ARRAYS = 64
_TAIL = 22 + 65535  # end of central directory, and the longest comment behind it
_DIRECTORY_BYTES = MOST_ARRAYS * 1024
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '[<>|]([a-z])(\d{1,2})', 'fortran_order': (?:True|False), "
    rb"'shape': \(([\d, ]{0,200})\), \} *\n"
)


def check_npz(stream: BinaryIO) -> None:
    """Refuse an archive that is not a few arrays of plain numbers within limits.

    Refused: pickled objects, texts and records; arrays longer or shorter than their header says; bombs;
    encrypted or multi-part archives, names with folders.

    Args:
        stream: the open file.

    Raises:
        UnfitError: in one line what is wrong.
    """
    _check_directory(stream)
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ARRAYS or len({entry.filename for entry in entries}) != len(entries):
                raise UnfitError("has too many arrays, or one twice", expected=f"at most {MOST_ARRAYS}")
            total = sum(entry.file_size for entry in entries)
            if total > MOST_BYTES:
                raise UnfitError(
                    "unpacks to an absurd size", expected=f"at most {MOST_BYTES} bytes", got=str(total)
                )
            for entry in entries:
                _check_entry(archive, entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as exc:
        raise UnfitError("is damaged", got=str(exc)) from exc
    except (ValueError, OverflowError, OSError) as exc:  # offsets that lead before or behind the file
        if isinstance(exc, UnfitError):
            raise
        raise UnfitError("is damaged", got=str(exc)) from exc


def _check_directory(stream: BinaryIO) -> None:
    """The size of the list of contents, which ``zipfile`` would read whole (PKWARE APPNOTE 4.3.16)."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL))
    tail = stream.read(_TAIL)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        raise UnfitError("is damaged", got="no end of the archive")
    (listed,) = struct.unpack_from("<I", tail, at + 12)
    if listed > _DIRECTORY_BYTES or tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise UnfitError("has too many arrays", expected=f"at most {MOST_ARRAYS}")


def _check_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    name = shown(repr(entry.filename), 60)
    if not entry.filename.endswith(".npy") or "/" in entry.filename or "\\" in entry.filename:
        raise UnfitError("holds something that is no array", got=name)
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnfitError(f"packs {name} in a way that is not expected", expected="stored or deflated")
    with archive.open(entry) as packed:
        magic = packed.read(8)
        wide = magic[6:7] in (b"\x02", b"\x03")
        if len(magic) < 8 or not magic.startswith(_MAGIC):
            raise UnfitError("holds something that is no array", got=name)
        length = int.from_bytes(packed.read(4 if wide else 2), "little")
        header = packed.read(min(length, 4096))
    found = _HEADER.fullmatch(header)
    if found is None or found[1] not in (b"b", b"i", b"u", b"f"):
        raise UnfitError(f"holds an array that is not of plain numbers ({name})", got=str(header[:60]))
    shape = [int(side) for side in found[3].replace(b" ", b"").split(b",") if side]
    wanted = 8 + (4 if wide else 2) + length + prod(shape) * int(found[2])
    if wanted != entry.file_size:
        raise UnfitError(
            f"holds an array that is not as long as it says ({name})",
            expected=f"{wanted} bytes",
            got=str(entry.file_size),
        )
