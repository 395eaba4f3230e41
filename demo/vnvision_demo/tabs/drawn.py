"""Drawn pictures in numbers, for the examples of batches, teaching and fairness."""

from __future__ import annotations

import zipfile
from pathlib import Path

from vnvision.data.leaf_draw import draw_leaf
from vnvision.export.face_kit.drawing import drawn_face
from vnvision_demo.door.preview import jpeg

KINDS = ("healthy", "spot", "blight", "rust")


def leaves(folder: Path, count: int = 12, size_px: int = 256) -> list[tuple[str, Path]]:
    """Leaves of every kind, a file each: name to show and path."""
    made = []
    for number in range(count):
        path = folder / f"leaf-{number + 1:02d}.jpg"
        kind = KINDS[number % len(KINDS)]
        path.write_bytes(jpeg(draw_leaf(kind, 100 + number, size_px=size_px).image))
        made.append((path.name, path))
    return made


def people(file: Path, count: int = 12, photos: int = 3) -> Path:
    """A zip of drawn faces in two groups, a folder a person."""
    with zipfile.ZipFile(file, "w") as archive:
        for person in range(count):
            group = "AB"[person % 2]
            for photo in range(photos):
                face = drawn_face(person, 224, tilt_deg=6.0 * photo - 6, grain=3.0 + 2 * photo)
                archive.writestr(f"{group}/{person + 1:02d}/{photo + 1}.jpg", jpeg(face, 92))
    return file


def lesson(folder: Path, language: str, count: int = 24, size_px: int = 224) -> dict[str, list[Path]]:
    """Leaves of three kinds by name, enough to teach with."""
    names = {"healthy": ("khỏe", "healthy"), "spot": ("đốm", "spots"), "blight": ("cháy lá", "blight")}
    made: dict[str, list[Path]] = {}
    for kind, words in names.items():
        paths = made.setdefault(words[language == "en"], [])
        for number in range(count):
            path = folder / f"{kind}-{number}.jpg"
            path.write_bytes(jpeg(draw_leaf(kind, 500 + number, size_px=size_px).image))
            paths.append(path)
    return made
