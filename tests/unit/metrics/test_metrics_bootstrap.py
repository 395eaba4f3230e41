from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vnvision.errors import ConfigError, DataError
from vnvision.metrics import notes
from vnvision.metrics.bootstrap import ClusterBootstrap, clopper_pearson, resample, summarise


def all_weights(bootstrap: ClusterBootstrap) -> np.ndarray:
    return np.concatenate(list(bootstrap.blocks()), axis=1)


def test_groups_are_drawn_whole_and_with_replacement():
    groups = ["a", "b", "a", "c", "b", "a"]
    weights = all_weights(ClusterBootstrap(groups, n_boot=500, seed=3))
    assert weights.shape == (6, 500)
    assert (weights[0] == weights[2]).all()
    assert (weights[0] == weights[5]).all()
    assert (weights[1] == weights[4]).all()
    assert (weights[[0, 1, 3]].sum(axis=0) == 3).all()
    # Each of the 27 ordered draws is equally likely: all three alike has chance 1/9.
    alike = (weights[[0, 1, 3]].max(axis=0) == 3).mean()
    assert abs(alike - 1 / 9) < 0.05


def test_same_seed_same_resamples_and_order_of_keys_does_not_matter():
    first = all_weights(ClusterBootstrap([1, 1, 2, 3], 50, seed=7))
    again = all_weights(ClusterBootstrap(["x", "x", "y", "z"], 50, seed=7))
    other = all_weights(ClusterBootstrap([1, 1, 2, 3], 50, seed=8))
    assert (first == again).all()
    assert not (first == other).all()


def test_many_images_come_in_several_blocks():
    bootstrap = ClusterBootstrap(list(range(5000)), n_boot=500, seed=0)
    widths = [block.shape[1] for block in bootstrap.blocks()]
    assert len(widths) > 1
    assert sum(widths) == 500


def test_interval_of_a_mean_agrees_with_a_plain_loop_over_groups():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 300)
    values = rng.normal(size=300) + groups / 20
    bootstrap = ClusterBootstrap(groups.tolist(), n_boot=4000, seed=1)
    ours = resample(lambda w: {"mean": values @ w / w.sum(axis=0)}, bootstrap)["mean"]
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    draw = np.random.default_rng(2)
    loop = [
        values[np.concatenate([members[g] for g in draw.integers(0, len(members), len(members))])].mean()
        for _ in range(4000)
    ]
    np.testing.assert_allclose(
        np.quantile(ours, [0.025, 0.975]), np.quantile(loop, [0.025, 0.975]), atol=0.04
    )
    # Drawing images one by one would claim to know far more.
    single = resample(lambda w: {"mean": values @ w / w.sum(axis=0)}, ClusterBootstrap(range(300), 4000, 1))
    assert np.ptp(np.quantile(single["mean"], [0.025, 0.975])) < 0.8 * np.ptp(
        np.quantile(ours, [0.025, 0.975])
    )


def test_coverage_of_a_clustered_mean_is_near_nominal():
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        effect = rng.normal(size=50)
        groups = np.repeat(np.arange(50), 4)
        values = effect[groups] + 0.3 * rng.normal(size=200)
        draws = resample(
            lambda w, values=values: {"m": values @ w / w.sum(axis=0)},
            ClusterBootstrap(groups.tolist(), 400, trial),
        )
        metric = summarise(float(values.mean()), draws["m"], n=200, n_groups=50)
        held += metric.low <= 0 <= metric.high
    assert 0.90 <= held / 200 <= 0.98


def test_one_group_has_a_value_and_no_interval():
    bootstrap = ClusterBootstrap(["a"] * 5, 100)
    assert resample(lambda w: {"m": w.sum(axis=0)}, bootstrap) == {}
    metric = summarise(0.8, None, n=5, n_groups=1)
    assert (metric.value, metric.low, metric.high, metric.note) == (0.8, None, None, notes.ONE_GROUP)


def test_not_a_number_becomes_none_with_the_reason():
    metric = summarise(float("nan"), np.zeros(10), n=4, n_groups=3, why=notes.CLASS_ABSENT)
    assert metric.value is None
    assert metric.low is None
    assert metric.note == notes.CLASS_ABSENT


def test_a_perfect_share_gets_an_exact_interval_and_says_so():
    metric = summarise(1.0, np.ones(100), n=40, n_groups=10, proportion=True)
    assert metric.low == pytest.approx(0.025 ** (1 / 10))
    assert metric.high == 1.0
    assert metric.note == "no variation between resamples: exact Clopper-Pearson interval on 10 groups"


def test_a_perfect_value_that_is_no_share_has_no_interval():
    metric = summarise(1.0, np.ones(100), n=40, n_groups=10)
    assert (metric.value, metric.low, metric.high) == (1.0, None, None)
    assert metric.note == notes.NO_VARIATION


def test_undefined_resamples_are_left_out_counted_or_fatal():
    draws = np.linspace(0, 1, 100)
    draws[:30] = np.nan
    metric = summarise(0.6, draws, n=9, n_groups=5)
    np.testing.assert_allclose([metric.low, metric.high], np.quantile(draws[30:], [0.025, 0.975]))
    assert metric.note == "not defined in 30 of 100 resamples, where a class is missing"
    draws[:60] = np.nan
    metric = summarise(0.6, draws, n=9, n_groups=5)
    assert metric.low is None
    assert metric.note.endswith("60 of 100 resamples, where a class is missing: no interval")


def test_reflected_interval():
    draws = np.linspace(0.1, 0.2, 1001)
    metric = summarise(0.12, draws, n=9, n_groups=5, reflect=True)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert metric.low == pytest.approx(max(0, 0.24 - high))
    assert metric.high == pytest.approx(max(high, 0.24 - low))
    biased = summarise(0.05, draws, n=9, n_groups=5, reflect=True)
    assert biased.low == 0.0
    assert biased.high == pytest.approx(high)


def test_no_resamples():
    bootstrap = ClusterBootstrap([1, 2, 3], 0)
    assert resample(lambda w: {"m": w}, bootstrap) == {}
    assert summarise(0.5, None, n=3, n_groups=3).note == notes.NO_RESAMPLES
    with pytest.raises(ConfigError, match="n_boot is negative: expected 0 or more, got -1"):
        ClusterBootstrap([1], -1)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (3, 11), (55, 60), (1, 1)])
def test_clopper_pearson_agrees_with_scipy(k, n):
    exact = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(clopper_pearson(k, n), (exact.low, exact.high), rtol=1e-9)


def test_clopper_pearson_refuses_impossible_counts():
    with pytest.raises(DataError, match="expected 0 <= successes <= n, got 3, 2"):
        clopper_pearson(3, 2)
