"""Weights that make up for rare classes."""

from __future__ import annotations

import numpy as np

from vnvision.errors import DataError


def class_weights(targets: np.ndarray, n_classes: int, power: float = 1.0) -> np.ndarray:
    """Weight of each class, proportional to ``count ** -power`` and 1 on average over the labelled examples.

    Single-label with power 1 this is ``n / (classes present * count)``, the usual balanced weight (King and
    Zeng 2001, "Logistic Regression in Rare Events Data"); power 0 gives 1 everywhere, 0.5 lies between.

    Args:
        targets: (N,) class indices, -1 unknown; or (N, C) multi-label of 1, 0, -1 unknown, where positives
            are counted.
        n_classes: C.
        power: 0 or more.

    Returns:
        (C,) float64; 0 for a class without examples.

    Raises:
        DataError: targets of another shape or with values out of range, or a negative power.
    """
    counts = _counts(targets, n_classes, power)
    return _scaled(counts, power)


def log_prior(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Logarithm of each class's share of the labelled examples; a class without any counts as one example.

    Args:
        targets: (N,) class indices, -1 unknown.
        n_classes: C.

    Returns:
        (C,) float64, all below or equal to 0.

    Raises:
        DataError: targets of another shape or with values out of range.
    """
    if np.ndim(targets) != 1:
        raise DataError("targets", expected="(N,)", got=str(np.shape(targets)))
    counts = np.maximum(_counts(targets, n_classes, 1.0), 1.0)
    return np.log(counts / counts.sum())  # type: ignore[no-any-return]


def sample_weights(targets: np.ndarray, n_classes: int, power: float = 1.0) -> np.ndarray:
    """Weight of each example, for a weighted sampler: 1 on average over the labelled ones, 0 for unknown.

    Single-label: the weight of its class. Multi-label: the largest weight among its positive labels; the
    examples whose known labels are all 0 count as a class of their own, so that healthy images keep their
    place; an example with no known label gets 0.

    Args:
        targets: as for ``class_weights``.
        n_classes: C.
        power: 0 draws every example alike, 1 every class alike.

    Returns:
        (N,) float64.

    Raises:
        DataError: as for ``class_weights``.
    """
    targets = np.asarray(targets)
    counts = _counts(targets, n_classes, power)
    if targets.ndim == 1:
        by_class: np.ndarray = np.append(_scaled(counts, power), 0.0)  # index -1, unknown, is the last
        weights: np.ndarray = by_class[targets]
        return weights
    known, positive = (targets >= 0).any(axis=1), targets == 1
    none = known & ~positive.any(axis=1)
    raw = _inverse(np.append(counts, none.sum()), power)
    weights = np.where(positive, raw[:-1], 0.0).max(axis=1, initial=0.0)
    weights[none] = raw[-1]
    if known.any():
        weights *= known.sum() / weights.sum()
    return weights


def _counts(targets: np.ndarray, n_classes: int, power: float) -> np.ndarray:
    targets = np.asarray(targets)
    multi = targets.ndim == 2
    if targets.ndim not in (1, 2) or (multi and targets.shape[1] != n_classes):
        raise DataError("targets", expected=f"(N,) or (N, {n_classes})", got=str(targets.shape))
    top = 1 if multi else n_classes - 1
    if targets.dtype.kind not in "iu" or (targets.size and (targets.min() < -1 or targets.max() > top)):
        got = f"{targets.dtype} {targets.min()}..{targets.max()}" if targets.size else str(targets.dtype)
        raise DataError("targets", expected=f"whole numbers in -1..{top}", got=got)
    if power < 0:
        raise DataError("power", expected="0 or more", got=str(power))
    if multi:
        positives: np.ndarray = (targets == 1).sum(axis=0)
        return positives
    return np.bincount(targets[targets >= 0].astype(np.int64), minlength=n_classes)


def _inverse(counts: np.ndarray, power: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        inverse: np.ndarray = np.where(counts > 0, counts.astype(np.float64) ** -power, 0.0)
    return inverse


def _scaled(counts: np.ndarray, power: float) -> np.ndarray:
    raw = _inverse(counts, power)
    total = float((raw * counts).sum())
    if total > 0:
        raw *= counts.sum() / total
    return raw
