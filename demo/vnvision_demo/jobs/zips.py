"""An uploaded zip of pictures, unpacked as if an enemy had sent it."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from vnvision.imaging import sniff
from vnvision_demo.jobs import zip_names
from vnvision_demo.jobs import zip_texts as say
from vnvision_demo.jobs.progress import Progress, silent
from vnvision_demo.jobs.zip_contents import Contents, ZipLimits
from vnvision_demo.jobs.zip_directory import Entry, read_directory

__all__ = ["UNPACK", "Unpacked", "ZipLimits", "unpack_pictures"]

UNPACK = "unpack"
"""Stage code of ``unpack_pictures``."""
SYSTEM_FILE, LINK, NAME, TWICE, ZIP_INSIDE, NO_PICTURE, EMPTY = (
    "system_file", "link", "name_too_long", "same_name", "zip_inside", "no_picture", "empty",
)  # fmt: skip
_SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "DICOM": ".dcm",
}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of a zip.

    Attributes:
        root: a new folder that only this user may open; the caller removes it.
        files: name to show, with the folders of the zip below ``top``, and where the picture lies. On the
            disk pictures have numbers: no name of the zip is ever a file's.
        skipped: name and why: ``system_file``, ``link``, ``name_too_long``, ``same_name``, ``zip_inside``,
            ``no_picture``, ``empty``.
        top: the folders that all pictures shared, which were left out of the names.
    """

    root: Path
    files: tuple[tuple[str, Path], ...]
    skipped: tuple[tuple[str, str], ...] = ()
    top: str = ""


def unpack_pictures(
    zip_path: str | Path,
    into: str | Path,
    limits: ZipLimits | None = None,
    *,
    name: str | None = None,
    progress: Progress = silent,
) -> Unpacked:
    """Unpack the pictures of a zip into a new folder; what is no picture by its first bytes stays inside.

    Args:
        zip_path: the upload.
        into: folder in which the new folder is made.
        limits: see ``ZipLimits``.
        name: of the upload, for errors; its file name unless given.
        progress: told the share of bytes done, stage ``unpack``.

    Raises:
        DataError: no zip, damaged, protected by a password, over a limit, with names that lead out of it,
            with entries that share bytes, or without a picture. Nothing stays behind then.
    """
    source, most = Path(zip_path), limits or ZipLimits()
    called = zip_names.shown(name or source.name) or "zip"
    root: Path | None = None
    try:
        with _opened(source, called, most) as stream:
            entries = read_directory(stream, called, most.entries)
            root = Path(tempfile.mkdtemp(prefix="pictures-", dir=into))
            contents = Contents(stream, called, most, source.stat().st_size)
            return _Job(called, most, root, contents, progress).run(entries)
    except BaseException as exc:
        if root is not None:
            shutil.rmtree(root, ignore_errors=True)
        if isinstance(exc, OSError):
            raise say.not_written(called, exc.strerror or type(exc).__name__) from exc
        raise


def _opened(source: Path, name: str, most: ZipLimits) -> BinaryIO:
    info = source.stat()
    if not stat.S_ISREG(info.st_mode):
        raise say.not_a_zip(name, "no file")
    if info.st_size > most.zip_bytes:
        raise say.too_large(name, ("the zip itself", "tệp zip"), say.megabytes(most.zip_bytes))
    stream = source.open("rb")
    head = stream.read(sniff.HEAD_BYTES)
    other = sniff.image_format(head)
    if other or not head or (b"PK" not in head and not head.startswith(b"MZ")):
        stream.close()
        got = f"a {other} file" if other else sniff.describe(head) if head else "0 bytes"
        raise say.not_a_zip(name, got)
    return stream


@dataclass(slots=True)
class _Job:
    name: str
    most: ZipLimits
    root: Path
    contents: Contents
    progress: Progress
    files: list[tuple[str, Path]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def run(self, entries: list[Entry]) -> Unpacked:
        named = list(zip(zip_names.decoded_names(entries), entries, strict=True))
        for text, _ in named:  # before a byte is unpacked
            if zip_names.leads_out(text):
                raise say.unsafe(self.name, ascii(text)[:80])
        spelling, taken = zip_names.Spelling(), set[str]()
        packed, whole = 0, sum(entry.packed for entry in entries) or 1
        for text, entry in named:
            self.progress(min(1.0, packed / whole), UNPACK)
            packed += entry.packed
            if not text.endswith("/"):
                self._take(spelling.of(zip_names.shown(text)), text, entry, taken)
        if not self.files:
            raise say.nothing_inside(self.name, len(self.skipped))
        self.progress(1.0, UNPACK)
        top = zip_names.top_folder(name for name, _ in self.files)
        files = tuple((name.removeprefix(top), path) for name, path in self.files)
        return Unpacked(self.root, files, tuple(self.skipped), top)

    def _take(self, shown: str, text: str, entry: Entry, taken: set[str]) -> None:
        why = self._unwanted(shown, text, entry)
        if why is None and shown.casefold() in taken:
            why = TWICE
        if why is None:
            if entry.encrypted:
                raise say.encrypted(self.name)
            if entry.method not in (0, 8):
                raise say.other_method(self.name, shown, entry.method)
            why = self._write(shown, entry)
        if why is None:
            taken.add(shown.casefold())
        else:
            self.skipped.append((shown[: self.most.name_chars], why))

    def _unwanted(self, shown: str, text: str, entry: Entry) -> str | None:
        if zip_names.is_system(text) or not shown:
            return SYSTEM_FILE
        kind = stat.S_IFMT(entry.unix_mode)
        if kind not in (0, stat.S_IFREG):  # links, devices, pipes
            return LINK
        if len(shown) > self.most.name_chars or shown.count("/") > self.most.depth:
            return NAME
        return None

    def _write(self, shown: str, entry: Entry) -> str | None:
        """Write one picture; why not, where it is none."""
        parts = self.contents.parts(entry, shown)
        head = b""
        for part in parts:
            head += part
            if len(head) >= sniff.HEAD_BYTES:
                break
        kind = sniff.image_format(head[: sniff.HEAD_BYTES])
        if kind is None:
            return EMPTY if not head else ZIP_INSIDE if head.startswith(b"PK\3\4") else NO_PICTURE
        path = self.root / f"{len(self.files) + 1:05d}{_SUFFIXES[kind]}"
        crc = zlib.crc32(head)
        with path.open("xb") as out:
            out.write(head)
            for part in parts:
                crc = zlib.crc32(part, crc)
                out.write(part)
        if crc != entry.crc:
            raise say.damaged(self.name, f"{shown} is not what was packed")
        self.files.append((shown, path))
        return None
