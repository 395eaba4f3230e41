"""Detect, align, embed and compare faces: the one object behind ``vnvision face`` and the demo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.engines import EngineName
from vnvision.errors import DataError
from vnvision.faces.detector import YuNet
from vnvision.faces.embedder import SFace
from vnvision.faces.gallery.gallery import Gallery
from vnvision.faces.gallery.people import Identification
from vnvision.faces.pictures import Picture, batches, decoded, name_of
from vnvision.faces.protocols import Detector, Embedder
from vnvision.faces.quality import with_quality
from vnvision.faces.thresholds import Threshold, resolve
from vnvision.records import Face, OperatingPoint

DEFAULT_THRESHOLD = "fmr=1e-4"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two pictures' largest faces, compared.

    Attributes:
        similarity: cosine, -1 to 1.
        threshold: from which two faces count as one person.
        same: ``similarity >= threshold``.
        faces: the two faces that were compared.
        point: what is known of the threshold; None where it was stated as a number.
        populations: how many were measured, of which ``point`` is the strictest; 1 for a named one.
    """

    similarity: float
    threshold: float
    same: bool
    faces: tuple[Face, Face]
    point: OperatingPoint | None = None
    populations: int = 1


@dataclass(frozen=True, slots=True)
class Match:
    """One face of a picture and who it is; no candidate means unknown."""

    face: Face
    answer: Identification


