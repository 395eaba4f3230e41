"""Paired differences with their interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.records import Metric

_BOOT = 1000


def mean_change(change: np.ndarray, groups: Sequence[str]) -> Metric:
    """The mean of paired differences (N,) with its interval over resampled groups."""
    bootstrap = ClusterBootstrap(groups, _BOOT)

    def mean(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"mean": (change @ weights) / weights.sum(axis=0)}

    draws = resample(mean, bootstrap).get("mean")
    return summarise(float(change.mean()), draws, n=len(change), n_groups=bootstrap.n_groups)
