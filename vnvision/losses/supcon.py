"""Supervised contrastive loss: all pictures of an identity attract, all others repel."""

from __future__ import annotations

import torch

from vnvision.errors import ConfigError
from vnvision.losses.margin.comparison import unit_rows
from vnvision.losses.triplet import check_fit, mean_where, pair_masks


def supervised_contrastive_loss(
    embeddings: torch.Tensor, target: torch.Tensor, *, temperature: float = 0.1
) -> torch.Tensor:
    """Cross-entropy of each row's positives among all other rows, in float32.

    Khosla et al. 2020, "Supervised Contrastive Learning", equation 2 (the sum over positives outside the
    logarithm), of embeddings of length 1.

    Args:
        embeddings: (N, D) raw embeddings; views of one picture are rows like any other.
        target: (N,) identity of each row.
        temperature: tau, greater than 0.

    Returns:
        Scalar: the mean over rows that have a positive; 0, with zero gradient, if none has.

    Raises:
        ConfigError: if the temperature is not greater than 0.
        DataError: if shapes disagree.
    """
    if not temperature > 0:
        raise ConfigError(
            "temperature of the contrastive loss", expected="greater than 0", got=repr(temperature)
        )
    check_fit(embeddings, target)
    with torch.autocast(embeddings.device.type, enabled=False):
        unit, _ = unit_rows(embeddings)
        logits = unit @ unit.T / temperature
        positive, negative = pair_masks(target)
        others = logits.masked_fill(~(positive | negative), torch.finfo(logits.dtype).min)
        log_shares = logits - others.logsumexp(dim=1, keepdim=True)
        n_positive = positive.sum(dim=1)
        losses = -torch.where(positive, log_shares, torch.zeros_like(logits)).sum(dim=1) / n_positive.clamp(
            min=1
        )
        return mean_where(losses, n_positive > 0)
