"""JPEG: markers read here, grey and colour decoded by OpenCV, CMYK by Pillow."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import JpegImagePlugin

from vnvision.imaging.codecs import common
from vnvision.imaging.orientation import exif_orientation, xmp_orientation

_FLAGS = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR_RGB}
_EXIF, _XMP = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00"
_APP1, _START_OF_SCAN, _END_OF_IMAGE = 0xE1, 0xDA, b"\xff\xd9"
_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_STARTS = frozenset((0xC0, 0xC1, 0xC2))
# A marker with a length: not stuffing, fill bytes, or the markers that stand alone.
_SEGMENT = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd9])", re.DOTALL)


@dataclass(slots=True)
class _Header:
    size: tuple[int, int] = (0, 0)  # width, height
    bits: int = 0
    channels: int = 0
    huffman: bool = False
    exif: bytes = b""
    xmp: bytes = b""
    scan: int = 0  # where the first scan begins
    private: list[tuple[int, int]] = field(default_factory=list)  # where EXIF and XMP lie


def decode(data: bytes, name: str, max_pixels: int) -> common.Decoded:
    """Decode a JPEG; of a multi-picture file (MPO) the first picture.

    A file that stops before its end-of-image marker is refused: libjpeg would paint the missing part grey.
    A file whose data was cut and then closed with such a marker cannot be told from a complete one.
    """
    header = _walk(data, name)
    common.check_size(name, header.size, max_pixels)
    if header.bits != 8 or header.channels not in (1, 3, 4):
        got = f"{header.channels} channels of {header.bits} bits"
        raise common.unsupported(name, "a JPEG of 8 bits with 1, 3 or 4 channels", got)
    width, height = header.size
    blocks = -(-width // 8) * -(-height // 8)
    if header.huffman and 8 * len(data) < blocks:  # not even one bit for the mean of each block
        got = f"{len(data):,} bytes, too few for {width:,} x {height:,} pixels"
        raise common.damaged(name, got)
    if data.rfind(_END_OF_IMAGE, header.scan) < 0:  # behind the scan's start, so not a thumbnail's
        raise common.damaged(name, "a JPEG that stops before its end marker")
    orientation = exif_orientation(header.exif)
    if orientation == 1 and header.xmp:
        orientation = xmp_orientation(header.xmp)
    if header.channels == 4:
        return common.Decoded(_inks(data, header, name), orientation)
    return common.Decoded(common.decode_cv2(data, _FLAGS[header.channels], name), orientation)


def _inks(data: bytes, header: _Header, name: str) -> np.ndarray:
    """CMYK and YCCK through Pillow, which knows Adobe's inverted inks. It never sees EXIF."""
    parts, start = [], 0
    for skip_from, skip_to in header.private:
        parts.append(data[start:skip_from])
        start = skip_to
    with common.decoding(name):
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(b"".join([*parts, data[start:]])))
    return common.pillow_pixels(image, name)


def _walk(data: bytes, name: str) -> _Header:
    """Read the marker segments up to the first scan (ITU-T T.81, annex B).

    Done here and not by Pillow, which reads all of EXIF on the way and warns where it is damaged: warning
    filters cannot be changed safely from several threads, and one tag is all that is needed.
    """
    header, position = _Header(), 2
    while found := _SEGMENT.search(data, position):
        start, marker = found.start(), found[1][0]
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        body = data[start + 4 : end]
        if marker in _FRAME_STARTS and len(body) >= 6:
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            header.size, header.bits, header.channels = (width, height), body[0], body[5]
            header.huffman = marker in _HUFFMAN_STARTS
        elif marker == _APP1:
            header.private.append((start, end))
            if body.startswith(_EXIF):
                header.exif = header.exif or body
            elif body.startswith(_XMP):
                header.xmp = header.xmp or body
        elif marker == _START_OF_SCAN:
            if 0 in header.size:
                raise common.damaged(name, "a JPEG without a picture size")
            header.scan = end
            return header
        position = end
    raise common.damaged(name, "a JPEG that stops before its pixels")
