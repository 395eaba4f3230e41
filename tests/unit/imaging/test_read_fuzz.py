from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from vnvision.errors import DataError
from vnvision.imaging import read

SEEDED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=400,
    suppress_health_check=list(HealthCheck),
)
FRACTION = st.floats(0, 1, exclude_max=True)
EDIT = st.tuples(
    st.sampled_from(["flip", "set", "cut", "remove", "splice", "header", "extreme"]),
    FRACTION,
    st.integers(0, 255),
    st.integers(1, 64),
    FRACTION,
)


def edited(data: bytes, other: bytes, edits: list[tuple]) -> bytes:
    """``data`` with bits flipped, parts removed, and pieces of ``other`` put in."""
    for kind, where, value, length, elsewhere in edits:
        at, there = int(where * len(data)), int(elsewhere * len(other))
        if kind == "flip":
            data = data[:at] + bytes([data[at] ^ 1 << value % 8]) + data[at + 1 :] if data else data
        elif kind == "set":
            data = data[:at] + bytes([value]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "remove":
            data = data[:at] + data[at + length :]
        elif kind == "splice":
            data = data[:at] + other[there : there + length] + data[at:]
        elif kind == "header":
            at = int(where * min(200, len(data)))
            data = data[:at] + bytes([value]) + data[at + 1 :]
        else:
            number = [b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1"][value % 4]
            data = data[:at] + number + data[at + 4 :]
    return data


def with_checksums(data: bytes) -> bytes:
    """A PNG with its checksums made right again, so that the decoder behind them is reached."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    out, at = data[:8], 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        out += data[at:end] + struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return out + data[at:]


def check(data: bytes) -> None:
    """Only a one-line DataError, or an image of the promised kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning of Pillow's is a failure
        image, problem = None, ""
        try:
            image = read(data, max_pixels=2_000_000).image
        except DataError as exc:
            problem = str(exc)
    if image is None:
        assert problem.startswith("image bytes ")
        assert "\n" not in problem
        return
    assert image.ndim == 3
    assert image.shape[2] in (1, 3)
    assert image.dtype in (np.uint8, np.uint16)
    assert image.size


MUTATION = (
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.lists(EDIT, min_size=1, max_size=6),
    st.booleans(),
)


@SEEDED
@given(*MUTATION)
def test_only_data_errors_come_out_of_damaged_files(samples, first, second, edits, repair):
    files = list(samples.values())
    data = edited(files[first % len(files)], files[second % len(files)], edits)
    check(with_checksums(data) if repair else data)


@pytest.mark.slow
@settings(SEEDED, max_examples=5_000)
@given(*MUTATION)
def test_only_data_errors_come_out_of_damaged_files_at_length(samples, first, second, edits, repair):
    files = list(samples.values())
    data = edited(files[first % len(files)], files[second % len(files)], edits)
    check(with_checksums(data) if repair else data)


@SEEDED
@given(
    st.binary(max_size=64),
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM", b""]),
)
def test_only_data_errors_come_out_of_noise(tail, head):
    check(head + tail)


@settings(SEEDED, max_examples=150)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP"]),
    st.sampled_from(["RGB", "L", "1", "P"]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
)
def test_every_sound_image_decodes_as_pillow_decodes_it(encoded, exif, kind, mode, width, height, turn, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "JPEG" and mode in ("P", "1"):
        mode = "L"
    options: dict = {"lossless": True} if kind == "WEBP" else {}
    if kind == "TIFF":
        options["tiffinfo"] = {0x0112: turn}
    elif kind != "BMP":
        options["exif"] = (b"Exif\0\0" if kind == "JPEG" else b"") + exif(turn)
    data = encoded(Image.fromarray(pixels).convert(mode), kind, **options)
    truth = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    truth = np.asarray(truth.convert("L" if truth.mode in ("L", "1") else "RGB"))
    np.testing.assert_array_equal(read(data).image, truth.reshape(*truth.shape[:2], -1))


@settings(SEEDED, max_examples=150)
@given(
    st.sampled_from([0, 2]),
    st.sampled_from([8, 16]),
    st.booleans(),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 99),
)
def test_every_sound_png_decodes_to_what_was_written(png, colour, depth, interlace, width, height, seed):
    shape = (height, width, 3 if colour else 1)
    pixels = np.random.default_rng(seed).integers(0, 1 << depth, shape).astype(f"u{depth // 8}")
    np.testing.assert_array_equal(read(png(pixels, colour, depth, interlace=interlace)).image, pixels)
