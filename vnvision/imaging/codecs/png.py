"""PNG: chunks checked here, header through Pillow, pixels through OpenCV or Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import PngImagePlugin

from vnvision.imaging.alpha import over_white
from vnvision.imaging.codecs import common
from vnvision.imaging.orientation import exif_orientation, info_orientation

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_GREY, _RGB, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 4, 6
_PLAIN_8_BIT = {
    _GREY: cv2.IMREAD_GRAYSCALE,
    _RGB: cv2.IMREAD_COLOR_RGB,
    _RGB_ALPHA: cv2.IMREAD_UNCHANGED,
}


@dataclass(frozen=True, slots=True)
class _Chunks:
    depth: int
    colour: int
    transparent: bytes | None
    exif: bytes | None
    still: bytes


def decode(data: bytes, name: str, max_pixels: int) -> common.Decoded:
    """Decode a PNG; of an animated one the still picture that every viewer shows.

    The checksums of all critical chunks are verified (PNG, third edition, section 5.3), so a flipped bit in
    the pixels is an error and not a stripe. Transparent colours (tRNS) count as alpha.
    """
    chunks = _walk(data, name)
    with common.decoding(name):
        header = PngImagePlugin.PngImageFile(io.BytesIO(chunks.still))
    common.check_size(name, header.size, max_pixels)
    orientation = info_orientation(header.info)
    if orientation == 1 and chunks.exif:  # EXIF may also stand behind the pixels
        orientation = exif_orientation(chunks.exif)
    if chunks.depth == 16:
        return common.Decoded(_deep(chunks, name), orientation)
    if chunks.depth == 8 and chunks.colour in _PLAIN_8_BIT and chunks.transparent is None:
        image = common.decode_cv2(chunks.still, _PLAIN_8_BIT[chunks.colour], name)
        if chunks.colour == _RGB_ALPHA:
            image = over_white(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
        return common.Decoded(image, orientation)
    return common.Decoded(common.pillow_pixels(header, name), orientation)


def _deep(chunks: _Chunks, name: str) -> np.ndarray:
    """16 bits a channel: OpenCV keeps them, Pillow does not."""
    image = common.decode_cv2(chunks.still, cv2.IMREAD_UNCHANGED, name)
    if chunks.colour in (_RGB, _RGB_ALPHA):
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    else:  # OpenCV spreads grey with alpha over four channels
        image = image if image.shape[2] == 1 else image[:, :, [0, -1]]
    if chunks.colour in (_RGB_ALPHA, _GREY_ALPHA):
        return over_white(image)
    channels = 3 if chunks.colour == _RGB else 1
    image = np.ascontiguousarray(image[:, :, :channels])
    if chunks.transparent is not None and len(chunks.transparent) == 2 * channels:
        key = np.frombuffer(chunks.transparent, ">u2").astype(np.uint16)
        image[(image == key).all(axis=2)] = 65535
    return image


def _walk(data: bytes, name: str) -> _Chunks:
    """Check every chunk up to IEND, and pick out what the decoders need.

    Raises:
        DataError: a chunk is cut, a critical one has a wrong checksum, or IEND is missing.
    """
    position, kept, animated = len(_SIGNATURE), [_SIGNATURE], False
    found: dict[bytes, bytes] = {}
    while True:
        kind, end = data[position + 4 : position + 8], 0
        if len(kind) == 4:
            end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if not end or end > len(data):
            raise common.damaged(name, "a PNG that stops before its end chunk")
        critical = not kind[0] & 0x20
        if critical and zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            raise common.damaged(name, f"a wrong checksum in chunk {kind.decode('latin-1')!r}")
        if kind in (b"IHDR", b"tRNS", b"eXIf"):
            found.setdefault(kind, data[position + 8 : end - 4])
        if kind in _ANIMATION:
            animated = True
        else:
            kept.append(data[position:end])
        position = end
        if kind == b"IEND":
            break
    with common.decoding(name):
        depth, colour = struct.unpack_from(">BB", found[b"IHDR"], 8)
    # Without the animation chunks both decoders see a plain PNG, and none of them warns about its timing.
    still = b"".join(kept) if animated else data
    return _Chunks(depth, colour, found.get(b"tRNS"), found.get(b"eXIf"), still)
