"""A task: how a model's output becomes a loss, and which numbers say how good it is."""

from vnvision.tasks.base import Batch, Task
from vnvision.tasks.classification import ClassificationTask, MultiLabelTask, build_task

__all__ = ["Batch", "ClassificationTask", "MultiLabelTask", "Task", "build_task"]
