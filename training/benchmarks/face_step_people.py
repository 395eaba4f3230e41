"""Drawn people for ``face_step_speed.py``: pictures as large as a face crop, and manifests of any number."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def draw_pictures(folder: Path, n: int, seed: int = 0) -> list[str]:
    """Smooth random pictures with a little noise, 112 px, JPEG: about the size of a face crop."""
    rng, names = np.random.default_rng(seed), []
    for i in range(n):
        small = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        picture = cv2.resize(small, (112, 112), interpolation=cv2.INTER_CUBIC)
        picture = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
        names.append(f"{i:05d}.jpg")
        cv2.imwrite(str(folder / names[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return names


def write_people(folder: Path, names: Sequence[str], classes: int, rows: int) -> Path:
    """A manifest of ``rows`` training pictures, one a class where that is more, and two people besides."""
    path = folder / f"people_{classes}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "identity", "split"))
        for i in range(max(rows, classes)):
            writer.writerow((names[i % len(names)], f"p{i % classes:08d}", "train"))
        writer.writerows((names[i], f"v{i // 2}", "val") for i in range(4))
    return path
