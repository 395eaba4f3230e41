"""How far counts are off, picture by picture, with group-bootstrap intervals.

* count_mae: mean of |counted - true|; count_rmse: root of the mean square.
* count_bias: mean of counted - true; above 0 the model counts too many.
* count_exact: share of pictures whose count is right.

The headline figure is the mean over labels.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.means import ratio
from vnvision.records import Metric

HEADLINE = ("count_mae", "count_rmse", "count_bias", "count_exact")


@dataclass(frozen=True, slots=True)
class CountingResult:
    """Headline metrics by name, and those of each label."""

    metrics: dict[str, Metric]
    per_class: dict[str, dict[str, Metric]]


def count_metrics(
    truth: np.ndarray,
    answer: np.ndarray,
    groups: Sequence[Hashable],
    label_ids: Sequence[str],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> CountingResult:
    """Counting errors, all labels and each.

    Args:
        truth: (N, C) objects.
        answer: (N, C) objects counted.
        groups: (N,) one key a picture.
        label_ids: (C,).
        n_boot: resamples; 0 for none.
        seed: of the resamples.
        level: coverage of the intervals.

    Raises:
        DataError: shapes disagree, or there is no picture.
    """
    shape = (len(groups), len(label_ids))
    if truth.shape != shape or answer.shape != shape or not len(groups):
        got = f"{truth.shape} and {answer.shape}"
        raise DataError("counts do not fit", expected=f"{shape}, 1 picture or more", got=got)
    off = (answer.astype(np.float64) - truth).T
    bootstrap = ClusterBootstrap(groups, n_boot, seed)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = np.broadcast_to(weights.sum(axis=0), (len(off), weights.shape[1]))
        label = {
            "count_mae": ratio(np.abs(off) @ weights, total),
            "count_rmse": np.sqrt(ratio(off**2 @ weights, total)),
            "count_bias": ratio(off @ weights, total),
            "count_exact": ratio((off == 0) @ weights, total),
        }
        heads = {name: values.mean(axis=0) for name, values in label.items()}
        return heads | {f"label_{name}": values for name, values in label.items()}

    point, draws = statistic(np.ones((bootstrap.n, 1))), resample(statistic, bootstrap)

    def metric(name: str, value: np.ndarray, drawn: np.ndarray | None) -> Metric:
        proportion = name == "count_exact" and (len(label_ids) == 1 or value.ndim == 1)
        return summarise(
            float(value[0]), drawn, n=bootstrap.n, n_groups=bootstrap.n_groups,
            proportion=proportion, level=level,
        )  # fmt: skip

    per_class = {}
    for k, label in enumerate(label_ids):
        keys = {name: f"label_{name}" for name in HEADLINE}
        per_class[label] = {
            name: metric(name, point[key][k], draws[key][k] if key in draws else None)
            for name, key in keys.items()
        }
    return CountingResult({name: metric(name, point[name], draws.get(name)) for name in HEADLINE}, per_class)
