"""A task: how a model's output becomes a loss, and which numbers say how good it is."""

from vnvision.tasks.base import Batch, Task
from vnvision.tasks.build import build_task
from vnvision.tasks.classification import ClassificationTask, MultiLabelTask
from vnvision.tasks.detection import DetectionTask
from vnvision.tasks.embedding import EmbeddingTask
from vnvision.tasks.segmentation import SegmentationTask

__all__ = [
    "Batch",
    "ClassificationTask",
    "DetectionTask",
    "EmbeddingTask",
    "MultiLabelTask",
    "SegmentationTask",
    "Task",
    "build_task",
]
