from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from vnvision.errors import DataError
from vnvision.imaging import read


def levels(seed: int, *shape: int, top: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint16 if top > 256 else np.uint8)


def on_white(pixels: np.ndarray) -> np.ndarray:
    """The compositing formula with exact rational arithmetic."""
    white = int(np.iinfo(pixels.dtype).max)
    colour, alpha = pixels[..., :-1].astype(object), pixels[..., -1:].astype(object)
    return ((2 * (colour * alpha + white * (white - alpha)) + white) // (2 * white)).astype(pixels.dtype)


def by_pillow(data: bytes) -> np.ndarray:
    """Pillow's own reading of an opaque 8-bit file, turned upright."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    grey = image.mode in ("L", "1")
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels[:, :, None] if grey else pixels


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("depth", [8, 16])
def test_png_gives_the_levels_that_were_written(png, colour, channels, depth, interlace):
    pixels = levels(colour, 13, 11, channels, top=1 << depth)
    image = read(png(pixels, colour, depth, interlace=interlace)).image
    truth = on_white(pixels) if colour in (4, 6) else pixels
    assert image.dtype == truth.dtype
    np.testing.assert_array_equal(image, truth)
    assert image.flags.c_contiguous
    assert image.flags.writeable


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_with_few_bits_fills_the_range(png, depth):
    pixels = levels(depth, 9, 13, top=1 << depth)
    image = read(png(pixels, 0, depth)).image
    np.testing.assert_array_equal(image[:, :, 0], pixels * (255 // ((1 << depth) - 1)))


def test_palette_is_colour_and_its_transparency_is_white(png):
    palette = levels(3, 4, 3)
    pixels = levels(4, 8, 9, top=4)
    plain = read(png(pixels, 3, 8, before=[(b"PLTE", palette.tobytes())])).image
    np.testing.assert_array_equal(plain, palette[pixels])
    clear = read(png(pixels, 3, 8, before=[(b"PLTE", palette.tobytes()), (b"tRNS", b"\x00")])).image
    np.testing.assert_array_equal(clear, np.vstack([[[255, 255, 255]], palette[1:]])[pixels])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3)])
def test_a_transparent_colour_becomes_white(png, colour, channels, depth):
    pixels = levels(5, 7, 8, channels, top=1 << depth)
    pixels[2, 3] = pixels[0, 0]
    key = b"".join(struct.pack(">H", int(v)) for v in pixels[0, 0])
    image = read(png(pixels, colour, depth, before=[(b"tRNS", key)])).image
    truth = pixels.copy()
    truth[(pixels == pixels[0, 0]).all(axis=2)] = (1 << depth) - 1
    np.testing.assert_array_equal(image, truth)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("depth", [8, 16])
def test_tiff_gives_the_levels_that_were_written(tiff, order, depth):
    top = 1 << depth
    grey, rgb, rgba = (levels(i, 13, 11, i, top=top) for i in (1, 3, 4))
    np.testing.assert_array_equal(read(tiff(grey, 1, order=order)).image, grey)
    np.testing.assert_array_equal(read(tiff(rgb, 2, order=order)).image, rgb)
    np.testing.assert_array_equal(read(tiff(rgba, 2, order=order, tags={338: [2]})).image, on_white(rgba))
    np.testing.assert_array_equal(read(tiff(rgba, 2, order=order, tags={338: [0]})).image, rgba[:, :, :3])


def test_tiff_with_inverted_grey_is_turned_round(tiff):
    deep, flat = levels(1, 13, 11, 1, top=65536), levels(1, 13, 11, 1)
    np.testing.assert_array_equal(read(tiff(deep, 0)).image, 65535 - deep)
    np.testing.assert_array_equal(read(tiff(flat, 0)).image, 255 - flat)


def test_tiff_with_premultiplied_alpha(tiff):
    deep = levels(1, 6, 5, 4, top=65536)
    deep[..., :3] = deep[..., :3] * (deep[..., 3:] / 65535.0)
    truth = deep[..., :3].astype(np.int64) + 65535 - deep[..., 3:]
    np.testing.assert_array_equal(read(tiff(deep, 2, tags={338: [1]})).image, truth)


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda tiff: tiff(levels(1, 4, 5, 3, top=65536), 2, planar=2), "plane layout 2"),
        (lambda tiff: tiff(levels(1, 4, 5, 4, top=65536), 5), "colour kind 5"),
        (lambda tiff: tiff(levels(1, 4, 5, 1, top=65536), 1, tags={339: [2]}), "sample format [2]"),
        (lambda tiff: tiff(np.zeros((4, 5, 1), np.float32), 1, tags={339: [3]}), "[32] bits"),
    ],
)
def test_tiff_kinds_that_would_come_out_wrong_are_refused(tiff, make, got):
    with pytest.raises(DataError, match="image bytes cannot be read: expected") as caught:
        read(make(tiff))
    assert got in str(caught.value)


@pytest.mark.parametrize("planar", [1, 2])
def test_tiff_with_separate_planes_at_8_bits(tiff, planar):
    pixels = levels(1, 4, 5, 3)
    np.testing.assert_array_equal(read(tiff(pixels, 2, planar=planar)).image, pixels)


@pytest.mark.parametrize("kind", ["BMP", "WEBP", "TIFF", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
def test_lossless_formats_agree_with_pillow(picture, encoded, kind, mode):
    image = picture(mode)
    data = encoded(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    stored = Image.open(io.BytesIO(data))
    truth = np.asarray(stored.convert("RGBA" if stored.mode == "RGBA" else "RGB"))
    truth = on_white(truth) if truth.shape[2] == 4 else truth
    got = read(data).image
    assert got.shape[2] == (1 if stored.mode in ("L", "1") else 3)
    np.testing.assert_array_equal(np.broadcast_to(got, truth.shape), truth)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 20}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_agrees_with_pillow(picture, encoded, mode, options):
    data = encoded(picture(mode, (253, 187)), "JPEG", **options)
    np.testing.assert_array_equal(read(data).image, by_pillow(data))


def test_cmyk_jpeg_as_adobe_writes_it_keeps_its_colours(picture, encoded):
    colour = picture("RGB", (64, 48))
    data = encoded(colour.convert("CMYK"), "JPEG", quality=95, exif=b"Exif\0\0garbage")
    assert b"Adobe" in data  # the inks are stored inverted
    error = read(data).image.astype(int) - np.asarray(colour)
    assert np.abs(error).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_applied(picture, encoded, exif, kind, orientation):
    extra = {"WEBP": {"lossless": True}, "JPEG": {}, "PNG": {}, "TIFF": {}}[kind]
    block = exif(orientation, ">" if orientation % 2 else "<")
    if kind == "TIFF":
        data = encoded(picture(), kind, tiffinfo={0x0112: orientation})
    else:
        data = encoded(picture(), kind, exif=(b"Exif\0\0" if kind == "JPEG" else b"") + block, **extra)
    image = read(data).image
    assert image.shape[:2] == ((47, 61) if orientation < 5 else (61, 47))
    np.testing.assert_array_equal(image, by_pillow(data))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_files_and_of_grey(tiff, png, exif, orientation):
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a),
    }
    deep = levels(9, 5, 8, 3, top=65536)
    np.testing.assert_array_equal(
        read(tiff(deep, 2, tags={274: [orientation]})).image, turns[orientation](deep)
    )
    grey = levels(9, 5, 8, 1)
    for where in ("before", "after"):  # eXIf may stand behind the pixels
        image = read(png(grey, 0, 8, **{where: [(b"eXIf", exif(orientation))]})).image
        np.testing.assert_array_equal(image, turns[orientation](grey))


def test_first_page_and_first_frame_are_read(picture, encoded):
    first, second = picture(seed=1), picture(seed=2)
    for kind, options in (("TIFF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        data = encoded(first, kind, save_all=True, append_images=[second], **options)
        np.testing.assert_array_equal(read(data).image, np.asarray(first), err_msg=kind)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read(data).image, by_pillow(data))


def test_a_path_and_its_bytes_give_the_same(tmp_path, samples):
    for name, data in samples.items():
        path = tmp_path / f"{name}.any"  # the name says nothing
        path.write_bytes(data)
        sample = read(path)
        assert sample.source == str(path)
        assert read(str(path)).meta == sample.meta
        np.testing.assert_array_equal(sample.image, read(data).image)
    assert read(data).source is None
    assert read(bytearray(data)).meta == {"format": "TIFF"}


@pytest.mark.parametrize("fraction", [0.1, 0.35, 0.6, 0.85, 0.97])
def test_a_cut_file_is_an_error_and_never_half_a_picture(tmp_path, samples, fraction):
    for name, data in samples.items():
        path = tmp_path / name
        path.write_bytes(data[: int(len(data) * fraction)])
        with pytest.raises(
            DataError, match="is damaged or cut short: expected a complete image, got"
        ) as caught:
            read(path)
        assert str(path) in str(caught.value)
        if name.startswith(("jpeg", "png")):  # a preallocated download; raw formats carry no sign of it
            path.write_bytes(data[: int(len(data) * fraction)].ljust(len(data), b"\0"))
            with pytest.raises(DataError, match="damaged or cut short"):
                read(path)


def test_a_cut_jpeg_with_a_thumbnail_inside_is_still_cut(picture, encoded):
    thumbnail = encoded(picture(size=(16, 16)), "JPEG")
    data = encoded(picture(), "JPEG")
    body = b"Exif\0\0" + thumbnail  # its end marker must not count for the whole
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    assert read(data).image.shape == (47, 61, 3)
    with pytest.raises(DataError, match="stops before its end marker"):
        read(data[:-40])


def test_other_code_cannot_switch_truncation_checks_off(monkeypatch, samples):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for name in ("jpeg", "jpeg_cmyk", "png", "png_palette", "tiff", "tiff_cmyk", "bmp", "webp"):
        with pytest.raises(DataError, match="damaged or cut short"):
            read(samples[name][: int(len(samples[name]) * 0.8)])


@pytest.mark.parametrize(
    ("head", "got"),
    [
        (b"%PDF-1.7 trailing", "a PDF document (it begins with '%PDF-1.7')"),
        (b"GIF89a" + bytes(20), "a GIF image"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "an HEIC image"),
        (b"\0\0\0\x18ftypavif" + bytes(20), "an AVIF image"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "an MP4 or MOV video"),
        (b"PK\x03\x04" + bytes(20), "a ZIP archive or an Office document"),
        (b"<!DOCTYPE html><html>404", "an HTML page"),
        (b"<?xml version='1.0'?><svg xmlns='x'>", "an SVG drawing"),
        ("lá lúa bị đạo ôn".encode(), "text"),
        (b'{"error": "not found"}', "a JSON file"),
        (bytes(40), "only zero bytes"),
        (b"\x01\x02\x03\xfe\xff\x99", "unknown data (it begins with 01 02 03 fe ff 99)"),
    ],
)
def test_a_renamed_file_is_named_for_what_it_is(tmp_path, head, got):
    path = tmp_path / "leaf.jpg"
    path.write_bytes(head)
    with pytest.raises(DataError, match=r"leaf\.jpg is not an image: expected a JPEG, PNG") as caught:
        read(path)
    assert f"got {got}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_cannot_be_opened(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png does not exist; check the path"):
        read(tmp_path / "gone.png")
    with pytest.raises(DataError, match="is a folder: expected an image file"):
        read(tmp_path)
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.jpg is empty: .* got 0 bytes"):
        read(tmp_path / "empty.jpg")
    with pytest.raises(DataError, match="image bytes is empty"):
        read(b"")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="is not a regular file"):
        read(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="cannot be opened: got Not a directory"):
        read(tmp_path / "empty.jpg" / "x.jpg")
    with pytest.raises(DataError, match="cannot be opened: got File name too long"):
        read("a" * 5000)
    with pytest.raises(DataError, match="is not a file name"):
        read("a\0b.jpg")
    with pytest.raises(DataError, match="expected a path or bytes, got ndarray"):
        read(np.zeros(3))


def test_unreadable_file(tmp_path, monkeypatch):
    def locked(*_args, **_options):  # permissions do not bind root, so the refusal is played
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "locked.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(DataError, match=r"locked\.jpg cannot be opened: got Permission denied"):
        read(path)


def bomb(kind: str, samples: dict[str, bytes], png) -> bytes:
    """A small file whose header promises 50,000 x 50,000 pixels."""
    side = 50_000
    if kind == "PNG":
        data = png(levels(0, 2, 2, 3), 2, 8)
        head = struct.pack(">II", side, side) + data[24:29]
        return data[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + data[33:]
    if kind == "JPEG":
        at = samples["jpeg"].index(b"\xff\xc0") + 5
        return samples["jpeg"][:at] + struct.pack(">HH", side, side) + samples["jpeg"][at + 4 :]
    if kind == "BMP":
        return samples["bmp"][:18] + struct.pack("<ii", side, side) + samples["bmp"][26:]
    data = samples["tiff_deep"]
    for tag in (256, 257):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        data = data[:at] + struct.pack("<I", side) + data[at + 4 :]
    return data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_a_decompression_bomb_is_refused_in_the_header(tmp_path, samples, png, kind):
    path = tmp_path / "bomb"
    path.write_bytes(bomb(kind, samples, png))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            DataError, match="bomb is too large: expected at most 100,000,000 pixels"
        ) as caught:
            read(path)
    assert "got 50,000 x 50,000 = 2,500,000,000" in str(caught.value)


def test_the_limit_is_the_callers(samples):
    for data in samples.values():
        height, width = read(data).image.shape[:2]
        assert read(data, max_pixels=height * width).image.shape[:2] == (height, width)
        with pytest.raises(DataError, match=f"expected at most {height * width - 1:,} pixels"):
            read(data, max_pixels=height * width - 1)


def test_pillows_own_limit_plays_no_part(monkeypatch, samples):
    truth = {name: read(data).image for name, data in samples.items()}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, data in samples.items():
            np.testing.assert_array_equal(read(data).image, truth[name], err_msg=name)


def test_a_huge_file_is_not_read_into_memory(tmp_path):
    path = tmp_path / "huge.bmp"
    with path.open("wb") as stream:
        stream.write(b"BM")
        stream.truncate(80_000_000)
    with pytest.raises(
        DataError, match=r"huge\.bmp is too large: expected at most 67,116,864 bytes, got 80,000"
    ):
        read(path, max_pixels=1000)


def test_a_flipped_bit_in_png_pixels_is_noticed(samples):
    data = bytearray(samples["png"])
    data[data.index(b"IDAT") + 30] ^= 1
    with pytest.raises(DataError, match="a wrong checksum in chunk 'IDAT'"):
        read(bytes(data))


def test_damaged_exif_does_not_stop_a_sound_picture(picture, encoded, exif):
    plain = encoded(picture(), "JPEG")
    for block in (
        b"Exif\0\0",
        b"Exif\0\0" + exif(6)[:12],
        b"Exif\0\0" + exif(0),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = read(encoded(picture(), "JPEG", exif=block)).image
        np.testing.assert_array_equal(image, read(plain).image)


def test_xmp_orientation_counts_where_exif_is_silent(picture, encoded):
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for kind in ("JPEG", "WEBP"):
        data = encoded(picture(), kind, xmp=packet)
        np.testing.assert_array_equal(read(data).image, by_pillow(data))
        assert read(data).image.shape == (61, 47, 3)


def test_reading_from_many_threads_gives_the_same(samples):
    truth = {name: read(data).image for name, data in samples.items()}
    jobs = [name for name in samples for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for name, sample in zip(jobs, pool.map(lambda name: read(samples[name]), jobs), strict=True):
            np.testing.assert_array_equal(sample.image, truth[name], err_msg=name)
