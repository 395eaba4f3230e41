"""From a spec to its task."""

from __future__ import annotations

import numpy as np

from vnvision.errors import ConfigError
from vnvision.spec import TaskSpec
from vnvision.tasks.base import Task
from vnvision.tasks.classification import ClassificationTask, MultiLabelTask, Teaching
from vnvision.tasks.detection import DetectionTask
from vnvision.tasks.embedding import EmbeddingTask
from vnvision.tasks.segmentation import SegmentationTask


def build_task(
    spec: TaskSpec,
    *,
    label_smoothing: float = 0.0,
    class_weights: np.ndarray | None = None,
    teaching: Teaching | None = None,
    log_prior: np.ndarray | None = None,
) -> Task:
    """The task of a spec.

    Raises:
        ConfigError: class weights or teachers where they have no meaning.
    """
    if spec.kind == "classification":
        return ClassificationTask(
            spec,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            teaching=teaching,
            log_prior=log_prior,
        )
    if teaching is not None:
        raise ConfigError(f"{spec.kind} training takes no teachers of this kind", fix="leave out distill")
    if class_weights is not None:
        raise ConfigError(f"{spec.kind} training takes no class weights", fix="use balance=sampler or none")
    if spec.kind == "multilabel":
        return MultiLabelTask(spec, label_smoothing=label_smoothing)
    if spec.kind == "segmentation":
        return SegmentationTask(spec)
    if spec.kind == "detection":
        return DetectionTask(spec)
    return EmbeddingTask(spec)
