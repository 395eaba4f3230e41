"""Which layers to leave in float32, where 8-bit integers cost too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Answers = Callable[[Sequence[str]], np.ndarray]
"""From the layers left in float32 to the first output (N, ...) on the calibration images."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near a graph of integers is to float32 on the calibration images.

    Attributes:
        in_float: layers left in float32, by the tensor they make, the costliest first.
        cosine: mean over images of the cosine between its first output and that of float32.
        before: the same with every layer in integers.
        reached: whether ``cosine`` is what was asked for.
    """

    in_float: tuple[str, ...]
    cosine: float
    before: float
    reached: bool


def search(
    layers: Sequence[str], answers: Answers, wanted: np.ndarray, *, least_cosine: float, most: int
) -> Fidelity:
    """Leave the layers that cost most in float32 until the answers are near enough.

    A layer's cost is what it alone in integers takes from the cosine, the others in float32: errors of
    different layers are nearly independent and add up. The number of layers then doubles until it is enough.

    Args:
        layers: names, all of them.
        answers: of a graph in which some stay in float32.
        wanted: float32's first output (N, ...).
        least_cosine: enough.
        most: layers that may stay in float32.
    """
    before = now = mean_cosine(answers(()), wanted)
    if before >= least_cosine or not most:
        return Fidelity((), before, before, before >= least_cosine)
    alone = {one: mean_cosine(answers([o for o in layers if o != one]), wanted) for one in layers}
    order = sorted(layers, key=lambda name: alone[name])
    count, best = 0, ((), before)  # type: tuple[int, tuple[tuple[str, ...], float]]
    while now < least_cosine and count < min(most, len(order) - 1):
        count = min(max(1, 2 * count), most, len(order) - 1)
        now = mean_cosine(answers(order[:count]), wanted)
        if now > best[1]:
            best = tuple(order[:count]), now
    return Fidelity(best[0], best[1], before, best[1] >= least_cosine)


def mean_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over rows of the cosine between two arrays (N, ...)."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (one, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (a == b).all(axis=1)
    return float(np.where(lengths > 0, (a * b).sum(1) / np.where(lengths > 0, lengths, 1), same).mean())
