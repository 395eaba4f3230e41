"""What a margin head reads: how far each embedding is from each class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

SHORTEST = 1e-6  # an embedding shorter than this is not stretched to length 1: its gradient would explode


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cosines of N embeddings to the C classes held here: all of them, one rank's shard, or a sample.

    Attributes:
        cosines: (N, C) float32; where a class has several centres, the largest of their cosines. Rounding may
            carry a value just past -1 or 1.
        column: (N,) int64, the column of each row's own class, or -1 where another rank holds that class.
        own: (N,) float32 cosine to the own class, known on every rank; its gradient flows where it is held.
        norms: (N,) float32 length of the embedding before it was scaled to 1.
        n_classes: all classes, over all ranks, before sampling.
    """

    cosines: torch.Tensor
    column: torch.Tensor
    own: torch.Tensor
    norms: torch.Tensor
    n_classes: int


def unit_rows(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows scaled to length 1, and their lengths before, in float32 or wider.

    Args:
        vectors: (N, D). A row of zeros stays zero, with a finite gradient.

    Returns:
        (N, D) unit rows and (N,) lengths.
    """
    wide = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    norms = torch.linalg.vector_norm(wide, dim=1)
    return wide / norms.clamp(min=SHORTEST)[:, None], norms


def class_cosines(unit: torch.Tensor, weight: torch.Tensor, sub_centres: int = 1) -> torch.Tensor:
    """Cosine of each embedding to each class: the nearest of a class's centres counts.

    Args:
        unit: (N, D) embeddings of length 1, from ``unit_rows``.
        weight: (C * K, D) centres of any length; rows c * K to c * K + K - 1 belong to class c.
        sub_centres: K, centres a class (Deng et al. 2020, "Sub-center ArcFace").

    Returns:
        (N, C), in the type of `unit`, also inside autocast.
    """
    with torch.autocast(unit.device.type, enabled=False):
        centres, _ = unit_rows(weight)
        cosines = functional.linear(unit, centres.to(unit.dtype))
    return cosines.unflatten(1, (-1, sub_centres)).amax(dim=2) if sub_centres > 1 else cosines


def compare(
    embeddings: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, *, sub_centres: int = 1
) -> Comparison:
    """Embeddings against all class centres, in one process.

    Args:
        embeddings: (N, D) raw embeddings.
        weight: (C * K, D) class centres, see `class_cosines`.
        target: (N,) int64 class of each row, 0 to C - 1.
        sub_centres: K, centres a class.

    Returns:
        The comparison, in float32 or wider.
    """
    unit, norms = unit_rows(embeddings)
    cosines = class_cosines(unit, weight, sub_centres)
    own = cosines.gather(1, target[:, None])[:, 0]
    return Comparison(cosines, target, own, norms, n_classes=cosines.shape[1])


def with_own(
    values: torch.Tensor, comparison: Comparison, own: torch.Tensor, *, scale: float = 1.0
) -> torch.Tensor:
    """A scaled copy of `values` in which each row's own class, where held here, has the value `own`.

    Args:
        values: (N, C) for the classes of `comparison`.
        comparison: says which column is a row's own.
        own: (N,) replaces the own column.
        scale: multiplies everything.

    Returns:
        (N, C). Rows whose class is on another rank keep all their values.
    """
    held = comparison.column >= 0
    index = comparison.column.clamp(min=0)[:, None]
    kept = torch.where(held, own.to(values.dtype), values.gather(1, index)[:, 0])
    return (values * scale).scatter_(1, index, kept[:, None] * scale)
