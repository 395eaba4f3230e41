"""Sound files to mutate, made here; DICOM adds what pydicom installs with itself."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="8"/></x:xmpmeta>'


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_rows(pixels: np.ndarray, depth: int, filters: int = 1) -> bytes:
    """Rows of (H, W, C) levels as PNG packs them; the filter bytes go round ``filters`` kinds."""
    out = b""
    for index, row in enumerate(pixels if pixels.size else ()):
        if depth >= 8:
            packed = row.astype(">u2" if depth == 16 else np.uint8).tobytes()
        else:
            bits = (row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
            packed = np.packbits(bits.astype(np.uint8)).tobytes()
        out += bytes([index % filters]) + packed
    return out


def png(
    colour: int,
    depth: int,
    *,
    size: tuple[int, int] = (29, 23),
    interlace: bool = False,
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
    parts: int = 1,
) -> bytes:
    """A PNG of drawn levels, its pixels in ``parts`` IDAT chunks."""
    width, height = size
    drawn = np.random.default_rng([colour, depth, width]).integers(0, 1 << depth, (height, width, 4))
    levels = drawn[:, :, : CHANNELS[colour]]
    if interlace:
        raw = b"".join(png_rows(levels[y::dy, x::dx], depth) for x, y, dx, dy in ADAM7)
    else:
        raw = png_rows(levels, depth, filters=5)
    packed = zlib.compress(raw)
    step = -(-len(packed) // parts)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlace))
    pieces = [(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)]
    chunks = [(b"IHDR", head), *before, *pieces, *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in chunks)


def exif(turn: int, order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    entries = struct.pack(order + "HHIHH", 0x0112, 3, 1, turn, 0)
    entries += struct.pack(order + "HHII", 0x010F, 2, 12, 38)
    return head + entries + struct.pack(order + "I", 0) + b"Maker of it\0"


def png_seeds() -> dict[str, bytes]:
    palette = np.random.default_rng(5).integers(0, 256, (256, 3), dtype=np.uint8).tobytes()
    text = (b"tEXt", b"Comment\0drawn by code")
    squeezed = (b"zTXt", b"Note\0\0" + zlib.compress(b"la" * 40))
    spoken = (b"iTXt", "Title\0\0\0vi\0\0Lá lúa".encode())
    packet = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    profile = (b"iCCP", b"p\0\0" + zlib.compress(bytes(132)))
    files = {f"png_grey{depth}": png(0, depth) for depth in (1, 2, 4, 8, 16)}
    for name, colour, depths in (
        ("rgb", 2, (8, 16)),
        ("grey_alpha", 4, (8, 16)),
        ("rgb_alpha", 6, (8, 16)),
    ):
        files |= {f"png_{name}{depth}": png(colour, depth) for depth in depths}
        files |= {f"png_{name}{depth}_interlaced": png(colour, depth, interlace=True) for depth in depths}
    for depth in (1, 2, 4, 8):
        colours = (b"PLTE", palette[: 3 << depth])
        files[f"png_palette{depth}"] = png(3, depth, before=[colours])
        files[f"png_palette{depth}_clear"] = png(
            3, depth, before=[colours, (b"tRNS", bytes(range(1 << depth)))], interlace=depth == 8
        )
    files["png_grey16_key"] = png(0, 16, before=[(b"tRNS", b"\x12\x34")])
    files["png_rgb8_key"] = png(2, 8, before=[(b"tRNS", bytes(6))])
    files["png_texts"] = png(2, 8, before=[text, squeezed, profile], after=[spoken, packet], parts=3)
    files["png_exif"] = png(0, 8, before=[(b"eXIf", exif(6))], parts=2)
    files["png_exif_behind"] = png(6, 8, after=[(b"eXIf", exif(3, ">"))])
    control = struct.pack(">IIIIIHHBB", 0, 29, 23, 0, 0, 1, 10, 0, 0)
    files["png_animated"] = png(2, 8, before=[(b"acTL", struct.pack(">II", 1, 0)), (b"fcTL", control)])
    return files


def picture(mode: str = "RGB", size: tuple[int, int] = (61, 47)) -> Image.Image:
    small = np.random.default_rng(3).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).convert(mode)


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    picture(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def jpeg_seeds() -> dict[str, bytes]:
    turned = b"Exif\0\0"
    files = {
        "jpeg": jpeg(),
        "jpeg_444": jpeg(subsampling=0, quality=95),
        "jpeg_422": jpeg(subsampling=1),
        "jpeg_420_restarts": jpeg(subsampling=2, restart_marker_blocks=3),
        "jpeg_progressive": jpeg(progressive=True),
        "jpeg_progressive_grey": jpeg("L", progressive=True),
        "jpeg_progressive_restarts": jpeg(progressive=True, restart_marker_rows=1),
        "jpeg_grey": jpeg("L"),
        "jpeg_cmyk": jpeg("CMYK"),
        "jpeg_cmyk_progressive": jpeg("CMYK", progressive=True),
        "jpeg_optimised": jpeg(optimize=True, comment=b"drawn by code"),
        "jpeg_exif": jpeg(exif=turned + exif(6)),
        "jpeg_exif_cmyk": jpeg("CMYK", exif=turned + exif(8, ">")),
        "jpeg_xmp": jpeg(xmp=XMP),
        "jpeg_profile": jpeg(icc_profile=bytes(70_000)),
    }
    files["jpeg_two_pictures"] = files["jpeg"] + files["jpeg_grey"]
    return files
