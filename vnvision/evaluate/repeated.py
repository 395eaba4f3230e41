"""Repeated cross-validation: what out-of-fold answers of several models say of a recipe. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise

_N_BOOT = 2000


def repeated_figures(answers: np.ndarray, targets: np.ndarray, groups: Sequence[str]) -> dict[str, Any]:
    """Accuracy, recalls and confusion of a recipe.

    A picture counts by its mean over repeats: figures are those of one model, not of the models' vote.
    Intervals draw groups with replacement. They do not cover another camera, place or time.

    Args:
        answers: (R, N, C) logits of N pictures, each by a model that did not learn from it.
        targets: (N,) label indices.
        groups: (N,) leakage groups.

    Returns:
        ``accuracy``, ``balanced_accuracy`` and ``recall`` (one a label) as value, low, high; ``confusion``,
        mean pictures a repeat, truth by answer; ``over_repeats``, spread of accuracy over repeats; counts.
    """
    right = (answers.argmax(-1) == targets).astype(float)  # (R, N)
    bootstrap, n_labels = ClusterBootstrap(groups, _N_BOOT), answers.shape[-1]
    mean = right.mean(0)
    members = np.stack([targets == label for label in range(n_labels)])  # (C, N)

    def recalls(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = np.where(members @ weights > 0, members @ weights, np.nan)
        return {"accuracy": mean @ weights / weights.sum(0), "recall": (members * mean) @ weights / drawn}

    draws = resample(recalls, bootstrap)
    draws["balanced"] = draws["recall"].mean(0)
    recall = [mean[member].mean() if member.any() else np.nan for member in members]
    confusion = np.zeros((n_labels, n_labels))
    np.add.at(confusion, (np.tile(targets, len(answers)), answers.argmax(-1).ravel()), 1 / len(answers))
    over = right.mean(1)
    spread = over.std(ddof=1) if len(over) > 1 else None
    return {
        "n": len(targets), "groups": bootstrap.n_groups, "repeats": len(answers),
        "accuracy": _span(mean.mean(), draws["accuracy"], bootstrap),
        "balanced_accuracy": _span(np.mean(recall), draws["balanced"], bootstrap),
        "recall": [
            _span(one, draw, bootstrap, member)
            for one, draw, member in zip(recall, draws["recall"], members, strict=True)
        ],
        "confusion": confusion.round(2).tolist(),
        "over_repeats": {"sd": spread, "least": over.min(), "most": over.max()},
    }  # fmt: skip


def paired_change(
    answers: np.ndarray, other: np.ndarray, targets: np.ndarray, groups: Sequence[str]
) -> list[float | None]:
    """Accuracy of the second less that of the first, on the same folds: value, low, high."""
    gain = [(one.argmax(-1) == targets).astype(float).mean(0) for one in (answers, other)]
    change, bootstrap = gain[1] - gain[0], ClusterBootstrap(groups, _N_BOOT)
    draws = resample(lambda weights: {"gain": change @ weights / weights.sum(0)}, bootstrap)
    return _span(change.mean(), draws["gain"], bootstrap, proportion=False)


def _span(
    value: float,
    draws: np.ndarray,
    bootstrap: ClusterBootstrap,
    members: np.ndarray | None = None,
    *,
    proportion: bool = True,
) -> list[float | None]:
    """Value, low, high; shares that all resamples agree on get the exact interval of their groups."""
    groups = bootstrap.n_groups if members is None else bootstrap.groups_of(members)
    found = summarise(float(value), draws, n=bootstrap.n, n_groups=groups, proportion=proportion)
    return [found.value, found.low, found.high]
