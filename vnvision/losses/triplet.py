"""Triplet losses: an anchor nearer to its own identity than to any other, by a margin."""

from __future__ import annotations

import torch
from torch.nn import functional

from vnvision.errors import ConfigError, DataError
from vnvision.losses.margin.comparison import unit_rows


def batch_hard_triplet_loss(
    embeddings: torch.Tensor, target: torch.Tensor, *, margin: float | None = 0.2
) -> torch.Tensor:
    """Each row against the farthest of its identity and the nearest of another, in float32.

    Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss for Person Re-Identification", equation 5,
    with the Euclidean (not squared) distance, here of embeddings of length 1.

    Args:
        embeddings: (N, D) raw embeddings.
        target: (N,) identity of each row.
        margin: distance, greater than 0 (the largest distance is 2); None for the paper's soft margin,
            log(1 + exp(x)) in place of max(0, margin + x).

    Returns:
        Scalar: the mean over rows that have both a positive and a negative; 0, without gradient,
        if none has.

    Raises:
        ConfigError: if the margin is not greater than 0.
        DataError: if shapes disagree.
    """
    _check_margin(margin)
    check_fit(embeddings, target)
    with torch.autocast(embeddings.device.type, enabled=False):
        distances = _distances(embeddings)
        positive, negative = pair_masks(target)
        farthest = distances.masked_fill(~positive, -torch.inf).amax(dim=1)
        nearest = distances.masked_fill(~negative, torch.inf).amin(dim=1)
        excess = farthest - nearest
        losses = functional.softplus(excess) if margin is None else functional.relu(margin + excess)
        return mean_where(losses, positive.any(dim=1) & negative.any(dim=1))


def semi_hard_triplet_loss(
    embeddings: torch.Tensor, target: torch.Tensor, *, margin: float = 0.2
) -> torch.Tensor:
    """Every pair of an identity against the nearest negative that lies beyond the pair, in float32.

    Schroff, Kalenichenko, Philbin 2015, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
    section 3.2: squared Euclidean distances of embeddings of length 1, all anchor-positive pairs, negatives
    farther from the anchor than the positive. Where no negative is farther, the farthest one is taken.

    Args:
        embeddings: (N, D) raw embeddings.
        target: (N,) identity of each row.
        margin: squared distance, greater than 0 (the largest squared distance is 4).

    Returns:
        Scalar: the mean over ordered anchor-positive pairs whose anchor has a negative; 0, with zero
        gradient, if there is none.

    Raises:
        ConfigError: if the margin is not greater than 0.
        DataError: if shapes disagree.
    """
    _check_margin(margin)
    check_fit(embeddings, target)
    with torch.autocast(embeddings.device.type, enabled=False):
        distances = _distances(embeddings).square()
        positive, negative = pair_masks(target)
        sorted_negatives = distances.masked_fill(~negative, torch.inf).sort(dim=1).values
        beyond = torch.searchsorted(sorted_negatives.detach(), distances.detach(), right=True)
        last = (negative.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        chosen = sorted_negatives.gather(1, torch.minimum(beyond, last))
        losses = functional.relu(margin + distances - chosen)
        return mean_where(losses, positive & negative.any(dim=1, keepdim=True))


def pair_masks(target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, N) pairs of two rows of one identity, and pairs of different identities, of (N,) identities."""
    same = target[:, None] == target[None, :]
    alone = torch.eye(len(target), dtype=torch.bool, device=target.device)
    return same & ~alone, ~same


def mean_where(losses: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean of the losses that count; 0 with zero gradient if none does."""
    return torch.where(counts, losses, torch.zeros_like(losses)).sum() / counts.sum().clamp(min=1)


def _distances(embeddings: torch.Tensor) -> torch.Tensor:
    """(N, N) distances of rows scaled to length 1, exact for near twins; gradient 0 at distance 0."""
    unit, _ = unit_rows(embeddings)
    return torch.cdist(unit, unit, compute_mode="donot_use_mm_for_euclid_dist")


def _check_margin(margin: float | None) -> None:
    if margin is not None and not margin > 0:
        raise ConfigError("margin of the triplet loss", expected="greater than 0", got=repr(margin))


def check_fit(embeddings: torch.Tensor, target: torch.Tensor) -> None:
    """Embeddings (N, D) have identities (N,).

    Raises:
        DataError: if shapes disagree.
    """
    if embeddings.ndim != 2 or target.shape != embeddings.shape[:1]:
        raise DataError(
            "embeddings and identities do not fit",
            expected="(N, D) and (N,)",
            got=f"{tuple(embeddings.shape)} and {tuple(target.shape)}",
        )
