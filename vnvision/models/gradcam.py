"""Grad-CAM of torch networks, through the package pytorch_grad_cam."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from vnvision.errors import DataError, MissingExtraError, ModelError


def grad_cam(
    net: nn.Module, batch: torch.Tensor, labels: Sequence[int], layer: nn.Module | None = None
) -> np.ndarray:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) of one label a picture.

    For a network that ends in a mean and a linear layer it is the class activation map up to a positive
    factor (their section 3.1), which bundles carry without torch.

    Args:
        net: a classifier; it is copied, and left as it is.
        batch: (N, C, H, W) normalised pictures.
        labels: N indices.
        layer: a module of ``net`` whose output (N, F, h, w) is explained; the last map of a timm network
            unless given.

    Returns:
        (N, H, W) float32, each from 0 to 1.

    Raises:
        DataError: not one label a picture.
        ModelError: ``layer`` was not given and the network has no last map.
        MissingExtraError: pytorch_grad_cam is not installed.
    """
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as exc:
        raise MissingExtraError("grad-cam", "train") from exc
    if len(labels) != len(batch):
        raise DataError("not one label a picture", expected=f"{len(batch)} labels", got=str(len(labels)))
    name = last_map(net, batch[:1]) if layer is None else _name_of(net, layer)
    own = copy.deepcopy(net).eval().requires_grad_(True)  # frozen weights would give no gradients
    targets = [ClassifierOutputTarget(int(label)) for label in labels]
    with GradCAM(own, [own.get_submodule(name)]) as cam:
        maps: np.ndarray = cam(batch, targets)
    return maps.astype(np.float32)


def last_map(net: nn.Module, example: torch.Tensor) -> str:
    """Name of the module whose output is the last feature map (N, F, h, w) of a timm network.

    Raises:
        ModelError: there is none.
    """
    found: list[tuple[str, torch.Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: found.append((name, out)))
        for name, module in net.named_modules()
        if name
    ]
    try:
        training = net.training
        net.eval()
        with torch.no_grad():
            last = net.forward_features(example) if hasattr(net, "forward_features") else None
        net.train(training)
    finally:
        for hook in hooks:
            hook.remove()
    names = [name for name, out in found if out is last]
    if last is None or last.ndim != 4 or not names:
        raise ModelError(
            "the network has no last feature map",
            expected="a timm network of convolutions",
            fix="give layer=",
        )
    return min(names, key=lambda name: name.count("."))


def _name_of(net: nn.Module, layer: nn.Module) -> str:
    for name, module in net.named_modules():
        if module is layer:
            return name
    raise ModelError("layer is no module of the network", got=type(layer).__name__)
