"""Detect, align, embed and compare faces: the one object behind ``vnvision face`` and the demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.engines import EngineName
from vnvision.errors import DataError
from vnvision.faces.detector import YuNet
from vnvision.faces.embedder import SFace
from vnvision.imaging import read
from vnvision.records import Face

Picture = str | Path | bytes | np.ndarray
_PICTURES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two pictures' largest faces, compared.

    Attributes:
        similarity: cosine, -1 to 1.
        threshold: from which two faces count as one person.
        same: ``similarity >= threshold``.
        faces: the two faces that were compared.
    """

    similarity: float
    threshold: float
    same: bool
    faces: tuple[Face, Face]


class FaceEngine:
    """YuNet and SFace, offline, without torch. Weights: see ``vnvision.faces.weights``.

    Args:
        engine: inference engine of both networks; None takes the first one installed.
        threads: of one inference.
        detector: another detector with ``detect(images)``.
        embedder: another embedder with ``align``, ``embed`` and ``fingerprint``.
        weights: folder with the weights; None looks in the usual places.
    """

    def __init__(
        self,
        *,
        engine: EngineName | None = None,
        threads: int | None = None,
        detector: YuNet | None = None,
        embedder: SFace | None = None,
        weights: str | Path | None = None,
    ) -> None:
        self.detector = detector or YuNet(engine=engine, threads=threads, folder=weights)
        self.embedder = embedder or SFace(engine=engine, threads=threads, folder=weights)

    def detect(self, pictures: Sequence[Picture]) -> list[tuple[Face, ...]]:
        """Faces of each picture, the most certain first; an empty tuple where there is none.

        Args:
            pictures: paths, bytes of image files, or (H, W, 3) or (H, W, 1) uint8 RGB or grey arrays.

        Raises:
            DataError: a picture cannot be read.
        """
        found = []
        for images in _batches(pictures):
            found += self.detector.detect(images)
        return found

    def represent(self, pictures: Sequence[Picture]) -> list[tuple[Face, ...]]:
        """Like ``detect``, each face with its unit-norm embedding; all faces of 64 pictures in one batch."""
        found: list[tuple[Face, ...]] = []
        for images in _batches(pictures):
            faces = self.detector.detect(images)
            crops = [self.embedder.align(image, some) for image, some in zip(images, faces, strict=True)]
            embeddings = iter(self.embedder.embed(np.concatenate(crops)))
            found += [
                tuple(f.model_copy(update={"embedding": tuple(next(embeddings).tolist())}) for f in some)
                for some in faces
            ]
        return found

    def verify(self, first: Picture, second: Picture, *, threshold: float) -> Comparison:
        """Whether the largest faces of two pictures show one person.

        Raises:
            DataError: a picture without a face.
        """
        pair = []
        for faces, picture in zip(self.represent([first, second]), (first, second), strict=True):
            if not faces:
                raise DataError(
                    f"no face found in {_name(picture)}",
                    expected="a face looking towards the camera, eyes and mouth visible",
                    fix="take another picture, nearer and brighter",
                )
            pair.append(max(faces, key=area))
        similarity = float(np.dot(pair[0].embedding or (), pair[1].embedding or ()))
        return Comparison(similarity, threshold, similarity >= threshold, (pair[0], pair[1]))

    def close(self) -> None:
        """Free both models."""
        self.detector.close()
        self.embedder.close()


def area(face: Face) -> float:
    """Area of a face's box in square pixels."""
    x0, y0, x1, y1 = face.box_xyxy_px
    return (x1 - x0) * (y1 - y0)


def _batches(pictures: Sequence[Picture]) -> Iterator[list[np.ndarray]]:
    for at in range(0, len(pictures), _PICTURES_AT_ONCE):
        yield [decoded(picture) for picture in pictures[at : at + _PICTURES_AT_ONCE]]


def decoded(picture: Picture) -> np.ndarray:
    """An RGB uint8 array; 16 bit is scaled by its full range, four channels lose their transparency."""
    if isinstance(picture, np.ndarray):
        image = picture[..., None] if picture.ndim == 2 else picture
        image = image[..., :3] if image.ndim == 3 and image.shape[2] == 4 else image
    else:
        image = read(picture).image
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return image


def _name(picture: Picture) -> str:
    return str(picture) if isinstance(picture, str | Path) else "the picture"