class FaceEngine:
    """YuNet and SFace, offline, without torch. Weights: see ``vnvision.faces.weights``.

    Args:
        engine: inference engine of both networks; None takes the first one installed.
        threads: of one inference.
        detector: another detector with ``detect(images)``.
        embedder: another embedder with ``align``, ``embed`` and ``fingerprint``.
        weights: folder with the weights; None looks in the usual places.
        points: operating points to resolve thresholds with; None takes those that ship and those that
            ``vnvision face calibrate`` measured on this machine.
    """

    def __init__(
        self,
        *,
        engine: EngineName | None = None,
        threads: int | None = None,
        detector: Detector | None = None,
        embedder: Embedder | None = None,
        weights: str | Path | None = None,
        points: Sequence[OperatingPoint] | None = None,
    ) -> None:
        self.detector: Detector = detector or YuNet(engine=engine, threads=threads, folder=weights)
        self.embedder: Embedder = embedder or SFace(engine=engine, threads=threads, folder=weights)
        self._points = points

    def found(
        self, pictures: Iterable[Picture], *, embed: bool = True, quality: bool = False
    ) -> Iterator[tuple[Face, ...] | DataError]:
        """Each picture's faces in order, or why it could not be read; decoded ahead, in bounded memory.

        Args:
            pictures: paths, bytes of image files, or arrays as ``pictures.decoded`` takes them.
            embed: whether faces get their embeddings.
            quality: whether faces get the measures of ``vnvision.faces.quality``; about a millisecond a face.
        """
        for batch in batches(pictures):
            images = [image for image in batch if isinstance(image, np.ndarray)]
            faces = self.detector.detect(images)
            if quality:
                pairs = zip(images, faces, strict=True)
                faces = [tuple(_measured(image, face) for face in some) for image, some in pairs]
            answers = iter(self._embedded(images, faces) if embed else faces)
            for item in batch:
                yield item if isinstance(item, DataError) else next(answers)

    def detect(self, pictures: Sequence[Picture]) -> list[tuple[Face, ...]]:
        """Faces of each picture, the most certain first; an empty tuple where there is none.

        Raises:
            DataError: a picture cannot be read.
        """
        return [_or_raise(answer) for answer in self.found(pictures, embed=False)]

    def represent(self, pictures: Sequence[Picture], *, quality: bool = False) -> list[tuple[Face, ...]]:
        """Like ``detect``, each face with its unit-norm embedding; all faces of 64 pictures in one batch."""
        return [_or_raise(answer) for answer in self.found(pictures, quality=quality)]

    def align(self, pictures: Sequence[Picture], faces: Sequence[Sequence[Face]]) -> list[np.ndarray]:
        """Each picture's faces cut out onto the embedder's template: (K, 112, 112, 3) uint8 RGB a picture.

        Raises:
            DataError: a picture cannot be read.
        """
        return [self.embedder.align(decoded(p), some) for p, some in zip(pictures, faces, strict=True)]

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Aligned crops (K, 112, 112, 3) uint8 RGB -> unit-norm embeddings (K, D) float32."""
        return self.embedder.embed(crops)

    def threshold(
        self, threshold: float | str = DEFAULT_THRESHOLD, population: str | None = None
    ) -> Threshold:
        """The cosine that a request means for this embedder; see ``vnvision.faces.thresholds.resolve``."""
        return resolve(threshold, self.embedder.fingerprint, population=population, points=self._points)

    def verify(
        self,
        first: Picture,
        second: Picture,
        *,
        threshold: float | str = DEFAULT_THRESHOLD,
        population: str | None = None,
    ) -> Comparison:
        """Whether the largest faces of two pictures show one person.

        Args:
            first: a picture.
            second: another.
            threshold: a cosine, or the false match rate to keep, as in ``fmr=1e-4`` or ``fmr=1e-4@korean``.
            population: whose operating point; without one the strictest.

        Raises:
            DataError: a picture without a face, or one that cannot be read.
            ConfigError: a rate or population that was never calibrated.
        """
        return self.verify_many([(first, second)], threshold=threshold, population=population)[0]

    def verify_many(
        self,
        pairs: Sequence[tuple[Picture, Picture]],
        *,
        threshold: float | str = DEFAULT_THRESHOLD,
        population: str | None = None,
    ) -> list[Comparison]:
        """``verify`` for many pairs in one go; raises as it does."""
        limit = self.threshold(threshold, population)
        pictures = [picture for pair in pairs for picture in pair]
        found = self.represent(pictures, quality=True)
        faces = [largest(some, picture) for some, picture in zip(found, pictures, strict=True)]
        return [_compare(a, b, limit) for a, b in zip(faces[::2], faces[1::2], strict=True)]

    def identify(
        self,
        pictures: Sequence[Picture],
        gallery: Gallery,
        *,
        threshold: float | str = DEFAULT_THRESHOLD,
        population: str | None = None,
        k: int = 1,
    ) -> list[tuple[Match, ...]]:
        """Who the faces of each picture are, or unknown.

        A rate is that of one comparison: in a gallery of n people a stranger is found about n times as often.

        Raises:
            DataError: a picture cannot be read, or a record of the gallery was changed.
            ConfigError: a rate or population that was never calibrated.
        """
        limit = self.threshold(threshold, population)
        return self.who(self.represent(pictures), gallery, limit.value, k)

    def who(
        self, found: Sequence[Sequence[Face]], gallery: Gallery, threshold: float, k: int = 1
    ) -> list[tuple[Match, ...]]:
        """``identify`` for faces that are found and embedded already, at a cosine threshold."""
        everyone = [face for some in found for face in some]
        if not everyone:
            return [() for _ in found]
        queries = np.array([face.embedding for face in everyone], np.float32)
        matches = iter(map(Match, everyone, gallery.identify(queries, threshold, k)))
        return [tuple(next(matches) for _ in some) for some in found]

    def close(self) -> None:
        """Free both models."""
        self.detector.close()
        self.embedder.close()

    def _embedded(
        self, images: Sequence[np.ndarray], faces: Sequence[tuple[Face, ...]]
    ) -> list[tuple[Face, ...]]:
        crops = [self.embedder.align(image, some) for image, some in zip(images, faces, strict=True)]
        if not crops:
            return []
        embeddings = iter(self.embedder.embed(np.concatenate(crops)))
        return [
            tuple(f.model_copy(update={"embedding": tuple(next(embeddings).tolist())}) for f in some)
            for some in faces
        ]


def area(face: Face) -> float:
    """Area of a face's box in square pixels."""
    x0, y0, x1, y1 = face.box_xyxy_px
    return (x1 - x0) * (y1 - y0)


def largest(faces: Sequence[Face], picture: Picture) -> Face:
    """The face with the largest box.

    Raises:
        DataError: there is none, naming the picture.
    """
    if not faces:
        name = name_of(picture)
        raise DataError(
            f"no face found in {name}",
            expected="a face looking towards the camera, eyes and mouth visible",
            fix="take another picture, nearer and brighter",
            vietnamese=f"không thấy khuôn mặt trong {name}; hãy chụp lại gần hơn, sáng hơn, "
            "nhìn thẳng vào máy",
        )
    return max(faces, key=area)


def _compare(first: Face, second: Face, limit: Threshold) -> Comparison:
    similarity = float(np.dot(first.embedding or (), second.embedding or ()))
    return Comparison(
        similarity, limit.value, similarity >= limit.value, (first, second), limit.point, limit.populations
    )


def _measured(image: np.ndarray, face: Face) -> Face:
    """With its quality; without one where the landmarks span no face that could be measured."""
    try:
        return with_quality(image, face)
    except DataError:
        return face


def _or_raise(answer: tuple[Face, ...] | DataError) -> tuple[Face, ...]:
    if isinstance(answer, DataError):
        raise answer
    return answer
