"""Drawn rice blades, and stand-ins of the published sets in their own layouts."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

# Colour (RGB), count, length and width in blade widths, whether the rim is dark.
LESIONS: dict[str, tuple[tuple[int, int, int], int, float, float, bool]] = {
    "bacterial_leaf_blight": ((214, 190, 140), 3, 6.0, 0.25, False),
    "bacterial_leaf_streak": ((190, 150, 70), 14, 3.0, 0.06, False),
    "bacterial_panicle_blight": ((150, 110, 80), 4, 1.5, 0.7, False),
    "blast": ((180, 175, 160), 5, 1.6, 0.35, True),
    "brown_spot": ((110, 62, 38), 7, 0.5, 0.25, False),
    "dead_heart": ((206, 184, 110), 2, 9.0, 0.9, False),
    "downy_mildew": ((226, 224, 150), 12, 1.8, 0.15, False),
    "hispa": ((235, 235, 215), 16, 2.4, 0.05, False),
    "leaf_scald": ((196, 160, 112), 3, 3.5, 0.6, True),
    "leaf_smut": ((50, 38, 40), 30, 0.15, 0.08, False),
    "sheath_blight": ((200, 190, 150), 3, 2.2, 0.8, True),
    "tungro": ((226, 160, 40), 2, 8.0, 1.0, False),
    "normal": ((0, 0, 0), 0, 0.0, 0.0, False),
}


def blade(label: str, seed: int, size_px: tuple[int, int] = (96, 330), *, field: bool = False) -> np.ndarray:
    """A blade lying across a sheet of paper, or before something like a field: (H, W, 3) uint8 RGB."""
    rng = np.random.default_rng((seed, *label.encode()))
    height, width = size_px
    paper = rng.uniform(222, 246) + np.array([2.0, 0.0, -3.0])
    picture = np.tile(paper, (height, width, 1)) + rng.normal(0, 1.2, (height, width, 1))
    if field:
        soft = cv2.resize(rng.uniform(30, 150, (6, 16, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        picture = soft * [0.9, 1.0, 0.6]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    middle = height * rng.uniform(0.4, 0.6) + (x - width / 2) * rng.uniform(-0.06, 0.06)
    thick = height * rng.uniform(0.17, 0.24) * (1 - 0.25 * x / width)
    across = (y - middle) / thick
    leaf = np.abs(across) < 1
    green = np.array([rng.uniform(85, 125), rng.uniform(135, 165), rng.uniform(20, 50)])
    ribs = 1 + 0.06 * np.sin(across * rng.uniform(14, 20)) - 0.08 * np.exp(-((across / 0.06) ** 2))
    shade = (ribs * (1 - 0.12 * across))[..., None] * (1 + rng.normal(0, 0.02, (height, width, 1)))
    picture = np.where(leaf[..., None], green * shade, picture)
    _spoil(picture, leaf, label, rng, middle[0, 0], float(thick.mean()))
    return cv2.GaussianBlur(picture.clip(0, 255), (0, 0), 0.6).round().astype(np.uint8)


def _spoil(
    picture: np.ndarray, leaf: np.ndarray, label: str, rng: np.random.Generator, middle: float, thick: float
) -> None:
    """The lesions of a label, in place, inside the leaf."""
    colour, count, long, wide, rim = LESIONS[label]
    for _ in range(count):
        centre = int(rng.uniform(0.08, 0.92) * leaf.shape[1]), int(middle + rng.uniform(-0.6, 0.6) * thick)
        axes = max(1, round(long * thick / 2)), max(1, round(wide * thick))
        if rim:
            _paint(picture, leaf, centre, (axes[0] + 2, axes[1] + 2), (104, 58, 34))
        _paint(picture, leaf, centre, axes, colour)


def _paint(
    picture: np.ndarray, leaf: np.ndarray, centre: tuple[int, int], axes: tuple[int, int], colour: tuple
) -> None:
    spot = np.zeros(leaf.shape, np.uint8)
    cv2.ellipse(spot, centre, axes, 0, 0, 360, 1, cv2.FILLED)
    picture[(spot > 0) & leaf] = colour


def save(path: Path, picture: np.ndarray) -> None:
    """Write a picture, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])


def draw_folders(
    root: Path, folders: dict[str, str], each: int, *, start: int = 0, field: bool = False
) -> None:
    """Class folders: folder -> label, ``each`` pictures in every one."""
    for folder, label in folders.items():
        for number in range(start, start + each):
            save(root / folder / f"{label}_{number:04d}.jpg", blade(label, number, field=field))


def draw_paddy_doctor(root: Path, labels: tuple[str, ...], each: int) -> None:
    """``train_images/LABEL/100001.jpg``, ``test_images/200001.jpg`` without label, and ``train.csv``."""
    rows, number = [], 100000
    for label in labels:
        for seed in range(each):
            number += 1
            upright = np.rot90(blade(label, seed, (90, 120), field=True))
            save(root / "train_images" / label / f"{number}.jpg", upright)
            rows.append((f"{number}.jpg", label, "ADT45", 45 + seed))
    save(root / "test_images" / "200001.jpg", blade("normal", 999, (90, 120), field=True))
    with open(root / "train.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image_id", "label", "variety", "age"), *rows])
