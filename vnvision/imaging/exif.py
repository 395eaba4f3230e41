"""Place and time of a photograph, from its EXIF block. Nothing else of the block is looked at.

Asked for by the user only: a place can tell whose field or house it was. The tags are those of EXIF 2.32
(CIPA DC-008-2019), sections 4.6.5 (date and time) and 4.6.6 (GPS).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from PIL import Image, UnidentifiedImageError

from vnvision.errors import DataError
from vnvision.imaging import sniff
from vnvision.imaging.codecs.common import DECODER_ERRORS, check_size

_WITH_EXIF = ("JPEG", "PNG", "WEBP", "TIFF")
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TIMES = ((0x9003, 0x9011), (0x9004, 0x9012))
"""DateTimeOriginal and DateTimeDigitized, each with its offset; DateTime is when the file was changed."""
_LATITUDE, _LONGITUDE = (1, 2, 90.0), (3, 4, 180.0)


@dataclass(frozen=True, slots=True)
class Place:
    """WGS 84 decimal degrees: north and east are positive."""

    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class PlaceAndTime:
    """What a photograph says of itself; None where it says nothing, or nonsense.

    Attributes:
        place: where the camera stood.
        taken: the camera's clock; with a time zone only where the block states one.
    """

    place: Place | None = None
    taken: datetime | None = None


def place_and_time(source: str | Path | bytes, *, max_pixels: int = 100_000_000) -> PlaceAndTime:
    """Read place and time of a JPEG, PNG, WebP or TIFF; other formats, DICOM among them, say nothing.

    A damaged block says nothing: the picture itself may still be good. A place of exactly 0, 0 counts as
    none, for that is what devices write before they have found themselves.

    Args:
        source: a path, or the bytes of an image file.
        max_pixels: larger pictures are refused before anything is unpacked.

    Raises:
        DataError: the file cannot be opened, or is too large.
    """
    name = "image bytes" if isinstance(source, bytes) else str(source)
    with _opened(source, name) as stream:
        kind = sniff.image_format(stream.read(sniff.HEAD_BYTES))
        if kind not in _WITH_EXIF:
            return PlaceAndTime()
        stream.seek(0)
        try:
            with _quiet(), Image.open(stream, formats=(kind,)) as image:
                check_size(name, image.size, max_pixels)
                exif = image.getexif()
                times, gps = dict(exif.get_ifd(_EXIF_IFD)), dict(exif.get_ifd(_GPS_IFD))
        except (UnidentifiedImageError, *DECODER_ERRORS):
            return PlaceAndTime()
    return PlaceAndTime(place=_place(gps), taken=_taken(times))


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of damaged tags; here they say nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(source: str | Path | bytes, name: str) -> IO[bytes]:
    if isinstance(source, bytes):
        return BytesIO(source)
    try:
        return Path(source).open("rb")
    except (OSError, ValueError) as exc:
        raise DataError(f"{name} cannot be opened", got=getattr(exc, "strerror", None) or str(exc)) from exc


def _taken(tags: Mapping[int, Any]) -> datetime | None:
    for tag, offset in _TIMES:
        text, zone = _text(tags.get(tag)), _text(tags.get(offset))
        for form, whole in (("%Y:%m:%d %H:%M:%S%z", text + zone), ("%Y:%m:%d %H:%M:%S", text)):
            try:
                return datetime.strptime(whole, form)
            except ValueError:
                continue
    return None


def _place(tags: Mapping[int, Any]) -> Place | None:
    north = _degrees(tags, *_LATITUDE, signs={"N": 1.0, "S": -1.0})
    east = _degrees(tags, *_LONGITUDE, signs={"E": 1.0, "W": -1.0})
    if north is None or east is None or (north == 0 and east == 0):
        return None
    return Place(north, east)


def _degrees(
    tags: Mapping[int, Any], side: int, value: int, most: float, signs: Mapping[str, float]
) -> float | None:
    """Degrees, minutes and seconds with their side as signed degrees; None where they make no sense."""
    sign = signs.get(_text(tags.get(side)).upper())
    parts = tags.get(value)
    if sign is None or not isinstance(parts, tuple) or len(parts) != 3:
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ArithmeticError):
        return None
    whole = degrees + minutes / 60 + seconds / 3600
    good = min(degrees, minutes, seconds) >= 0 and minutes < 60 and seconds < 60 and whole <= most
    return sign * whole if good and math.isfinite(whole) else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    return value.strip("\x00 ") if isinstance(value, str) else ""
