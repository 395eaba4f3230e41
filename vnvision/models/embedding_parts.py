"""What the embedding networks share: their end, their cut into stages, and activation checkpointing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from vnvision.errors import ConfigError, ModelError
from vnvision.models.staged import Stage, chain

STRIDE_PX = 16
"""Of the last feature map: 112 px end in 7 x 7 cells."""


class EmbeddingNet(nn.Module):
    """A convolutional body, ``pool`` to one vector a picture, then ``fc`` and the BatchNorm ``features``.

    Subclasses build the body and tell it in ``body``. The end runs in float32 also inside autocast: a
    margin loss compares cosines that differ in the third decimal, which float16 hardly holds.

    Args:
        size_px: side of the pictures; a multiple of 16.
        embedding_size: D.
        drop_rate: dropout before ``fc``.

    Attributes:
        num_features: length of what ``get_classifier`` takes in.

    Raises:
        ConfigError: an option out of range.
    """

    num_features: int
    pool: nn.Module
    fc: nn.Module
    features: nn.Module

    def __init__(self, size_px: int, embedding_size: int, drop_rate: float) -> None:
        super().__init__()
        if size_px < STRIDE_PX or size_px % STRIDE_PX:
            raise ConfigError(
                "size_px is wrong", expected=f"a positive multiple of {STRIDE_PX}", got=str(size_px)
            )
        if embedding_size < 1:
            raise ConfigError("embedding_size is wrong", expected="1 or more", got=str(embedding_size))
        check_drop_rate(drop_rate)
        self.size_px, self.embedding_size = size_px, embedding_size
        self.dropout = nn.Dropout(drop_rate)
        self.checkpointing = False

    def body(self) -> tuple[Stage, ...]:
        """The stages up to the last feature map (N, C, h, w)."""
        raise NotImplementedError

    def as_stages(self) -> tuple[Stage, ...]:
        """What ``StagedNet`` cuts: the body with ``pool`` at its end, then ``head``."""
        *first, last = self.body()
        pooled = Stage(last.name, (*last.modules, self.pool), chain(last.run, self.pool))
        return (*first, pooled, Stage("head", (self.dropout, self.fc, self.features), self.embed))

    def embed(self, pooled: torch.Tensor) -> torch.Tensor:
        """Pooled features (N, F) -> embeddings (N, D), float32 also inside autocast."""
        x = in_float32(self.fc, self.dropout(pooled))
        return in_float32(self.features, x)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W) -> the last feature map (N, C, h, w)."""
        for stage in self.body():
            x = stage.run(x)
        return x

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """The last feature map -> embeddings (N, D), or what ``get_classifier`` takes in (N, F)."""
        x = self.pool(x)
        return self.dropout(x) if pre_logits else self.embed(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (N, 3, H, W) -> raw embeddings (N, D), not of unit length.

        Raises:
            ModelError: pictures of another shape.
        """
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """The embedding layer: ``fc`` and the BatchNorm behind it."""
        return nn.Sequential(self.fc, self.features)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only what enters a stage, and compute the stage again in the backward pass."""
        self.checkpointing = enable

    def checked(self, x: torch.Tensor) -> torch.Tensor:
        """The pictures as they are.

        Raises:
            ModelError: they do not have the size the network was built for.
        """
        px = self.size_px
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, px, px):
            wanted = f"(N, 3, {px}, {px})"
            raise ModelError(
                "the network takes pictures of one size", expected=wanted, got=str(tuple(x.shape))
            )
        return x

    def stage(self, name: str, *modules: nn.Module) -> Stage:
        """A stage that runs its modules in order, checkpointed where that is on."""
        return Stage(name, modules, partial(checkpointed, modules) if self.checkpointing else chain(*modules))


def check_drop_rate(drop_rate: float) -> None:
    """Raise ConfigError unless it is at least 0 and below 1."""
    if not 0 <= drop_rate < 1:
        raise ConfigError("drop_rate is wrong", expected="0 or more, below 1", got=str(drop_rate))


class FixedScaleNorm(nn.Module):
    """BatchNorm whose scale stays 1; it learns only the shift. (N, D) -> (N, D).

    The scale does not exist, so nothing that thaws a whole network can free it, and the BatchNorm inside
    becomes a synchronised one like any other.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size, affine=False)
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise over the batch, then shift."""
        result: torch.Tensor = self.norm(x) + self.bias
        return result


def in_float32(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Run a module outside autocast, in the type of its own weights; float32 where it has none."""
    first, device = next(module.parameters(), None), x.device.type
    x = x.to(torch.float32 if first is None else first.dtype)
    known = torch.amp.is_autocast_available(device)  # "meta" has none
    with torch.autocast(device, enabled=False) if known else contextlib.nullcontext():
        result: torch.Tensor = module(x)
    return result


def checkpointed(modules: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Run modules in order and forget their activations; they are computed again in the backward pass.

    Gradients, random numbers and BatchNorm statistics are those of a plain run: the second pass over the
    same batch does not count towards the running mean and variance.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
    """
    if not torch.is_grad_enabled():
        return chain(*modules)(x)
    if torch.compiler.is_compiling():
        # A compiled graph writes the statistics once by itself, and takes no context_fn.
        return checkpoint(chain(*modules), x, use_reentrant=False)  # type: ignore[no-any-return]

    def contexts() -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
        return contextlib.nullcontext(), _statistics_held(modules)

    result: torch.Tensor = checkpoint(chain(*modules), x, use_reentrant=False, context_fn=contexts)
    return result


@contextlib.contextmanager
def _statistics_held(modules: Sequence[nn.Module]) -> Iterator[None]:
    norms = [part for module in modules for part in module.modules() if isinstance(part, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, (_, count) in zip(norms, kept, strict=True):
        norm.momentum = 0.0
        norm.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
