"""Files to samples: the one place where image files are decoded."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from vnvision.errors import DataError
from vnvision.imaging import sniff
from vnvision.imaging.codecs import common, jpeg, plain, png, tiff
from vnvision.imaging.dicom.reading import read_dicom
from vnvision.imaging.orientation import upright
from vnvision.records import Sample

_DECODERS: dict[str, Callable[[bytes, str, int], common.Decoded]] = {
    "JPEG": jpeg.decode,
    "PNG": png.decode,
    "WEBP": plain.decode_webp,
    "TIFF": tiff.decode,
    "BMP": plain.decode_bmp,
}
_SLACK_BYTES = 64 * 2**20  # metadata beside the pixels


def read(source: str | Path | bytes, *, max_pixels: int = 100_000_000) -> Sample:
    """Read one JPEG, PNG, WebP, TIFF, BMP or DICOM image.

    The format is told from the first bytes, never from the name, and the size is checked in the header
    before a pixel is unpacked. EXIF orientation is applied. Transparency is laid on white. CMYK becomes
    RGB, a palette becomes RGB, 1-bit becomes 0 and 255; colour profiles are not applied. Of a file with
    several pictures (TIFF pages, animated WebP or PNG, MPO, DICOM frames) the first is read. DICOM is shown
    as its header asks: ``vnvision.imaging.dicom.read_dicom`` says how, and gives other windows and frames.

    Args:
        source: a path, or the bytes of an image file.
        max_pixels: the largest width times height accepted.

    Returns:
        Sample with image (H, W, 3) RGB or (H, W, 1) grey, uint8, or uint16 where the file holds 16 bits a
        channel; ``source`` is the path as text, None for bytes; ``meta["format"]`` the format.
        ``spacing_mm`` and more of ``meta`` come from a DICOM header.

    Raises:
        DataError: naming the file, where it is missing, unreadable, empty, another kind of file, damaged,
            cut short or too large.
        MissingExtraError: a DICOM file, where pydicom or the codec for it is not installed.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name, path = "image bytes", None
        data: bytes | None = bytes(source)
    elif isinstance(source, str | Path):
        name, path = str(source), str(source)
        data = _load(Path(source), name, _SLACK_BYTES + 8 * max_pixels)
    else:
        raise DataError("cannot read an image", expected="a path or bytes", got=type(source).__name__)
    if data is None:
        return read_dicom(source, max_pixels=max_pixels)
    if not data:
        raise DataError(f"{name} is empty", expected=sniff.ACCEPTED, got="0 bytes")
    kind = sniff.image_format(data[: sniff.HEAD_BYTES])
    if kind == "DICOM":
        return read_dicom(data, max_pixels=max_pixels)
    if kind is None:
        raise _not_an_image(name, data)
    decoded = _DECODERS[kind](data, name, max_pixels)
    return Sample(image=upright(decoded.image, decoded.orientation), source=path, meta={"format": kind})


def _load(path: Path, name: str, max_bytes: int) -> bytes | None:
    """The bytes of an image file, None for DICOM, which is read in parts.

    A file of another kind is not read beyond its head.
    """
    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise DataError(f"{name} is a folder", expected="an image file", fix="give a file inside it")
        if not stat.S_ISREG(info.st_mode):
            raise DataError(f"{name} is not a regular file", expected="an image file")
        with path.open("rb") as stream:
            head = stream.read(sniff.HEAD_BYTES)
            kind = sniff.image_format(head)
            if head and kind is None:
                raise _not_an_image(name, head)
            if kind == "DICOM":
                return None
            if info.st_size > max_bytes:
                raise DataError(
                    f"{name} is too large", expected=f"at most {max_bytes:,} bytes", got=f"{info.st_size:,}"
                )
            return head + stream.read()
    except FileNotFoundError as exc:
        raise DataError(f"{name} does not exist", fix="check the path") from exc
    except OSError as exc:
        raise DataError(f"{name} cannot be opened", got=exc.strerror or str(exc)) from exc
    except ValueError as exc:  # a zero byte in the name
        raise DataError(f"{name!r} is not a file name", got=str(exc)) from exc


def _not_an_image(name: str, head: bytes) -> DataError:
    got = sniff.describe(head[: sniff.HEAD_BYTES])
    return DataError(
        f"{name} is not an image", expected=sniff.ACCEPTED, got=got, fix="save it as PNG or JPEG"
    )
