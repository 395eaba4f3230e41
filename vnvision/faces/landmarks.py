"""Landmarks measured a second time, on the face brought to one size and on its mirror image.

YuNet's landmarks scatter by about 2 % of a face's width from one size of the picture to the next: two pixels
of the aligned crop, to which embedders are sensitive. Of the sizes tried, a face 176 px wide gave the best
ones; 240 px gave the same, 96 and 128 px worse (``training/LOG.md``).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.faces.protocols import Detector, Embedder
from vnvision.records import Face

FACE_PX, PATCH_PX = 176, 320
"""Width of the face, and side of the square patch around it."""
_MIRRORED = [1, 0, 2, 4, 3]  # left eye, right eye, nose, left and right corner of the mouth
_ODD = 0.2  # of the face's width: two looks further apart than twice this saw different things
_GREY = (128, 128, 128)


class RefinedAlignment:
    """An embedder whose crops are cut out by landmarks that were measured again; about 6 ms more a face.

    Templates are of another kind than those of the embedder alone: ``fingerprint`` says so, thresholds are
    calibrated apart (``vnvision face calibrate``), and a gallery of the one cannot be searched with the
    other.

    Args:
        embedder: cuts out and embeds.
        detector: measures the landmarks; usually the one that found the faces. It is not closed here.

    Attributes:
        size: length of an embedding.
        fingerprint: the embedder's, marked.
    """

    def __init__(self, embedder: Embedder, detector: Detector) -> None:
        self.embedder, self.detector = embedder, detector
        self.size = embedder.size
        self.fingerprint = f"{embedder.fingerprint}+landmarks{FACE_PX}"

    def align(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """Cut faces out onto the template, in the order given; see ``Embedder.align``."""
        return self.embedder.align(image, refined(self.detector, image, faces))

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Aligned crops -> unit-norm embeddings; see ``Embedder.embed``."""
        return self.embedder.embed(crops)

    def close(self) -> None:
        """Free the embedder."""
        self.embedder.close()


def refined(detector: Detector, image: np.ndarray, faces: Sequence[Face]) -> tuple[Face, ...]:
    """Faces with the mean landmarks of two looks: enlarged or shrunk to one size, and its mirror image.

    A face stays as it is where a look does not find it, or the two looks are far apart.

    Args:
        detector: looks again.
        image: (H, W, 3) or (H, W, 1) uint8 RGB or grey.
        faces: found in the whole image; none gives none.
    """
    if not faces:
        return ()
    rgb = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    places = [_place(face) for face in faces]
    patches = [_patch(rgb, scale, corner) for scale, corner in places]
    looks = detector.detect([look for patch in patches for look in (patch, _mirror(patch))])
    return tuple(
        _with_mean(face, _central(plain), _central(mirrored), scale, corner)
        for face, (scale, corner), plain, mirrored in zip(faces, places, looks[::2], looks[1::2], strict=True)
    )


def _place(face: Face) -> tuple[float, np.ndarray]:
    """Scale, and (2,) shift in pixels, that bring a face into the middle of its patch."""
    x0, y0, x1, y1 = face.box_xyxy_px
    scale = FACE_PX / max(x1 - x0, y1 - y0)
    return scale, PATCH_PX / 2 - scale * np.array([x0 + x1, y0 + y1]) / 2


def _patch(rgb: np.ndarray, scale: float, corner: np.ndarray) -> np.ndarray:
    matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch: np.ndarray = cv2.warpAffine(rgb, matrix, (PATCH_PX, PATCH_PX), flags=how, borderValue=_GREY)
    return patch


def _mirror(patch: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(patch[:, ::-1])


def _central(faces: Sequence[Face]) -> np.ndarray | None:
    """(5, 2) landmarks of the face nearest to the middle of a patch; None where there is no face."""

    def distance(face: Face) -> float:
        x0, y0, x1, y1 = face.box_xyxy_px
        return abs((x0 + x1 - PATCH_PX) / 2) + abs((y0 + y1 - PATCH_PX) / 2)

    return np.array(min(faces, key=distance).landmarks_px) if faces else None


def _with_mean(
    face: Face, plain: np.ndarray | None, mirrored: np.ndarray | None, scale: float, corner: np.ndarray
) -> Face:
    if plain is None or mirrored is None:
        return face
    turned = mirrored[_MIRRORED]
    turned[:, 0] = PATCH_PX - 1 - turned[:, 0]
    if np.abs(plain - turned).max() >= 2 * _ODD * FACE_PX:
        return face
    points = ((plain + turned) / 2 - corner) / scale
    return face.model_copy(update={"landmarks_px": tuple((float(x), float(y)) for x, y in points)})
