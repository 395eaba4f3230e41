"""A classifier that also says what it saw: pooled features, and class activation maps where they exist."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SAME = 1e-4
"""Two ways to one result count as equal within this part of its spread."""


class ExplainedNet(nn.Module):
    """A timm classifier with two more outputs, computed on the way at no cost worth naming.

    ``forward`` gives ``output`` (N, C) logits; ``features`` (N, F), what the classifier takes in; and, where
    ``has_cam``, ``cam`` (N, C, h, w), the class activation maps ``sum_k w_ck f_k(y, x)`` of Zhou et al. 2016
    ("Learning Deep Features for Discriminative Localization", equation 2) as a 1 x 1 convolution with the
    classifier's weights. The bias is left out, as there: a map's mean plus the bias is the logit.

    Args:
        net: a timm network with a linear classifier, in evaluation mode.
        has_cam: its features are the plain mean over the last map, see ``ends_in_average``.
    """

    def __init__(self, net: nn.Module, *, has_cam: bool) -> None:
        super().__init__()
        self.net = net
        self.has_cam = has_cam

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of what ``forward`` gives, in order."""
        return ("output", "features", "cam") if self.has_cam else ("output", "features")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Normalised pictures (N, C, H, W) -> the outputs of ``output_names``."""
        last = self.net.forward_features(x)
        features = self.net.forward_head(last, pre_logits=True)
        classifier = self.net.get_classifier()
        output = classifier(features)
        if not self.has_cam:
            return output, features
        return output, features, functional.conv2d(last, classifier.weight[:, :, None, None])


def explained(net: nn.Module, example: torch.Tensor) -> ExplainedNet | None:
    """The network with its further outputs, or None where it is not a timm network with a linear classifier.

    Args:
        net: in evaluation mode; shared, not copied.
        example: normalised pictures (N, C, H, W) that differ, to see how the network ends.
    """
    wanted = ("forward_features", "forward_head", "get_classifier")
    if not all(callable(getattr(net, name, None)) for name in wanted):
        return None
    if not isinstance(net.get_classifier(), nn.Linear):
        return None
    with torch.inference_mode():
        plain = ExplainedNet(net, has_cam=False)
        same = _close(plain(example)[0], net(example))
        return ExplainedNet(net, has_cam=ends_in_average(net, example)) if same else None


@torch.inference_mode()
def ends_in_average(net: nn.Module, example: torch.Tensor) -> bool:
    """Whether the classifier's input is the mean over the last feature map (N, F, h, w), measured."""
    last = net.forward_features(example)
    features = net.forward_head(last, pre_logits=True)
    if last.ndim != 4 or last.shape[:2] != features.shape:
        return False
    return _close(last.mean((2, 3)), features)


@torch.inference_mode()
def pooled_features(net: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """What a timm network's classifier takes in, (N, F), for normalised pictures (N, C, H, W)."""
    pooled: torch.Tensor = net.forward_head(net.forward_features(batch), pre_logits=True)
    return pooled


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= SAME * other.abs().max() + 1e-12)
