"""The network a configuration and a task ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vnvision.models import build_backbone, build_detector, build_embedder, build_segmenter
from vnvision.spec import TaskSpec


def build_network(config: Mapping[str, Any], spec: TaskSpec, *, weights: str) -> torch.nn.Module:
    """Build it, with the starting weights given.

    Args:
        config: ``TrainConfig`` as plain data.
        spec: the task.
        weights: see ``build_backbone``.
    """
    backbone, norm, n_labels = config["backbone"], config["norm"], len(spec.labels)
    if spec.kind == "segmentation":
        return build_segmenter(backbone, n_labels, weights=weights, decoder=config["decoder"], norm=norm)
    if spec.kind == "detection":
        return build_detector(backbone, n_labels, weights=weights, norm=norm)
    if spec.kind == "embedding":
        size = spec.embedding_dim or 0
        return build_embedder(
            backbone,
            size,
            weights=weights,
            drop_rate=config["drop_rate"],
            checkpointing=config["checkpointing"],
        )
    return build_backbone(
        backbone,
        n_labels,
        weights=weights,
        drop_rate=config["drop_rate"],
        drop_path_rate=config["drop_path_rate"],
        norm=norm,
    )
