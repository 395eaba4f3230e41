"""What a file is, from its first bytes and never from its name."""

from __future__ import annotations

import re
import struct

ACCEPTED = "a JPEG, PNG, WebP, TIFF, BMP or DICOM image"
HEAD_BYTES = 512
"""How much of a file is looked at."""

_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"GIF8", "a GIF image"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\x00\x00\x01\x00", "an icon file"),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\xd0\xcf\x11\xe0", "an old Office document"),
    (0, b"\x93NUMPY", "a numpy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"MZ", "a Windows program"),
    (0, b"\x7fELF", "a Linux program"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (8, b"AVI ", "an AVI video"),
    (8, b"WAVE", "a sound file"),
)
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_SHORT = (
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
    b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
)  # fmt: skip
_MARKUP = (
    (rb"\s*<(!doctype html|html)", "an HTML page"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg", "an SVG drawing"),
    (rb"\s*<\?xml", "an XML file"),
    (rb"\s*[\[{]\s*[\"\[{]", "a JSON file"),
)


def image_format(head: bytes) -> str | None:
    """``DICOM``, ``JPEG``, ``PNG``, ``WEBP``, ``TIFF`` or ``BMP``; None for anything else.

    DICOM goes first: its preamble may hold the start of a TIFF, so that one file can be read as both
    (PS3.10 7.1), and only its header says what the pixels mean.

    Args:
        head: the file's first ``HEAD_BYTES``, 16 at least where the file has them.
    """
    if is_dicom(head):
        return "DICOM"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00\x08\x00", b"MM\x00+\x00\x08")):
        return "TIFF"
    return "BMP" if head.startswith(b"BM") else None


def is_dicom(head: bytes) -> bool:
    """Whether a file begins as DICOM: ``DICM`` at byte 128, or two elements that stand where they belong.

    The second is for data sets without preamble: both elements are of group 2 or 8, the second has the
    greater tag, and each has a known value representation, or none and a length that fits (PS3.5 7.1).
    """
    return head[128:132] == b"DICM" or any(_two_elements(head, order) for order in "<>")


def _two_elements(head: bytes, order: str) -> bool:
    at, before = 0, -1
    for _ in range(2):
        if len(head) < at + 8:
            return False
        group, element = struct.unpack_from(order + "HH", head, at)
        tag = group << 16 | element
        if group not in (2, 8) or tag <= before:
            return False
        vr, before = head[at + 4 : at + 6], tag
        if vr in _LONG and len(head) >= at + 12:
            at += 12 + struct.unpack_from(order + "I", head, at + 8)[0]
        elif vr in _SHORT:
            at += 8 + struct.unpack_from(order + "H", head, at + 6)[0]
        elif order == "<":  # without value representations only the plain order exists
            at += 8 + struct.unpack_from("<I", head, at + 4)[0]
        else:
            return False
    return True


def describe(head: bytes) -> str:
    """What the first bytes look like, in words, with the bytes themselves."""
    return f"{_kind(head)} (it begins with {_printable(head[:8])})"


def _kind(head: bytes) -> str:
    for offset, magic, text in _OTHERS:
        if head[offset : offset + len(magic)] == magic:
            return text
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _HEIF:
            return "an HEIC image"
        return "an AVIF image" if brand in (b"avif", b"avis") else "an MP4 or MOV video"
    for pattern, text in _MARKUP:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            return text
    if not head.strip(b"\x00"):
        return "only zero bytes"
    return "text" if _is_text(head) else "unknown data"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.start < len(head) - 3:  # a character cut at the end of the head is still text
            return False
        text = head[: exc.start].decode("utf-8")
    return all(char.isprintable() or char in "\r\n\t\ufeff" for char in text)


def _printable(head: bytes) -> str:
    text = head.decode("ascii", errors="replace")
    return repr(text) if text.isascii() and text.isprintable() else head.hex(" ")
