"""Networks and where their starting weights come from. Loads torch; nothing at run time imports this."""

from vnvision.models.backbone import build_backbone, input_statistics
from vnvision.models.dense import DenseNet, build_detector, build_segmenter
from vnvision.models.embedder import (
    EMBEDDERS,
    EmbedderSize,
    build_embedder,
    describe_embedder,
    embedder_input,
)
from vnvision.models.staged import StagedNet

__all__ = [
    "EMBEDDERS",
    "DenseNet",
    "EmbedderSize",
    "StagedNet",
    "build_backbone",
    "build_detector",
    "build_embedder",
    "build_segmenter",
    "describe_embedder",
    "embedder_input",
    "input_statistics",
]
