"""Thresholds on the calibrated probability, and what they do on this data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.errors import ConfigError
from vnvision.evaluate import notes
from vnvision.metrics.bootstrap import ClusterBootstrap, share
from vnvision.metrics.ranking import threshold_at_specificity
from vnvision.records import Metric, OperatingPoint

SPECIFICITIES = (0.90, 0.95)


def operating_points(
    probabilities: np.ndarray,
    targets: np.ndarray,
    label_ids: Sequence[str],
    groups: Sequence[str],
    *,
    population: str,
    manifest_sha256: str,
    positive: str | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> tuple[OperatingPoint, ...]:
    """Thresholds at specificity 0.90 and 0.95 for every yes/no question of the task.

    Exclusive classes make the question "is it ``positive``", one label against all others; where none is
    named, two classes make "is it the last label" and more classes none. Multi-label makes a question a
    label. ``achieved`` is the specificity at that threshold, its note the sensitivity there.

    Args:
        probabilities: (N, C) calibrated.
        targets: (N,) class index, or (N, C) of 1, 0 and -1 unknown.
        label_ids: (C,).
        groups: (N,) keys.
        population: what the data is, for the record.
        manifest_sha256: of the manifest.
        positive: the label that sensitivity is about, see ``TaskSpec.positive``.
        n_boot: resamples.
        seed: of the resamples.

    Raises:
        ConfigError: ``positive`` is no label.
    """
    if positive is not None and positive not in label_ids:
        raise ConfigError(f"there is no label {positive!r}", expected=", ".join(label_ids))
    if targets.ndim == 1:
        asked = label_ids[1] if positive is None and len(label_ids) == 2 else positive
        at = None if asked is None else list(label_ids).index(asked)
        questions = [] if at is None else [(at, np.where(targets >= 0, targets == at, -1).astype(int))]
    else:
        questions = [(c, targets[:, c]) for c in range(len(label_ids))]
    points = []
    for c, truth in questions:
        known = truth >= 0
        scores, is_so = probabilities[known, c], truth[known] == 1
        bootstrap = ClusterBootstrap([g for g, k in zip(groups, known, strict=True) if k], n_boot, seed)
        for specificity in SPECIFICITIES:
            threshold = threshold_at_specificity(scores, is_so, specificity)
            if threshold is None:
                continue
            achieved = share(scores < threshold, ~is_so, bootstrap)
            found = share(scores >= threshold, is_so, bootstrap)
            note = "; ".join(text for text in (_sensitivity(found), achieved.note) if text)
            points.append(
                OperatingPoint(
                    threshold=threshold,
                    scale="probability",
                    target=f"specificity={specificity:.2f}",
                    label=label_ids[c],
                    achieved=achieved.model_copy(update={"note": note}),
                    population=population,
                    n=int(known.sum()),
                    manifest_sha256=manifest_sha256,
                )
            )
    return tuple(points)


def _sensitivity(found: Metric) -> str:
    """The sensitivity in words."""
    if found.low is None or found.high is None:
        return notes.SENSITIVITY_ONLY.format(value=f"{found.value:.3f}", n=found.n)
    low, high = f"{found.low:.3f}", f"{found.high:.3f}"
    return notes.SENSITIVITY_THERE.format(value=f"{found.value:.3f}", low=low, high=high, n=found.n)
