"""Templates of photos from strangers, and how many people each rule of thumb is about."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, cast

import cv2
import numpy as np

from vnvision.errors import VnvisionError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import FaceEngine, largest
from vnvision.imaging.isolated import IsolatedReader
from vnvision_demo.jobs.fairness_people import Photo

NO_FACE, UNREADABLE = "no face", "unreadable"
_BLOCK, _MOST_PIXELS, _PIXELS_KEPT = 512, 50_000_000, 12_000_000


def embed_photos(
    engine: FaceEngine, reader: IsolatedReader, photos: Sequence[Photo], told: Callable[[int], None]
) -> EmbeddedFaces:
    """The template of each photo's largest face; one without a face, or that cannot be read, is a failure.

    Args:
        engine: finds and embeds faces.
        reader: decodes in processes of its own.
        photos: with columns ``identity`` and, where they have groups, ``group``.
        told: called with the number done.
    """
    embeddings = np.zeros((len(photos), engine.embedder.size), np.float32)
    reasons = [UNREADABLE] * len(photos)
    order: list[int] = []

    def images() -> Iterator[np.ndarray]:
        paths = [photo.path for photo in photos]
        with closing(cast(Any, reader.read_many(paths, max_pixels=_MOST_PIXELS))) as samples:
            for index, sample in enumerate(samples):
                if not isinstance(sample, VnvisionError):
                    order.append(index)
                    yield _bounded(sample.image)

    with closing(cast(Any, engine.found(images()))) as answers:
        for number, faces in enumerate(answers):
            index = order[number]
            reasons[index] = "" if isinstance(faces, tuple) and faces else NO_FACE
            if not reasons[index]:
                embeddings[index] = largest(faces, "").embedding
            told(index + 1)
    columns = {"identity": tuple(photo.person for photo in photos)}
    if any(photo.group for photo in photos):
        columns["group"] = tuple(photo.group for photo in photos)
    names = "\n".join(f"{photo.shown}\0{photo.path.stat().st_size}" for photo in photos)
    return EmbeddedFaces(
        embeddings,
        tuple(photo.shown for photo in photos),
        tuple(reasons),
        columns,
        engine.embedder.fingerprint,
        hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _bounded(image: np.ndarray) -> np.ndarray:
    """At most 12 megapixels, as the detector's pictures wait in memory side by side."""
    factor = math.sqrt(_PIXELS_KEPT / (image.shape[0] * image.shape[1]))
    if factor >= 1:
        return image
    size = max(1, int(image.shape[1] * factor)), max(1, int(image.shape[0] * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small).reshape(size[1], size[0], image.shape[2])


def people_wrong(faces: EmbeddedFaces, threshold: float) -> tuple[set[str], set[str]]:
    """People taken for somebody else of these, and people not known again, at one threshold.

    Args:
        faces: templates with a column ``identity``.
        threshold: cosine from which two faces count as one person.

    Returns:
        Those of whom a photo matches a photo of another person, and those of whom two photos do not match.
    """
    rows = np.flatnonzero(faces.found)
    names, codes = np.unique(np.array(faces.column("identity"))[rows], return_inverse=True)
    vectors = faces.embeddings[rows]
    mistaken, missed = np.zeros(len(names), bool), np.zeros(len(names), bool)
    for at in range(0, len(rows), _BLOCK):
        match = vectors[at : at + _BLOCK] @ vectors.T >= threshold
        same = codes[at : at + _BLOCK, None] == codes[None]
        mistaken[codes[at : at + _BLOCK][(match & ~same).any(axis=1)]] = True
        missed[codes[at : at + _BLOCK][(same & ~match).any(axis=1)]] = True
    return set(names[mistaken].tolist()), set(names[missed].tolist())
