"""What all margin heads share: the interface, the loss they make, and the checks of their options."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

from vnvision.errors import ConfigError
from vnvision.losses.margin.comparison import Comparison


class MarginHead(torch.nn.Module):
    """Turns cosines to class centres into a loss. It owns no centres.

    A softmax head gives `logits`, a binary head gives `terms`: whatever columns they are given, they answer
    for just those, so that centres may be spread over ranks. A head's own parameters (a bias) receive on each
    rank the gradient of the columns held there: sum it over ranks. Statistics a head keeps are buffers,
    renewed by each call in training mode, from the whole gathered batch, thus equal on all ranks.

    Attributes:
        kind: "softmax" (cross-entropy over classes) or "binary" (a loss of every pair, summed over classes).
        scale: the factor on cosines, in published work s or r.
        sub_centres: how many centres a class should have.
    """

    kind: Literal["softmax", "binary"] = "softmax"
    sub_centres: int = 1

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = check_option(self, "scale", scale, above=0.0)

    def logits(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) scaled logits with the margin in: of softmax heads only."""
        raise NotImplementedError(f"{type(self).__name__} is a {self.kind} head without logits")

    def terms(self, comparison: Comparison) -> torch.Tensor:
        """(N, C) loss of every pair, to be summed over columns and ranks: of binary heads only."""
        raise NotImplementedError(f"{type(self).__name__} is a {self.kind} head without terms")

    def penalty(self, comparison: Comparison) -> torch.Tensor | None:
        """A further loss, a scalar mean over the rows, equal on all ranks; None for most heads."""
        return None


def margin_loss(head: MarginHead, comparison: Comparison) -> torch.Tensor:
    """Mean loss of a batch whose classes are all held in this process, in float32, also inside autocast.

    Args:
        head: any margin head.
        comparison: of N embeddings to all classes.

    Returns:
        Scalar: mean cross-entropy or mean sum of pair losses a row, plus the head's penalty.
    """
    with torch.autocast(comparison.cosines.device.type, enabled=False):
        if head.kind == "softmax":
            loss = functional.cross_entropy(head.logits(comparison), comparison.column)
        else:
            loss = head.terms(comparison).sum(dim=1).mean()
        penalty = head.penalty(comparison)
    return loss if penalty is None else loss + penalty


def check_option(
    head: MarginHead,
    name: str,
    value: float,
    *,
    above: float | None = None,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> float:
    """The value of a head's option, as a float, if it is a number in its range.

    Args:
        head: names itself in the error.
        name: the option.
        value: what was given.
        above: it must be greater than this.
        low: it must be at least this.
        high: it must be at most this.
        below: it must be less than this.

    Raises:
        ConfigError: if it is no number, or out of range.
    """
    bounds = [("above", above), ("at least", low), ("at most", high), ("below", below)]
    expected = " and ".join(f"{word} {bound:.6g}" for word, bound in bounds if bound is not None)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    good = number and (
        (above is None or value > above)
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (below is None or value < below)
        and abs(value) != float("inf")
    )
    if not good or value != value:
        raise ConfigError(
            f"option {name} of {type(head).__name__}",
            expected=f"a number {expected}".strip(),
            got=repr(value),
        )
    return float(value)
