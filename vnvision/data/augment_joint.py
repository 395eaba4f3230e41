"""Augmentation of a picture together with its mask or boxes: one draw, one geometry."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.augment import Augmenter, Sampling

KEEP_SHARE = 0.3  # a box of which less is left in the picture is dropped


@dataclass(frozen=True, slots=True, eq=False)
class Augmented:
    """A picture and its truth after the same cut, turn and flip.

    Attributes:
        image: (h, w, C) uint8.
        mask: (h, w) uint8 or None.
        boxes_xyxy_px: (N, 4) float32 or None, clipped to the picture.
        kept: (N,) which boxes are left, None without boxes.
    """

    image: np.ndarray
    mask: np.ndarray | None = None
    boxes_xyxy_px: np.ndarray | None = None
    kept: np.ndarray | None = None


def augment_joint(
    augmenter: Augmenter,
    image: np.ndarray,
    key: tuple[int, ...],
    *,
    mask: np.ndarray | None = None,
    boxes_xyxy_px: np.ndarray | None = None,
) -> Augmented:
    """Augment a picture as ``augmenter`` alone would, bit for bit, and its truth with it.

    Args:
        augmenter: the training augmentation.
        image: (H, W, C) uint8.
        key: see ``Augmenter``.
        mask: (H, W) uint8 label indices; sampled without mixing labels. What a turn brings in from outside
            the picture is mirrored in both.
        boxes_xyxy_px: (N, 4). A turned box becomes the upright box around it.
    """
    picture, sampling = augmenter.sample(image, key)
    new_mask = None
    if mask is not None:
        new_mask = np.ascontiguousarray(sampling.apply(mask, cv2.INTER_NEAREST_EXACT))
    if boxes_xyxy_px is None:
        return Augmented(picture, new_mask)
    boxes, kept = _moved(boxes_xyxy_px, sampling, augmenter.size_px)
    return Augmented(picture, new_mask, boxes, kept)


def _moved(boxes: np.ndarray, sampling: Sampling, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    x, y = boxes[:, [0, 2, 2, 0]], boxes[:, [1, 1, 3, 3]]
    corners = np.stack([x, y, np.ones_like(x)], axis=-1) @ sampling.to_result().T  # (N, 4, 2)
    moved = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    limit = np.array([size_px[1], size_px[0]] * 2)
    clipped = np.clip(moved, 0, limit)
    left = np.clip(clipped[:, 2:] - clipped[:, :2], 0, None).prod(axis=1)
    whole = np.maximum((moved[:, 2:] - moved[:, :2]).prod(axis=1), 1e-9)
    kept = left >= KEEP_SHARE * whole
    return clipped[kept].astype(np.float32), kept
