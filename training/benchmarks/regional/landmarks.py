"""Landmarks measured again on the face enlarged or shrunk to one size, and on its mirror image, and averaged.

YuNet's landmarks scatter by about 2 % of a face's width from one size to the next: two pixels of the aligned
crop, to which SFace is sensitive. On folds 1 to 4 a face 176 px wide gave better landmarks than 96 or 128 px,
or all three together; 240 px gave the same.
"""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.faces.detector import YuNet
from vnvision.records import Face

# Width of the face, and side of the square patch around it, in pixels.
LOOKS_PX = ((176, 320),)
_MIRRORED = (1, 0, 2, 4, 3)  # left eye, right eye, nose, left and right corner of the mouth
_ODD = 0.2  # of the face's width: a look this far from the median saw something else
_GREY = (128, 128, 128)


def refined(detector: YuNet, image: np.ndarray, face: Face) -> Face:
    """The face with the mean landmarks of the looks in which it was found; as it is with fewer than two.

    Args:
        detector: finds it again.
        image: (H, W, 3) or (H, W, 1) uint8.
        face: as found in the whole image.
    """
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    x0, y0, x1, y1 = face.box_xyxy_px
    width = max(x1 - x0, y1 - y0)
    found = []
    for size, side in LOOKS_PX:
        scale = size / width
        corner = np.array([side / 2 - scale * (x0 + x1) / 2, side / 2 - scale * (y0 + y1) / 2])
        matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        patch = cv2.warpAffine(image, matrix, (side, side), flags=how, borderValue=_GREY)
        for mirrored in (False, True):
            points = _central(detector, np.ascontiguousarray(patch[:, ::-1]) if mirrored else patch)
            if points is None:
                continue
            if mirrored:
                points = points[list(_MIRRORED)]
                points[:, 0] = side - 1 - points[:, 0]
            found.append((points - corner) / scale)
    if len(found) < 2:
        return face
    middle = np.median(found, axis=0)
    kept = [points for points in found if np.abs(points - middle).max() < _ODD * width]
    if not kept:
        return face
    points = np.mean(kept, axis=0)
    return face.model_copy(update={"landmarks_px": tuple((float(x), float(y)) for x, y in points)})


def _central(detector: YuNet, patch: np.ndarray) -> np.ndarray | None:
    """(5, 2) landmarks of the face nearest to the middle of a square patch."""
    faces = detector.detect([patch])[0]
    if not faces:
        return None
    middle = patch.shape[0] / 2

    def distance(face: Face) -> float:
        x0, y0, x1, y1 = face.box_xyxy_px
        return abs((x0 + x1) / 2 - middle) + abs((y0 + y1) / 2 - middle)

    return np.array(min(faces, key=distance).landmarks_px)
