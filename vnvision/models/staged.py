"""A network as a row of stages, so that it can be frozen, cached and unfrozen at any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from vnvision.errors import ConfigError
from vnvision.models.dense import DenseNet


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the forward pass: its name, the modules that own its weights, and how to run it."""

    name: str
    modules: tuple[nn.Module, ...]
    run: Callable[[Any], Any]


class StagedNet(nn.Module):
    """A network cut into stages; the first ``n_frozen`` of them do not learn.

    Frozen stages run without gradient and in evaluation mode (their BatchNorm statistics stand still),
    through ``frozen``; the rest is ``forward``. So ``net(net.frozen(x))`` are the logits, what ``frozen``
    gives can be cached, and what is wrapped for several processes or compiled is only what learns.

    Stages are ``stem, blocks.0 ..., conv_head, head`` in the EfficientNet and MobileNet families,
    ``stem, layer1 ... layer4, head`` in ResNets, ``features, head`` in every other timm network, and
    ``encoder, head`` in a ``DenseNet``, whose encoder gives a list of maps. A network with a method
    ``as_stages``, which gives ``Stage`` records, cuts itself.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.n_frozen = 0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order; the last one is ``head``, unless the network says otherwise."""
        return _stages(self.net)

    def freeze_before(self, name: str) -> None:
        """Let only ``name`` and what comes after it learn; ``all`` thaws everything.

        Raises:
            ConfigError: no such stage; the stages are listed.
        """
        names = [stage.name for stage in self.stages]
        if name != "all" and name not in names:
            raise ConfigError(f"no stage {name!r}", expected=f"all or one of {', '.join(names)}")
        self.n_frozen = 0 if name == "all" else names.index(name)
        # Whole network first: tokens and position tables belong to no stage's modules.
        self.net.requires_grad_(self.n_frozen == 0)
        for stage in self.stages[self.n_frozen :]:
            for module in stage.modules:
                module.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> StagedNet:
        """Training mode for what learns; frozen stages stay in evaluation mode."""
        super().train(mode)
        for stage in self.stages[: self.n_frozen]:
            for module in stage.modules:
                module.eval()
        if self._pooling_is_frozen:
            self.net.training = False  # timm drops out while pooling; features must be taken without it
        return self

    @property
    def _pooling_is_frozen(self) -> bool:
        """Whether timm's own dropout, which it applies while pooling, lies in a frozen stage."""
        by_timm = not isinstance(self.net, DenseNet) and not hasattr(self.net, "as_stages")
        return by_timm and self.n_frozen == len(self.stages) - 1

    @torch.no_grad()
    def frozen(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) -> what the first trainable stage takes in."""
        for stage in self.stages[: self.n_frozen]:
            x = stage.run(x)
        return x

    @torch.no_grad()
    def adapt_norms(self, batches: Iterable[torch.Tensor]) -> int:
        """Measure the frozen stages' BatchNorm statistics anew, over images of the set at hand.

        Weights stay. A cell under a microscope has other channel means than the photographs a backbone
        was trained on, and frozen stages would normalise by the latter for ever (Li et al., "Revisiting
        Batch Normalization For Practical Domain Adaptation", 2016, section 3).

        Args:
            batches: images (N, C, H, W) each, counted alike.

        Returns:
            How many BatchNorm layers were measured; 0 leaves the network untouched.
        """
        tops = [top for stage in self.stages[: self.n_frozen] for top in stage.modules]
        norms = [
            module
            for top in tops
            for module in top.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
        ]
        kept = [norm.momentum for norm in norms]
        if not norms:
            return 0
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch: the plain mean over batches
            norm.train()
        try:
            for images in batches:
                self.frozen(images)
        finally:
            for norm, momentum in zip(norms, kept, strict=True):
                norm.momentum = momentum
                norm.eval()
        return len(norms)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What ``frozen`` gave -> logits (N, D)."""
        if self._pooling_is_frozen:
            x = functional.dropout(x, p=getattr(self.net, "drop_rate", 0.0), training=self.training)
        for stage in self.stages[self.n_frozen :]:
            x = stage.run(x)
        return x


def chain(*parts: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """One function that runs the parts in order."""

    def run(x: torch.Tensor) -> torch.Tensor:
        for part in parts:
            x = part(x)
        return x

    return run


def _stages(net: nn.Module) -> tuple[Stage, ...]:
    if hasattr(net, "as_stages"):
        return tuple(net.as_stages())  # type: ignore[operator]
    if isinstance(net, DenseNet):
        return Stage("encoder", (net.encoder,), net.encoder), Stage(
            "head", (net.decoder, net.head), net.decode
        )
    classifier = net.get_classifier()
    if hasattr(net, "conv_stem") and hasattr(net, "blocks"):
        body = [Stage("stem", (net.conv_stem, net.bn1), chain(net.conv_stem, net.bn1))]
        body += [Stage(f"blocks.{i}", (block,), block) for i, block in enumerate(net.blocks)]
        if hasattr(net, "bn2"):  # EfficientNet: the last convolution comes before pooling
            body.append(
                Stage("conv_head", (net.conv_head, net.bn2), chain(net.conv_head, net.bn2, _pool(net)))
            )
        else:  # MobileNet v3 and v4: after it
            after = tuple(m for n, m in net.named_children() if n in ("conv_head", "norm_head"))
            body.append(Stage("conv_head", after, _pool(net)))
    elif hasattr(net, "layer4") and hasattr(net, "conv1"):
        stem = tuple(m for n, m in net.named_children() if n in ("conv1", "bn1", "act1", "maxpool"))
        body = [Stage("stem", stem, chain(*stem))]
        body += [
            Stage(f"layer{i}", (getattr(net, f"layer{i}"),), getattr(net, f"layer{i}")) for i in (1, 2, 3)
        ]
        body.append(Stage("layer4", (net.layer4,), chain(net.layer4, _pool(net))))
    else:
        kept = {id(p) for p in classifier.parameters()}
        own = tuple(m for m in net.modules() if not list(m.children()) and not _shares(m, kept))
        body = [Stage("features", own, lambda x: net.forward_head(net.forward_features(x), pre_logits=True))]
    return (*body, Stage("head", (classifier,), classifier))


def _shares(module: nn.Module, ids: set[int]) -> bool:
    return any(id(p) in ids for p in module.parameters())


def _pool(net: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Pooling up to the features the classifier takes; timm applies its own dropout in there."""
    return lambda x: net.forward_head(x, pre_logits=True)
