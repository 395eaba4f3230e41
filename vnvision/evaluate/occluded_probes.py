"""Find, draw on, find again, embed: the pictures behind ``occluded``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.data.occlusion import KINDS, occlude
from vnvision.data.occlusion.pose import drawable
from vnvision.faces.engine import FaceEngine, area
from vnvision.faces.pictures import as_rgb, decoded
from vnvision.records import Face

PLAIN = "plain"
_SAME_FACE = 0.2  # of the boxes' union must be shared
_PICTURES_AT_ONCE = 16

Quality = Callable[[np.ndarray, Face], float]
Look = tuple[Face | None, np.ndarray | None, float]


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """N pictures of one kind.

    Attributes:
        found: (N,) bool, the face was found.
        embeddings: (N, D) float32, zero where it was not.
        scores: (N,) the detector's, 0 where it was not.
        qualities: (N,), 0 where it was not; None where no quality was asked for.
    """

    found: np.ndarray
    embeddings: np.ndarray
    scores: np.ndarray
    qualities: np.ndarray | None


def look(
    pictures: Sequence[tuple[str | Path | np.ndarray, str]],
    engine: FaceEngine,
    kinds: Sequence[str],
    *,
    strength: float,
    quality: Quality | None,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, Probes], list[str], int]:
    """Every picture with a face, plain and with each kind drawn on its largest face.

    Returns:
        ``Probes`` by kind, ``PLAIN`` first; whose each row is; how many pictures had no face, or one of a
        few pixels.

    Raises:
        DataError: an unreadable picture.
    """
    looks: dict[str, list[Look]] = {kind: [] for kind in (PLAIN, *kinds)}
    subjects: list[str] = []
    for at in range(0, len(pictures), _PICTURES_AT_ONCE):
        part = pictures[at : at + _PICTURES_AT_ONCE]
        images = [
            np.ascontiguousarray(as_rgb(decoded(picture), i)) for i, (picture, _) in enumerate(part, at)
        ]
        faces = [max(some, key=area, default=None) for some in engine.detector.detect(images)]
        bare = [
            (i, images[i], face)
            for i, face in enumerate(faces)
            if face is not None and drawable(face.landmarks_px)
        ]
        subjects += [part[i][1] for i, _, _ in bare]
        looks[PLAIN] += _embedded([image for _, image, _ in bare], [f for _, _, f in bare], engine, quality)
        for kind in kinds:
            number = KINDS.index(kind)
            drawn = [
                occlude(image, face.landmarks_px, kind, seed=(seed, at + i, number), strength=strength)
                for i, image, face in bare
            ]
            again = [
                nearest(found, face.box_xyxy_px)
                for found, (_, _, face) in zip(engine.detector.detect(drawn), bare, strict=True)
            ]
            looks[kind] += _embedded(drawn, again, engine, quality)
        if progress is not None:
            progress(min(at + _PICTURES_AT_ONCE, len(pictures)), len(pictures))
    size = next((len(row) for _, row, _ in looks[PLAIN] if row is not None), 0)
    probes = {kind: _probes(rows, size, with_quality=quality is not None) for kind, rows in looks.items()}
    return probes, subjects, len(pictures) - len(subjects)


def nearest(faces: Sequence[Face], box_xyxy_px: Sequence[float]) -> Face | None:
    """The face whose box shares most with this one; None where that is less than a fifth of their union."""
    best = max(faces, key=lambda face: _overlap(face.box_xyxy_px, box_xyxy_px), default=None)
    return best if best is not None and _overlap(best.box_xyxy_px, box_xyxy_px) >= _SAME_FACE else None


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / whole if whole > 0 else 0.0


def _embedded(
    images: Sequence[np.ndarray], faces: Sequence[Face | None], engine: FaceEngine, quality: Quality | None
) -> list[Look]:
    crops = [
        engine.embedder.align(image, [f]) for image, f in zip(images, faces, strict=True) if f is not None
    ]
    rows = iter(engine.embedder.embed(np.concatenate(crops)) if crops else ())
    return [
        (None, None, 0.0) if face is None else (face, next(rows), quality(image, face) if quality else 0.0)
        for image, face in zip(images, faces, strict=True)
    ]


def _probes(rows: Sequence[Look], size: int, *, with_quality: bool) -> Probes:
    embeddings = np.zeros((len(rows), size), np.float32)
    for i, (_, row, _) in enumerate(rows):
        if row is not None:
            embeddings[i] = row
    return Probes(
        np.array([face is not None for face, _, _ in rows], dtype=bool),
        embeddings,
        np.array([0.0 if face is None else face.score for face, _, _ in rows]),
        np.array([value for _, _, value in rows]) if with_quality else None,
    )
