"""What is known of the quality of one face picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from vnvision.errors import DataError
from vnvision.faces.quality.measures import measure_values
from vnvision.faces.quality.score import combined_score
from vnvision.records import Face
from vnvision.spec import Record


class Quality(Record):
    """Quality of one face picture.

    Attributes:
        score: 0..100, higher is better; ranks pictures, is no probability.
        values: each measure by name; units and ranges in ``measures``.
    """

    score: float = Field(ge=0, le=100)
    values: dict[str, float]


def measure(image: np.ndarray, face: Face) -> Quality:
    """Quality of one face in an image.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8, grey or RGB: the picture as taken, not a crop of it.
        face: found in this image.

    Raises:
        DataError: the image is not such an array, or the landmarks do not span a face in it.
    """
    values = measure_values(image, face)
    return Quality(score=combined_score(values), values=values)


def assess(images: Sequence[np.ndarray], faces: Sequence[Sequence[Face]]) -> list[tuple[Quality, ...]]:
    """Quality of every face of many images, in the order of ``FaceEngine.detect``.

    Args:
        images: as in ``measure``.
        faces: those found in each image.

    Raises:
        DataError: the lengths differ, or as in ``measure``.
    """
    if len(images) != len(faces):
        raise DataError("faces do not fit the images", expected=f"{len(images)}", got=f"{len(faces)}")
    return [tuple(measure(image, face) for face in some) for image, some in zip(images, faces, strict=True)]


def quality_of(face: Face) -> Quality:
    """What ``with_quality`` put into a face.

    Raises:
        DataError: nothing is there.
    """
    if face.quality is None or "score" not in face.quality:
        raise DataError("a face has no quality", expected="one from with_quality", got="none")
    values = dict(face.quality)
    return Quality(score=values.pop("score"), values=values)


def with_quality(image: np.ndarray, face: Face) -> Face:
    """The face with its measures, and ``score``, in ``Face.quality``.

    Raises:
        DataError: as in ``measure``.
    """
    known = measure(image, face)
    return face.model_copy(update={"quality": {"score": known.score, **known.values}})
