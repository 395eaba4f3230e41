"""Counting errors against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.metrics.counting import HEADLINE, count_metrics

IDS = ("WBC", "RBC")


def test_errors_of_each_label_and_their_mean():
    rng = np.random.default_rng(0)
    truth = np.stack([rng.integers(0, 3, 60), rng.integers(5, 25, 60)], axis=1)
    answer = np.maximum(truth + rng.integers(-2, 2, truth.shape), 0)
    result = count_metrics(truth, answer, [i // 3 for i in range(60)], IDS, n_boot=300)
    off = answer - truth
    expected = {
        "count_mae": np.abs(off).mean(axis=0),
        "count_rmse": np.sqrt((off**2).mean(axis=0)),
        "count_bias": off.mean(axis=0),
        "count_exact": (off == 0).mean(axis=0),
    }
    assert set(result.metrics) == set(HEADLINE)
    for name, values in expected.items():
        assert result.metrics[name].value == pytest.approx(values.mean())
        assert result.metrics[name].n == 60
        for k, label in enumerate(IDS):
            metric = result.per_class[label][name]
            assert metric.value == pytest.approx(values[k])
            assert metric.low < metric.value < metric.high
    assert result.metrics["count_bias"].value < 0


def test_interval_of_the_bias_is_the_group_bootstrap():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 20, (80, 1))
    answer = truth + np.repeat(rng.integers(-3, 4, 20), 4)[:, None]  # four pictures a group share an error
    groups = np.repeat(np.arange(20), 4)
    metric = count_metrics(truth, answer, groups.tolist(), IDS[:1], n_boot=4000).metrics["count_bias"]
    by_group = (answer - truth)[:, 0].reshape(20, 4)
    draws = [by_group[rng.integers(0, 20, 20)].mean() for _ in range(4000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (metric.low, metric.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_all_right_still_has_an_interval_for_the_share():
    counts = np.ones((10, 1), int)
    result = count_metrics(counts, counts, list(range(10)), IDS[:1], n_boot=50)
    assert result.per_class["WBC"]["count_exact"].value == 1
    assert result.per_class["WBC"]["count_exact"].low == pytest.approx(0.025 ** (1 / 10))
    assert result.metrics["count_mae"].value == 0
    assert result.metrics["count_mae"].low is None


def test_wrong_shapes():
    with pytest.raises(DataError, match=r"counts do not fit: expected \(3, 2\), 1 picture or more"):
        count_metrics(np.ones((3, 1)), np.ones((3, 1)), [0, 1, 2], IDS)
    with pytest.raises(DataError, match="counts do not fit"):
        count_metrics(np.ones((0, 2)), np.ones((0, 2)), [], IDS)
