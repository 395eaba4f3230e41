"""Files to send: drawn, broken, and hostile."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from vnvision.data.leaf_draw import draw_leaf
from vnvision_demo.tabs.drawn import leaves
from vnvision_demo.tabs.shared import STATIC

LEAF, STRANGER, SMEAR = STATIC / "leaf-spots.jpg", STATIC / "stranger.jpg", STATIC / "smear.jpg"
FACES = tuple(STATIC / f"face-{one}.jpg" for one in "abc")


def leaf_with_place(path: Path) -> Path:
    """A JPEG with GPS coordinates and a camera's name in its EXIF."""
    exif = Image.Exif()
    exif[0x010F] = "TheCamera"
    exif.get_ifd(0x8825).update({1: "N", 2: (10.0, 46.0, 37.5), 3: "E", 4: (106.0, 41.0, 43.25)})
    Image.fromarray(draw_leaf("spot", 7, size_px=256).image).save(path, exif=exif, quality=92)
    assert b"Exif\0\0" in path.read_bytes()
    return path


def leaves_zip(path: Path, count: int) -> Path:
    """A zip of drawn leaves."""
    folder = path.with_suffix("")
    folder.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in leaves(folder, count, 160):
            archive.write(file, name)
    return path


def noise(path: Path) -> Path:
    """Bytes that are nothing."""
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def text(path: Path) -> Path:
    """A text under a picture's name."""
    path.write_text("this is no picture\n" * 100)
    return path


def cut(path: Path) -> Path:
    """The first third of a JPEG."""
    data = LEAF.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    return path


def large(path: Path, mb: int = 60) -> Path:
    """A file of many bytes that starts as a JPEG."""
    with path.open("wb") as stream:
        stream.write(LEAF.read_bytes())
        stream.truncate(mb << 20)
    return path


def bomb(path: Path, entries: int = 16, mb_each: int = 256) -> Path:
    """Some KB or MB that unpack to gigabytes."""
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(entries):
            with archive.open(f"{number}.jpg", "w") as entry:
                for _ in range(mb_each):
                    entry.write(zeros)
    return path


def nested(path: Path) -> Path:
    """A zip of zips of zips."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.jpg", bytes(10 << 20))
    for _ in range(4):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{number}.zip", inner.getvalue())
        inner = outer
    path.write_bytes(inner.getvalue())
    return path


def overlapping(path: Path, entries: int = 200) -> Path:
    """Many entries that all point at the same packed bytes."""
    one = io.BytesIO()
    with zipfile.ZipFile(one, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(20 << 20))
    data = one.getvalue()
    (start,) = struct.unpack("<I", data[-6:-2])
    size = len(data) - 22 - start
    entry = data[start : start + size]
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, entries, entries, entries * size, start, 0)
    path.write_bytes(data[:start] + entry * entries + end)
    return path


def empty(path: Path) -> Path:
    """A zip with nothing in it."""
    with zipfile.ZipFile(path, "w"):
        pass
    return path
