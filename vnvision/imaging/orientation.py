"""EXIF orientation: reading the tag and turning the picture upright."""

from __future__ import annotations

import re
import struct
from typing import Any

import cv2
import numpy as np

_TAG = 0x0112
_XMP_TEXT = re.compile(r'tiff:Orientation(?:="|>)([1-8])\b')


def exif_orientation(block: bytes) -> int:
    """Orientation 1..8 from an EXIF block (with or without the ``Exif`` prefix); 1 where it says nothing.

    Reads only the first directory (EXIF 2.32, section 4.6.2; TIFF 6.0, section 2), so a damaged rest of
    the block costs nothing. Values outside 1..8 count as 1.
    """
    if block.startswith(b"Exif\x00"):
        block = block[6:]
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for index in range(entries):
            tag, kind, count = struct.unpack_from(order + "HHI", block, start + 2 + 12 * index)
            if tag == _TAG and kind == 3 and count >= 1:
                (value,) = struct.unpack_from(order + "H", block, start + 10 + 12 * index)
                return value if 1 <= value <= 8 else 1
    except struct.error:  # the directory runs past the block
        return 1
    return 1


def xmp_orientation(text: str | bytes) -> int:
    """Orientation 1..8 from an XMP packet's ``tiff:Orientation``; 1 where it says nothing."""
    words = text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text
    found = _XMP_TEXT.search(words)
    return int(found[1]) if found else 1


def info_orientation(info: dict[str | tuple[int, int], Any]) -> int:
    """Orientation from what Pillow's header reader found: EXIF first, then XMP."""
    exif = info.get("exif")
    if exif is None and "Raw profile type exif" in info:  # ImageMagick keeps EXIF as hex lines in PNG text
        exif = _unhex(str(info["Raw profile type exif"]))
    found = exif_orientation(exif) if isinstance(exif, bytes) else 1
    if found != 1:
        return found
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    return xmp_orientation(xmp) if isinstance(xmp, str | bytes) else 1


def _unhex(profile: str) -> bytes:
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image as stored into the image as seen.

    Args:
        image: (H, W, C).
        orientation: EXIF tag 0x0112: 1 as stored, 2 mirrored, 3 turned by 180 degrees, 4 upside down
            mirrored, 5 transposed, 6 needs a quarter turn clockwise, 7 transversed, 8 needs a quarter turn
            counter-clockwise.

    Returns:
        (H, W, C), or (W, H, C) for 5 to 8; C-contiguous.
    """
    if orientation == 1:
        return image
    if orientation in (5, 6, 7, 8):
        image = cv2.transpose(image)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    turned = image if flip is None else cv2.flip(image, flip)
    return turned if turned.ndim == 3 else turned[:, :, None]  # OpenCV drops a single channel
