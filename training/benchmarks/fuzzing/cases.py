"""One mutated file out of a seed and an index."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from fuzzing import dicom, dicom_seeds, draw, jpeg, png, seeds

KINDS = ("png", "jpeg", "dicom")
AWARE = {"png": png.AWARE, "jpeg": jpeg.AWARE, "dicom": dicom.AWARE}


@dataclass(frozen=True)
class Case:
    """One mutated file."""

    index: int
    kind: str
    origin: str
    mutations: tuple[str, ...]
    max_pixels: int
    data: bytes


@cache
def sound_files() -> dict[str, dict[str, bytes]]:
    """The files that are mutated, by kind and name."""
    return {"png": seeds.png_seeds(), "jpeg": seeds.jpeg_seeds(), "dicom": dicom_seeds.dicom_seeds()}


def make(seed: int, index: int, kinds: tuple[str, ...]) -> Case:
    """Case ``index`` of a run."""
    rng = random.Random(f"{seed}/{index}")
    kind = kinds[index % len(kinds)]
    files = sound_files()
    origin = rng.choice(sorted(files[kind]))
    data, used = files[kind][origin], []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        neighbours = files[kind if rng.random() < 0.9 else rng.choice(kinds)]
        other = neighbours[rng.choice(sorted(neighbours))]
        mutation = rng.choice(AWARE[kind] if rng.random() < 0.65 else draw.BLIND)
        data = mutation(rng, data, other)
        used.append(f"{mutation.__module__.split('.')[-1]}.{mutation.__name__}")
    if kind == "png" and rng.random() < 0.7:  # else most end at the first checksum
        data = png.repair(data)
    limit = 100_000_000 if rng.random() < 0.02 else 2_000_000
    return Case(index, kind, origin, tuple(used), limit, data)
