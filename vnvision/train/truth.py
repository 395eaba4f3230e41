"""Truth that is as large as the picture: masks and boxes, read and augmented with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vnvision.data.augment import Augmenter
from vnvision.data.augment_joint import augment_joint
from vnvision.data.boxes import row_boxes
from vnvision.data.centres import centre_maps
from vnvision.data.manifest import Manifest
from vnvision.data.masks import read_mask
from vnvision.errors import DataError
from vnvision.imaging import Preprocessor
from vnvision.imaging.geometry import Placement, placement
from vnvision.spec import PreprocessSpec, TaskSpec

PADDING = -1.0


class Truth(Protocol):
    """Row index and picture -> what a task learns from, or is judged by."""

    def augmented(
        self, index: int, image: np.ndarray, augmenter: Augmenter, before: Preprocessor, key: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The augmented picture (h, w, C), and the array the loss takes."""

    def placed(self, index: int, picture_px: tuple[int, int]) -> np.ndarray:
        """The truth in the pixels of the model's input, one shape for all rows."""


@dataclass(frozen=True, slots=True)
class MaskTruth:
    """Masks of a manifest's rows."""

    manifest: Manifest
    task: TaskSpec

    def augmented(
        self, index: int, image: np.ndarray, augmenter: Augmenter, before: Preprocessor, key: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Picture (h, w, C) and mask (h, w) uint8."""
        mask = self._mask(index, (image.shape[0], image.shape[1]))
        if augmenter.geometry == "letterbox":
            mask = _into(mask, before.spec)
            image = before.geometry(image)
        done = augment_joint(augmenter, image, key, mask=mask)
        assert done.mask is not None
        return done.image, done.mask

    def placed(self, index: int, picture_px: tuple[int, int]) -> np.ndarray:
        """(h, w) uint8."""
        return _into(self._mask(index, picture_px), self.task.preprocess)

    def _mask(self, index: int, size_px: tuple[int, int]) -> np.ndarray:
        row = self.manifest.rows[index]
        mask = read_mask(self.manifest, row, len(self.task.labels), size_px)
        if mask is None:
            raise DataError(f"{self.manifest.path}: row {row.line} has no mask")
        return mask


@dataclass(frozen=True, slots=True)
class BoxTruth:
    """Boxes of a manifest's rows; ``most`` is the largest number in one picture."""

    manifest: Manifest
    task: TaskSpec
    boxes: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    most: int

    @classmethod
    def of(cls, manifest: Manifest, task: TaskSpec) -> BoxTruth:
        """Read the ``boxes`` column.

        Raises:
            DataError: a wrong cell, or a label that is not the task's.
        """
        index = {label: i for i, label in enumerate(task.label_ids)}
        all_boxes, all_labels = [], []
        for row in manifest.rows:
            found = row_boxes(row, str(manifest.path))
            if found is None:
                raise DataError(f"{manifest.path}: row {row.line} has no boxes")
            if unknown := sorted(set(found.labels) - set(index)):
                raise DataError(
                    f"{manifest.path}: row {row.line} has an unknown label",
                    expected=", ".join(index),
                    got=", ".join(unknown),
                )
            all_boxes.append(found.boxes_xyxy_px)
            all_labels.append(np.array([index[label] for label in found.labels], dtype=np.int64))
        return cls(manifest, task, tuple(all_boxes), tuple(all_labels), max(map(len, all_labels), default=0))

    def augmented(
        self, index: int, image: np.ndarray, augmenter: Augmenter, before: Preprocessor, key: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Picture (h, w, C) and maps (C + 5, h / stride, w / stride), see ``centre_maps``."""
        boxes, labels = self.boxes[index], self.labels[index]
        if augmenter.geometry == "letterbox":
            boxes = _where((image.shape[0], image.shape[1]), before.spec).to_model(boxes)
            image = before.geometry(image)
        done = augment_joint(augmenter, image, key, boxes_xyxy_px=boxes)
        assert done.boxes_xyxy_px is not None
        stride = 1 if self.task.boxes is None else self.task.boxes.stride_px
        n_labels = len(self.task.labels)
        return done.image, centre_maps(
            done.boxes_xyxy_px, labels[done.kept], n_labels, augmenter.size_px, stride
        )

    def placed(self, index: int, picture_px: tuple[int, int]) -> np.ndarray:
        """(most, 5) float32: label and box, padded with -1."""
        out = np.full((self.most, 5), PADDING, np.float32)
        count = len(self.labels[index])
        out[:count, 0] = self.labels[index]
        out[:count, 1:] = _where(picture_px, self.task.preprocess).to_model(self.boxes[index])
        return out


def truth_of(manifest: Manifest, task: TaskSpec) -> Truth | None:
    """The large truth of a task; None for tasks whose truth is a row of numbers."""
    if task.kind == "segmentation":
        return MaskTruth(manifest, task)
    return BoxTruth.of(manifest, task) if task.kind == "detection" else None


def _where(picture_px: tuple[int, int], spec: PreprocessSpec) -> Placement:
    return placement(picture_px, spec.size_px, spec.geometry, spec.crop_pct)


def _into(mask: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """A mask (H, W) in the frame of the model's input (h, w); what the picture does not cover is 0."""
    where = _where((mask.shape[0], mask.shape[1]), spec)
    x = ((np.arange(spec.size_px[1]) + 0.5 - where.offset_px[0]) / where.scale[0]).astype(np.int64)
    y = ((np.arange(spec.size_px[0]) + 0.5 - where.offset_px[1]) / where.scale[1]).astype(np.int64)
    inside_x, inside_y = (x >= 0) & (x < mask.shape[1]), (y >= 0) & (y < mask.shape[0])
    placed = mask[np.ix_(np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1))]
    return np.where(np.outer(inside_y, inside_x), placed, np.uint8(0))
