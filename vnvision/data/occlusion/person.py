"""Where the person is in the picture: a drawn guess, corrected by colour and by the picture's edges."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.occlusion.head import blurred, face_mask, head_height
from vnvision.data.occlusion.pose import Pose

_HAIR_MM = 24.0
_UNSURE_MM = 22.0
_BINS = 12
_ROUNDS = 3
_SIDE_PX = 256  # it is worked out on a picture of this size


def person_mask(image: np.ndarray, pose: Pose) -> np.ndarray:
    """Head, hair, neck and shoulders: (H, W) float32, 0 to 1.

    The guess is the head's outline with hair, and shoulders below. Colours that are common inside the guess
    and rare outside count as the person (Bayes' rule over colour histograms, repeated), then the result is
    fitted to the picture's edges with a guided filter (He, Sun and Tang 2013, "Guided image filtering", IEEE
    TPAMI 35(6), 1397-1409).
    """
    shape = (image.shape[0], image.shape[1])
    guess = _guess(pose, shape)
    shrink = min(1.0, _SIDE_PX / max(shape))
    size = max(1, round(shape[1] * shrink)), max(1, round(shape[0] * shrink))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    prior = np.clip(cv2.resize(guess, size, interpolation=cv2.INTER_AREA), 0.02, 0.98)
    sure = cv2.resize(face_mask(pose, shape, soft_mm=2.0), size, interpolation=cv2.INTER_AREA)
    cells = (small.astype(np.int64) * _BINS // 256) @ np.array([_BINS * _BINS, _BINS, 1])
    person = prior
    for _ in range(_ROUNDS):
        inside, outside = (_commonness(cells, weight) for weight in (person, 1 - person))
        person = prior * inside / (prior * inside + (1 - prior) * outside)
        person = np.maximum(blurred(person.astype(np.float32), 3 * pose.scale * shrink), sure)
    grey = small.astype(np.float32).mean(axis=2) / 255
    fitted = _guided(grey, person.astype(np.float32), max(2, round(9 * pose.scale * shrink)))
    large = cv2.resize(fitted, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip((large - 0.25) / 0.5, 0, 1), np.float32)


def _guess(pose: Pose, shape: tuple[int, int]) -> np.ndarray:
    """Head with hair, neck and shoulders, unsure towards its edges: (H, W) float32."""
    head = blurred(face_mask(pose, shape, soft_mm=2), _HAIR_MM * pose.scale)
    head = np.clip((head - 0.02) / 0.5, 0, 1)
    height = head_height(pose, shape)
    middle = pose.project(np.array([0.0, 60.0, -60.0]))
    across = np.abs(np.arange(shape[1]) - middle[0])[None] / pose.scale
    shoulders = 58 + 170 * np.clip((height - 128) / 90, 0, 1) ** 0.6
    body = np.clip((shoulders - across) / (4 * _UNSURE_MM) + 0.5, 0, 1) * np.clip((height - 70) / 25, 0, 1)
    return np.asarray(np.maximum(head, body), np.float32)


def _commonness(cells: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """How common each pixel's colour is where ``weight`` is high, neighbouring colours shared."""
    counts = np.bincount(cells.ravel(), weight.ravel(), _BINS**3).reshape(_BINS, _BINS, _BINS)
    padded = np.pad(counts, 1)
    for axis in range(3):
        ahead, behind = (np.roll(padded, step, axis) for step in (1, -1))
        padded = 0.5 * padded + 0.25 * (ahead + behind)
    smooth = padded[1:-1, 1:-1, 1:-1] + 0.05
    return np.asarray((smooth / smooth.sum()).ravel()[cells])


def _guided(guide: np.ndarray, layer: np.ndarray, radius: int, eps: float = 2e-3) -> np.ndarray:
    """The layer as a local linear function of the guide."""

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.blur(values, (2 * radius + 1, 2 * radius + 1)))

    centre, level = mean(guide), mean(layer)
    slope = (mean(guide * layer) - centre * level) / (mean(guide * guide) - centre**2 + eps)
    return np.asarray(mean(slope) * guide + mean(level - slope * centre))
