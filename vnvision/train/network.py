"""The network a configuration and a task ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vnvision.models import build_backbone, build_detector, build_embedder, build_segmenter
from vnvision.models.dense import MOST_DEPTH
from vnvision.models.quantised import QuantOptions, quantise
from vnvision.spec import TaskSpec
from vnvision.train.embedding_config import QatConfig


def build_network(
    config: Mapping[str, Any], spec: TaskSpec, *, weights: str, rounds: bool = True
) -> torch.nn.Module:
    """Build it, with the starting weights given.

    Args:
        config: ``TrainConfig`` as plain data.
        spec: the task.
        weights: see ``build_backbone``.
        rounds: whether ``embedding.qat`` counts; without it the network is the float32 one.
    """
    backbone, norm, n_labels = config["backbone"], config["norm"], len(spec.labels)
    if spec.kind == "segmentation":
        return build_segmenter(
            backbone,
            n_labels,
            weights=weights,
            decoder=config["decoder"],
            norm=norm,
            encoder_depth=config.get("encoder_depth", MOST_DEPTH),
        )
    if spec.kind == "detection":
        return build_detector(backbone, n_labels, weights=weights, norm=norm)
    if spec.kind == "embedding":
        size = spec.embedding_dim or 0
        net = build_embedder(
            backbone,
            size,
            weights=weights,
            drop_rate=config["drop_rate"],
            checkpointing=config["checkpointing"],
        )
        qat = config["embedding"].get("qat")
        if qat is None or not rounds:
            return net
        example = torch.zeros(1, spec.preprocess.channels, *spec.preprocess.size_px)
        return quantise(net, example, QuantOptions(**QatConfig.model_validate(qat).options()))
    return build_backbone(
        backbone,
        n_labels,
        weights=weights,
        drop_rate=config["drop_rate"],
        drop_path_rate=config["drop_path_rate"],
        norm=norm,
        cut=config.get("cut"),
    )
