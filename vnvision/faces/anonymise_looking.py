"""Detectors that would rather see a face too many: what hiding faces needs."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.engines import EngineName
from vnvision.faces.detector import YuNet
from vnvision.faces.protocols import Detector
from vnvision.records import Face

MIN_SCORE = 0.5  # a face missed is worse than a vase hidden
SMALL_PX, LARGE_PX = 640, 1600
_MOST = 2.0


def watchful_detectors(
    *, engine: EngineName | None = None, threads: int | None = None
) -> tuple[Detector, ...]:
    """YuNet with a low limit at two sizes: photos shrunk to 640 pixels, and brought near 1,600.

    The first sees faces that fill the photo; the second those from about a hundredth of its longer side, and
    those of a dozen pixels in small photos, which it looks at twice as large.
    """
    small, large = (
        YuNet(engine=engine, threads=threads, max_side_px=side, min_score=MIN_SCORE)
        for side in (SMALL_PX, LARGE_PX)
    )
    return small, Enlarging(large)


class Enlarging:
    """A detector that sees small pictures enlarged, up to twice and up to ``side_px``.

    Args:
        detector: looks at them.
        side_px: the longer side to bring them near; larger pictures stay.
    """

    def __init__(self, detector: Detector, side_px: int = LARGE_PX) -> None:
        self._detector, self.side_px = detector, side_px

    def detect(self, images: Sequence[np.ndarray]) -> list[tuple[Face, ...]]:
        """Faces of each picture in its own pixels; see ``Detector.detect``."""
        scales = [max(1.0, min(_MOST, self.side_px / max(image.shape[:2]))) for image in images]
        found = self._detector.detect([_larger(one, by) for one, by in zip(images, scales, strict=True)])
        pairs = zip(found, scales, strict=True)
        return [tuple(_brought_back(face, by) for face in faces) for faces, by in pairs]

    def close(self) -> None:
        """Free the model."""
        self._detector.close()


def _larger(image: np.ndarray, by: float) -> np.ndarray:
    if by == 1.0:
        return image
    large: np.ndarray = cv2.resize(image, None, fx=by, fy=by, interpolation=cv2.INTER_CUBIC)
    return large


def _brought_back(face: Face, by: float) -> Face:
    x0, y0, x1, y1 = (value / by for value in face.box_xyxy_px)
    marks = tuple((x / by, y / by) for x, y in face.landmarks_px)
    return face.model_copy(update={"box_xyxy_px": (x0, y0, x1, y1), "landmarks_px": marks})
