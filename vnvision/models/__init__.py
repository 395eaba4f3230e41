"""Networks and where their starting weights come from. Loads torch; nothing at run time imports this."""

from vnvision.models.adapter import AdaptedNet, EmbeddingAdapter
from vnvision.models.backbone import build_backbone, input_statistics
from vnvision.models.dense import DenseNet, build_detector, build_segmenter
from vnvision.models.embedder import (
    EMBEDDERS,
    EmbedderSize,
    build_embedder,
    describe_embedder,
    embedder_input,
)
from vnvision.models.lora import add_lora, merge_lora
from vnvision.models.sface import SFaceNet, build_sface
from vnvision.models.staged import StagedNet

__all__ = [
    "EMBEDDERS",
    "AdaptedNet",
    "DenseNet",
    "EmbedderSize",
    "EmbeddingAdapter",
    "SFaceNet",
    "StagedNet",
    "add_lora",
    "build_backbone",
    "build_detector",
    "build_embedder",
    "build_segmenter",
    "build_sface",
    "describe_embedder",
    "embedder_input",
    "input_statistics",
    "merge_lora",
]
