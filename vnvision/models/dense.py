"""Networks that answer for every pixel or cell: a timm encoder, a pyramid decoder, a small head.

Decoders are segmentation-models-pytorch's: ``unet`` (Ronneberger et al. 2015) answers at the input's size,
``fpn`` (Kirillov et al. 2019, "Panoptic Feature Pyramid Networks") at a quarter of it and is cheaper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from vnvision.errors import ConfigError, ModelError
from vnvision.models.backbone import build_backbone

Decoder = Literal["unet", "fpn"]
FPN_STRIDE_PX = 4
LEAST_DEPTH, MOST_DEPTH = 3, 5
_UNET_CHANNELS = (128, 64, 48, 32, 16)
_PYRAMID_CHANNELS, _HEAD_CHANNELS = 128, 64
_RARE = -4.6  # the logit of 0.01: most cells hold nothing (Lin et al. 2017, "Focal Loss", section 4.1)


class DenseNet(nn.Module):
    """Encoder, decoder and head, kept apart so that the encoder can be frozen.

    Args:
        encoder: images (N, C, H, W) -> feature maps, finest first.
        decoder: feature maps -> (N, D, h, w).
        head: (N, D, h, w) -> planes (N, P, h, w).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head = encoder, decoder, head

    def decode(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Feature maps -> planes (N, P, h, w)."""
        return self.head(self.decoder(list(maps)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) -> planes (N, P, h, w)."""
        return self.decode(self.encoder(x))


class CentreHead(nn.Module):
    """Logits of object centres, and four distances that cannot be negative (Tian et al. 2019, "FCOS")."""

    def __init__(self, channels: int, n_labels: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
        self.centres = nn.Conv2d(channels, n_labels, 1)
        self.sides = nn.Conv2d(channels, 4, 1)
        nn.init.constant_(self.centres.bias, _RARE)  # type: ignore[arg-type]
        nn.init.constant_(self.sides.bias, 1.0)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, D, h, w) -> (N, n_labels + 4, h, w): logits, then distances in cells."""
        x = self.trunk(x)
        sides = self.sides(x).clamp(-4.0, 6.0).exp()
        return torch.cat([self.centres(x), sides], dim=1)


def build_segmenter(
    backbone: str,
    n_labels: int,
    *,
    weights: str,
    decoder: Decoder = "unet",
    norm: str = "batch",
    encoder_depth: int = MOST_DEPTH,
) -> DenseNet:
    """A segmentation network: planes (N, n_labels, h, w) of logits.

    Args:
        backbone: a timm model that gives feature maps.
        n_labels: background included.
        weights: as for ``build_backbone``; for the encoder alone.
        decoder: ``unet`` or ``fpn``.
        norm: only ``batch``.
        encoder_depth: feature maps that a ``unet`` reads, 3 to 5, the last at a stride of two to that power.
            What only makes coarser ones is left out: of EfficientNet-Lite0's 3 million weights two at 4.

    Raises:
        ConfigError: the backbone gives no feature maps at strides 2 to 32, or an option does not apply.
        ModelError: the weights do not fit.
    """
    import segmentation_models_pytorch as smp

    _only_batch_norm(norm)
    if not LEAST_DEPTH <= encoder_depth <= MOST_DEPTH:
        raise ConfigError(f"encoder_depth is from {LEAST_DEPTH} to {MOST_DEPTH}", got=str(encoder_depth))
    if decoder != "unet" and encoder_depth != MOST_DEPTH:
        raise ConfigError(f"the decoder {decoder} reads all {MOST_DEPTH} feature maps", fix="decoder: unet")
    name = _timm_name(backbone)
    if decoder == "unet":
        whole = smp.Unet(
            name,
            encoder_weights=None,
            encoder_depth=encoder_depth,
            decoder_channels=_UNET_CHANNELS[-encoder_depth:],
            classes=n_labels,
        )
    else:
        whole = smp.FPN(
            name,
            encoder_weights=None,
            decoder_pyramid_channels=_PYRAMID_CHANNELS,
            decoder_segmentation_channels=_HEAD_CHANNELS,
            classes=n_labels,
            upsampling=1,
        )
    _drop_unread(whole.encoder)
    _load_encoder(whole.encoder, backbone, weights)
    return DenseNet(whole.encoder, whole.decoder, whole.segmentation_head)


def build_detector(backbone: str, n_labels: int, *, weights: str, norm: str = "batch") -> DenseNet:
    """A detection network: planes (N, n_labels + 4, h / 4, w / 4), see ``BoxSpec``.

    Args and errors as for ``build_segmenter``.
    """
    net = build_segmenter(backbone, 1, weights=weights, decoder="fpn", norm=norm)
    return DenseNet(net.encoder, net.decoder, CentreHead(_HEAD_CHANNELS, n_labels))


def _timm_name(backbone: str) -> str:
    import timm

    if not timm.is_model(backbone):
        near = timm.list_models(f"*{backbone.split('_')[0]}*")[:5]
        raise ConfigError(
            f"unknown backbone {backbone!r}", expected="a timm model", fix=f"for example {near}"
        )
    reductions = [2, 4, 8, 16, 32]
    features = timm.create_model(backbone, features_only=True, pretrained=False).feature_info.reduction()
    if list(features) != reductions:
        raise ConfigError(
            f"{backbone} cannot be an encoder",
            expected=f"feature maps at strides {reductions}",
            got=str(features),
            fix="use a network of the EfficientNet, MobileNet or ResNet family",
        )
    return f"tu-{backbone}"


def _drop_unread(encoder: nn.Module) -> None:
    """timm prunes most networks behind the last map that is read, but keeps all blocks of an EfficientNet."""
    last = encoder.model.feature_info.module_name()[-1]  # type: ignore[union-attr,operator]
    stage = re.fullmatch(r"blocks\.(\d+)", last)
    if stage is not None:
        encoder.model.blocks = encoder.model.blocks[: int(stage[1]) + 1]  # type: ignore[union-attr,operator,index]


def _load_encoder(encoder: nn.Module, backbone: str, weights: str) -> None:
    """The encoder's part of a classifier's weights: names are the same, the classifier's end is left out."""
    if weights == "none":
        return
    whole = build_backbone(backbone, 1000, weights=weights).state_dict()
    own = encoder.model.state_dict()  # type: ignore[union-attr,operator]
    missing = sorted(set(own) - set(whole))
    if missing:
        raise ModelError(
            f"weights of {backbone} do not fit its encoder", got=f"{len(missing)} missing, e.g. {missing[0]}"
        )
    encoder.model.load_state_dict({key: whole[key] for key in own})  # type: ignore[union-attr,operator]


def _only_batch_norm(norm: str) -> None:
    if norm != "batch":
        raise ConfigError(
            "segmentation and detection train with BatchNorm only", expected="norm: batch", got=norm
        )
