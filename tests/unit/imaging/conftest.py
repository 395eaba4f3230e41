"""Image files built byte by byte from the standards, so that the truth does not come from a decoder."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_rows(pixels: np.ndarray, depth: int) -> bytes:
    out = b""
    for row in pixels if pixels.size else ():
        if depth >= 8:
            packed = row.astype(">u2" if depth == 16 else np.uint8).tobytes()
        else:
            bits = (row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
            packed = np.packbits(bits.astype(np.uint8)).tobytes()
        out += b"\0" + packed
    return out


def build_png(
    pixels: np.ndarray,
    colour: int,
    depth: int,
    *,
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
    interlace: bool = False,
) -> bytes:
    """PNG of (H, W) or (H, W, C) levels; chunks ``before`` and ``after`` the pixels."""
    height, width = pixels.shape[:2]
    pixels = pixels.reshape(height, width, -1)
    if interlace:
        raw = b"".join(_png_rows(pixels[y::dy, x::dx], depth) for x, y, dx, dy in _ADAM7)
    else:
        raw = _png_rows(pixels, depth)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlace))
    chunks = [(b"IHDR", head), *before, (b"IDAT", zlib.compress(raw)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, body) for kind, body in chunks)


def build_tiff(
    pixels: np.ndarray,
    photometric: int,
    *,
    order: str = "<",
    bits: int | None = None,
    raw: bytes | None = None,
    planar: int = 1,
    tags: dict[int, Sequence[int]] | None = None,
) -> bytes:
    """Uncompressed one-strip TIFF of (H, W) or (H, W, C) levels; ``tags`` are extra SHORT tags."""
    height, width = pixels.shape[:2]
    pixels = pixels.reshape(height, width, -1)
    count = pixels.shape[2]
    if raw is None:
        stored = pixels if planar == 1 else pixels.transpose(2, 0, 1)
        raw = stored.astype(pixels.dtype.newbyteorder(order)).tobytes()
    strips = count if planar == 2 else 1
    entries: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits or pixels.dtype.itemsize * 8] * count),
        259: (3, [1]),
        262: (3, [photometric]),
        273: (4, [8 + i * len(raw) // strips for i in range(strips)]),
        277: (3, [count]),
        278: (4, [height]),
        279: (4, [len(raw) // strips] * strips),
        284: (3, [planar]),
    }
    entries |= {tag: (3, values) for tag, values in (tags or {}).items()}
    start = 8 + len(raw) + len(raw) % 2
    far_at, directory, far = start + 2 + 12 * len(entries) + 4, b"", b""
    for tag, (kind, values) in sorted(entries.items()):
        body = struct.pack(order + ("H" if kind == 3 else "I") * len(values), *values)
        if len(body) > 4:
            value, far = struct.pack(order + "I", far_at + len(far)), far + body
        else:
            value = body.ljust(4, b"\0")
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + value
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    tail = struct.pack(order + "H", len(entries)) + directory + struct.pack(order + "I", 0) + far
    return head + raw + b"\0" * (len(raw) % 2) + tail


def exif_block(orientation: int, order: str = "<") -> bytes:
    """A TIFF-style EXIF block holding nothing but the orientation."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


def photo(mode: str = "RGB", size: tuple[int, int] = (61, 47), seed: int = 0) -> Image.Image:
    """A smooth random picture, so that lossy formats stay close to it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(rng.integers(0, 256, (6, 7), dtype=np.uint8)).resize(size))
    return image.convert(mode)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    return build_png


@pytest.fixture(scope="session")
def tiff() -> Callable[..., bytes]:
    return build_tiff


@pytest.fixture(scope="session")
def exif() -> Callable[..., bytes]:
    return exif_block


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    return photo


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    return encode


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """One sound file of every kind that is read, by a telling name."""
    deep = np.random.default_rng(1).integers(0, 65536, (23, 19, 3)).astype(np.uint16)
    files = {
        "jpeg": encode(photo(), "JPEG"),
        "jpeg_progressive": encode(photo(), "JPEG", progressive=True),
        "jpeg_grey": encode(photo("L"), "JPEG"),
        "jpeg_cmyk": encode(photo("CMYK"), "JPEG"),
        "jpeg_exif": encode(photo(), "JPEG", exif=b"Exif\0\0" + exif_block(6)),
        "png": encode(photo(), "PNG"),
        "png_grey": encode(photo("L"), "PNG"),
        "png_rgba": encode(photo("RGBA"), "PNG"),
        "png_la": encode(photo("LA"), "PNG"),
        "png_palette": encode(photo("P"), "PNG"),
        "png_bits": encode(photo("1"), "PNG"),
        "png_deep": build_png(deep, 2, 16),
        "webp": encode(photo(), "WEBP"),
        "webp_lossless": encode(photo("RGBA"), "WEBP", lossless=True),
        "webp_animated": encode(photo(), "WEBP", save_all=True, append_images=[photo(seed=1)]),
        "bmp": encode(photo(), "BMP"),
        "bmp_grey": encode(photo("L"), "BMP"),
        "tiff": encode(photo(), "TIFF"),
        "tiff_lzw": encode(photo(), "TIFF", compression="tiff_lzw"),
        "tiff_jpeg": encode(photo(), "TIFF", compression="jpeg"),
        "tiff_bits": encode(photo("1"), "TIFF", compression="group4"),
        "tiff_cmyk": encode(photo("CMYK"), "TIFF"),
        "tiff_deep": build_tiff(deep, 2),
        "tiff_deep_grey": build_tiff(deep[:, :, 0].copy(), 1, order=">"),
    }
    return files
