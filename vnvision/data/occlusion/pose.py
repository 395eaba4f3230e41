"""Where a head is in a picture: weak-perspective pose from five landmarks.

Head axes, in millimetres: x to the right of the picture, y down, z out of the face towards the camera; the
origin lies midway between the eyes. The camera has the same axes in pixels. All angles are 0 for a face that
looks straight into the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError

# Order of ``vnvision.records.Face``. Eyes 63 mm apart; the rest is the least-squares shape of the landmarks
# that YuNet finds in 500 photographs of different people, all poses fitted at once (residual 1.1 mm).
LANDMARKS_MM = np.array(
    [[-31.5, 0.0, 0.0], [31.5, 0.0, 0.0], [0.0, 35.5, 31.0], [-27.5, 63.0, -3.5], [27.5, 63.0, -3.5]]
)
_LANDMARK_SD_MM = 1.2
_YAW_SD, _PITCH_SD = 0.6, 0.2  # radians: how far people in photographs look away
_STARTS = (-0.8, 0.0, 0.8)
_STEPS = 20
_REACH_MM = 28.0  # how far a landmark's residual bends the model around it
_MIN_SIZE_PX = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A head in a picture.

    Attributes:
        yaw_rad: above 0 where the nose points to the right of the picture.
        pitch_rad: above 0 where the nose points down.
        roll_rad: above 0 where the head is turned clockwise in the picture.
        scale: pixels a millimetre.
        shift_px: (2,) where the point between the eyes comes to lie.
        residual_px: (5, 2) found landmarks minus the model's.
    """

    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    scale: float
    shift_px: np.ndarray
    residual_px: np.ndarray

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3): head axes to camera axes."""
        return _rotation(self.yaw_rad, self.pitch_rad, self.roll_rad)

    @property
    def towards_camera(self) -> np.ndarray:
        """(3,) unit vector in head axes."""
        towards: np.ndarray = self.rotation[2]
        return towards

    def camera(self, points_mm: np.ndarray) -> np.ndarray:
        """Points (..., 3) in head axes -> (..., 3) x, y in pixels and depth, larger is nearer, in pixels.

        Near a landmark the points follow what was found of it, so that a drawn thing sits on this very face.
        """
        points = np.asarray(points_mm, np.float64)
        placed: np.ndarray = self.scale * points @ self.rotation.T
        pull = np.linalg.solve(_nearness(LANDMARKS_MM) + 0.05 * np.eye(5), self.residual_px)
        placed[..., :2] += self.shift_px + _nearness(points) @ pull
        return placed

    def project(self, points_mm: np.ndarray) -> np.ndarray:
        """Points (..., 3) in head axes -> (..., 2) x, y in pixels."""
        return self.camera(points_mm)[..., :2]


def _nearness(points_mm: np.ndarray) -> np.ndarray:
    """How near points (..., 3) are to each landmark: (..., 5), 1 at it."""
    away = ((points_mm[..., None, :] - LANDMARKS_MM) ** 2).sum(axis=-1)
    return np.asarray(np.exp(-away / (2 * _REACH_MM**2)))


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    sy, sp, sr = np.sin([yaw, pitch, roll])
    cy, cp, cr = np.cos([yaw, pitch, roll])
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def drawable(landmarks_px: np.ndarray | Sequence[Sequence[float]]) -> bool:
    """Whether a face is large enough to draw on."""
    return bool(np.ptp(np.asarray(landmarks_px, dtype=np.float64), axis=0).max() >= _MIN_SIZE_PX)


def landmarks_of(landmarks_px: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
    """Five landmarks as (5, 2) float64, checked.

    Raises:
        DataError: another shape, not finite, or all within a few pixels.
    """
    points = np.asarray(landmarks_px, dtype=np.float64)
    if points.shape != (5, 2):
        raise DataError("landmarks have the wrong shape", expected="(5, 2)", got=str(points.shape))
    if not np.isfinite(points).all():
        raise DataError("landmarks are not finite", expected="pixels", got=str(points.tolist()))
    size = float(np.ptp(points, axis=0).max())
    if size < _MIN_SIZE_PX:
        raise DataError(
            "a face is too small to draw on",
            expected=f"landmarks over {_MIN_SIZE_PX:.0f} pixels or more",
            got=f"{size:.3g}",
        )
    return points


def solve_pose(landmarks_px: np.ndarray | Sequence[Sequence[float]]) -> Pose:
    """The most probable pose of a head with these landmarks.

    Least squares between found and projected landmarks, whose errors and personal differences have a
    standard deviation of 1.2 mm, with a mild preference for looking ahead (standard deviations of 34 degrees
    of yaw and 11 of pitch): five points alone leave the pitch of a far-turned face nearly open. Levenberg and
    Marquardt's damped Gauss-Newton steps from three starts; the best end is taken.

    Args:
        landmarks_px: (5, 2) in the order of ``Face``.

    Raises:
        DataError: as ``landmarks_of``.
    """
    points = landmarks_of(landmarks_px)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    roll = float(np.arctan2(-down[0], down[1]))
    scale = max(np.hypot(*down) / 63.0, np.hypot(*(points[1] - points[0])) / 63.0, 1e-3)
    ends = [_descend(np.array([yaw, 0.0, roll, np.log(scale), *eyes]), points) for yaw in _STARTS]
    _, best = min(ends, key=lambda end: end[0])
    yaw, pitch, roll, log_scale = (float(v) for v in best[:4])
    bare = Pose(yaw, pitch, roll, float(np.exp(log_scale)), best[4:], np.zeros((5, 2)))
    return Pose(yaw, pitch, roll, bare.scale, bare.shift_px, points - bare.project(LANDMARKS_MM))


def _errors(state: np.ndarray, points: np.ndarray) -> np.ndarray:
    yaw, pitch, roll, log_scale = state[:4]
    scale = np.exp(log_scale)
    placed = scale * LANDMARKS_MM @ _rotation(yaw, pitch, roll)[:2].T + state[4:]
    misfit = (placed - points).ravel() / (scale * _LANDMARK_SD_MM)
    return np.concatenate([misfit, [yaw / _YAW_SD, pitch / _PITCH_SD]])


def _descend(state: np.ndarray, points: np.ndarray) -> tuple[float, np.ndarray]:
    size = np.exp(state[3])
    unit = np.array([1e-4, 1e-4, 1e-4, 1e-4, 1e-2 * size, 1e-2 * size])
    errors, damping = _errors(state, points), 1e-2
    for _ in range(_STEPS):
        slope = np.stack([(_errors(state + d, points) - errors) / d.sum() for d in np.diag(unit)], axis=1)
        normal = slope.T @ slope
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slope.T @ errors)
        tried = _errors(state + step, points)
        if tried @ tried < errors @ errors:
            state, errors, damping = state + step, tried, damping / 4
        else:
            damping *= 8
    return float(errors @ errors), state
