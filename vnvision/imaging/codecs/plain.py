"""WebP and BMP: header and pixels through Pillow."""

from __future__ import annotations

import io

from PIL import BmpImagePlugin, WebPImagePlugin

from vnvision.imaging.codecs import common
from vnvision.imaging.orientation import info_orientation


def decode_webp(data: bytes, name: str, max_pixels: int) -> common.Decoded:
    """Decode a WebP; of an animated one the first frame."""
    with common.decoding(name):
        header = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    common.check_size(name, header.size, max_pixels)
    return common.Decoded(common.pillow_pixels(header, name), info_orientation(header.info))


def decode_bmp(data: bytes, name: str, max_pixels: int) -> common.Decoded:
    """Decode a Windows bitmap."""
    with common.decoding(name):
        header = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    common.check_size(name, header.size, max_pixels)
    for tile in header.tile:  # checked here too: a process-wide switch turns Pillow's own check off
        if tile.codec_name == "raw" and isinstance(tile.args, tuple):
            row_bytes = int(tile.args[1])
            if tile.offset + row_bytes * header.size[1] > len(data):
                raise common.damaged(name, f"{len(data):,} bytes, fewer than its rows need")
    return common.Decoded(common.pillow_pixels(header, name))
