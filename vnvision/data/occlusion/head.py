"""A generic head around the five landmarks: what it hides, and where its skin, ears and chin are."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.occlusion.pose import Pose

# Centre and half axes: an adult head of about 150 x 225 x 190 mm.
_SKULL = (np.array([0.0, -15.0, -85.0]), np.array([75.0, 105.0, 92.0]))
_CHEEKS = (np.array([0.0, 38.0, -50.0]), np.array([62.0, 72.0, 58.0]))
_JAW = (np.array([0.0, 62.0, -42.0]), np.array([54.0, 58.0, 50.0]))
_PARTS = (_SKULL, _CHEEKS, _JAW)
EAR_TOP_MM = np.array([78.0, -2.0, -92.0])  # the ear on the right of the picture; mirror x for the other
EAR_LOW_MM = np.array([75.0, 42.0, -86.0])
_MARGIN_MM = 4.0
_WIDE_PX = 12.0
# Places of plain skin, and about where the skin looks to.
_SKIN_MM = np.array(
    [
        [0, -38, 7], [-24, -36, 3], [24, -36, 3], [0, 14, 18],
        [-38, 32, -6], [38, 32, -6], [-50, 20, -20], [50, 20, -20], [-42, 55, -14], [42, 55, -14],
        [-30, 24, 4], [30, 24, 4], [0, 92, 2], [-20, 90, -6], [20, 90, -6],
    ],
    dtype=np.float64,
)  # fmt: skip


def head_surfaces(hair_mm: float = 0.0) -> list[np.ndarray]:
    """Skull, cheeks and jaw as grids of points (R, C, 3), laid out as in ``Patch``.

    They lie a little inside the skin, so that what touches the skin is not hidden by it.

    Args:
        hair_mm: the skull is larger by this.
    """
    lift, turn = np.meshgrid(np.linspace(-1.57, 1.57, 40), np.linspace(-np.pi, np.pi, 72), indexing="ij")
    unit = np.stack([np.cos(lift) * np.sin(turn), np.sin(lift), np.cos(lift) * np.cos(turn)], axis=-1)
    hair = (hair_mm, 0.0, 0.0)
    return [
        unit * (axes - _MARGIN_MM + more) + centre for (centre, axes), more in zip(_PARTS, hair, strict=True)
    ]


def skin_points(pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Skin that faces the camera: places (K, 2) in pixels, and unit normals (K, 3) in camera axes."""
    normals = (_SKIN_MM - [0.0, 25.0, -70.0]) / [1.0, 1.5, 1.0]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turned = normals @ pose.rotation.T
    seen = turned[:, 2] > 0.3
    return pose.project(_SKIN_MM[seen]), turned[seen]


def face_mask(pose: Pose, shape: tuple[int, int], *, soft_mm: float = 8.0) -> np.ndarray:
    """How far each pixel belongs to the head's outline, hair left out: (H, W) float32 in 0..1, soft edges."""
    lift, turn = np.meshgrid(np.linspace(-1.2, 1.5, 24), np.linspace(-np.pi, np.pi, 48), indexing="ij")
    unit = np.stack([np.cos(lift) * np.sin(turn), np.sin(lift), np.cos(lift) * np.cos(turn)], axis=-1)
    mask = np.zeros(shape, np.uint8)
    for centre, axes in _PARTS:
        points = pose.project(unit * axes + centre).reshape(-1, 2)
        hull = cv2.convexHull(points.astype(np.float32))
        cv2.fillConvexPoly(mask, np.rint(hull * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return blurred(mask.astype(np.float32) / 255, soft_mm * pose.scale)


def head_height(pose: Pose, shape: tuple[int, int]) -> np.ndarray:
    """Millimetres below the eyes of each pixel, along the face: (H, W) float32."""
    eyes, chin = pose.project(np.array([[0.0, 0.0, 8.0], [0.0, 100.0, 8.0]]))
    down = (chin - eyes) / max(float(((chin - eyes) ** 2).sum()), 1e-6)
    x, y = np.arange(shape[1]) - eyes[0], np.arange(shape[0]) - eyes[1]
    height: np.ndarray = (100.0 * (x[None] * down[0] + y[:, None] * down[1])).astype(np.float32)
    return height


def blurred(layer: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur; below a fifth of a pixel the input itself, a wide one on a smaller copy."""
    if sigma_px < 0.2:
        return layer
    height, width = layer.shape[:2]
    shrink = min(1.0, _WIDE_PX / sigma_px)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = layer if shrink == 1 else cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma_px * shrink, borderType=cv2.BORDER_REPLICATE)
    result = soft if shrink == 1 else cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(result)
