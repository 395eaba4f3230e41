"""Class centres of one process."""

from __future__ import annotations

import torch

from vnvision.errors import ConfigError, DataError
from vnvision.losses.margin.comparison import Comparison, compare

SPREAD = 0.01  # of the first, random centres; cosines do not see their length, an optimiser's steps do


class ClassCentres(torch.nn.Module):
    """The centre of every class, or several a class, learnt with the network.

    Args:
        n_classes: how many identities.
        dim: length D of an embedding.
        sub_centres: K, centres a class (Deng et al. 2020, "Sub-center ArcFace"); take ``head.sub_centres``.

    Attributes:
        weight: (n_classes * K, D) float32; rows c * K to c * K + K - 1 belong to class c.

    Raises:
        ConfigError: if a size is not a whole number of 1 or more.
    """

    def __init__(self, n_classes: int, dim: int, *, sub_centres: int = 1) -> None:
        super().__init__()
        for name, value in (("n_classes", n_classes), ("dim", dim), ("sub_centres", sub_centres)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(
                    f"{name} of the class centres", expected="a whole number of 1 or more", got=repr(value)
                )
        self.n_classes, self.dim, self.sub_centres = n_classes, dim, sub_centres
        self.weight = torch.nn.Parameter(torch.randn(n_classes * sub_centres, dim) * SPREAD)

    def forward(self, embeddings: torch.Tensor, target: torch.Tensor) -> Comparison:
        """Compares embeddings with all classes, in float32, also inside autocast.

        Args:
            embeddings: (N, D) raw, not normalised.
            target: (N,) int64 class of each row.

        Raises:
            DataError: if shapes disagree or, on a CPU, if a class is not 0 to n_classes - 1. (On an
                accelerator that check would make the host wait at every step.)
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim or target.shape != embeddings.shape[:1]:
            raise DataError(
                "embeddings and classes do not fit the class centres",
                expected=f"(N, {self.dim}) and (N,)",
                got=f"{tuple(embeddings.shape)} and {tuple(target.shape)}",
            )
        if target.device.type == "cpu" and target.numel():
            low, high = int(target.min()), int(target.max())
            if low < 0 or high >= self.n_classes:
                raise DataError(
                    "class out of range", expected=f"0 to {self.n_classes - 1}", got=f"{low} to {high}"
                )
        return compare(embeddings, self.weight, target, sub_centres=self.sub_centres)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"n_classes={self.n_classes}, dim={self.dim}, sub_centres={self.sub_centres}"
