"""Head pose from five landmarks: a generic head under weak perspective, fitted by least squares."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

# Round figures for adults in mm, from the middle of the pupils: x to the right of the picture, y down, z to
# the camera. The nose is as high as makes the median face of LFW look straight ahead.
_EYES, _NOSE, _MOUTH = (31.5, 0.0, 0.0), (0.0, 40.0, 30.0), (26.0, 72.0, 5.0)
_STEPS = 8
_CLOSE = 1e-5


def _head() -> np.ndarray:
    """(5, 3) mm about their mean, in the order of the landmarks; left and right alike."""
    mirror = np.array([-1, 1, 1])
    points = np.array([_EYES * mirror, _EYES, _NOSE, _MOUTH * mirror, _MOUTH], np.float64)
    centred: np.ndarray = points - points.mean(axis=0)
    return centred


HEAD_MM = _head()
_INVERSE = np.linalg.pinv(HEAD_MM)


class Pose(NamedTuple):
    """Angles in degrees, 0 for a face that looks straight into the camera.

    Attributes:
        yaw_deg: positive where the nose points to the right of the picture.
        pitch_deg: positive where the face looks up.
        roll_deg: positive where the head is turned clockwise in the picture.
        misfit: root mean square distance of the landmarks from the fitted head, over the fitted distance of
            the eyes; large where the landmarks do not form a face.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    misfit: float


def head_pose(landmarks_px: np.ndarray) -> Pose:
    """Yaw, pitch and roll of a head whose five landmarks are given.

    Minimises the squared distances between the landmarks and scale * (rotated head) + shift, the depth
    dropped: weak perspective. The start is the affine solution brought to the nearest rotation (as the first
    step of DeMenthon and Davis 1995, "Model-based object pose in 25 lines of code", IJCV 15, 123-141),
    refined by Gauss-Newton. Exact for a head of these proportions seen from afar. Only the nose stands out of
    the face's plane, so yaw and pitch hang on its depth: where a nose is a fifth deeper or flatter than the
    model's, both angles come out by about a fifth too large or too small. Beyond some 60 degrees detectors
    place the far eye by guess.

    Args:
        landmarks_px: (5, 2) as for ``imaging.align``.
    """
    points = np.asarray(landmarks_px, np.float64)
    seen = (points - points.mean(axis=0)).T
    u, d, vt = np.linalg.svd(seen @ _INVERSE.T, full_matrices=False)
    two = u @ vt
    scale = d.mean()
    turn = np.vstack([two, np.cross(two[0], two[1])])
    for _ in range(_STEPS):
        placed = turn @ HEAD_MM.T
        step, scale = _step(placed, seen, scale)
        turn = cv2.Rodrigues(step)[0] @ turn
        if abs(step).max() < _CLOSE:
            break
    placed = scale * (turn @ HEAD_MM.T)[:2]
    eyes = scale * (HEAD_MM[1, 0] - HEAD_MM[0, 0])
    misfit = float(np.sqrt(((placed - seen) ** 2).sum(axis=0).mean()) / max(eyes, 1e-9))
    yaw = np.arcsin(np.clip(-turn[2, 0], -1, 1))
    pitch, roll = np.arctan2(turn[2, 1], turn[2, 2]), np.arctan2(turn[1, 0], turn[0, 0])
    angles = np.rad2deg([yaw, pitch, roll])
    return Pose(float(angles[0]), float(angles[1]), float(angles[2]), misfit)


def _step(placed: np.ndarray, seen: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """One Gauss-Newton step: small rotation (3,) in radians and the next scale.

    A small rotation w moves a point p by w x p.
    """
    x, y, z = placed
    jacobian = np.zeros((10, 4))
    jacobian[:5, 1], jacobian[:5, 2], jacobian[:5, 3] = scale * z, -scale * y, x
    jacobian[5:, 0], jacobian[5:, 2], jacobian[5:, 3] = -scale * z, scale * x, y
    missing = (seen - scale * placed[:2]).ravel()
    normal = jacobian.T @ jacobian
    normal.flat[::5] += 1e-9 * normal.flat[::5].sum()
    change = np.linalg.solve(normal, jacobian.T @ missing)
    return np.clip(change[:3], -0.5, 0.5), max(scale + float(change[3]), scale / 2)
