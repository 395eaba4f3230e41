from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from vnvision.metrics.ranking import RankedScores, roc_curve, threshold_at_specificity


def brute_sensitivity(scores, positive, weights, specificity):
    best = 0.0
    for limit in [*np.unique(scores), np.inf]:
        called = scores >= limit
        negatives = weights[~positive].sum()
        if weights[~positive & ~called].sum() >= specificity * negatives - 1e-9:
            best = max(best, weights[positive & called].sum() / weights[positive].sum())
    return best


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.sampled_from([2, 5, 1000]))
def test_agrees_with_sklearn_under_weights_and_ties(seed, n, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, n) / levels
    positive = rng.random(n) < rng.uniform(0.2, 0.8)
    weights = rng.integers(0, 4, (n, 3)).astype(float)
    ours = RankedScores(scores, positive).metrics(weights)
    for b in range(3):
        w = weights[:, b]
        if w[positive].sum() == 0 or w[~positive].sum() == 0:
            assert all(np.isnan(values[b]) for values in ours.values())
            continue
        assert ours["auroc"][b] == pytest.approx(
            sk.roc_auc_score(positive, scores, sample_weight=w), abs=1e-12
        )
        precision = sk.average_precision_score(positive, scores, sample_weight=w)
        assert ours["auprc"][b] == pytest.approx(precision, abs=1e-12)
        for target in (90, 95):
            wanted = brute_sensitivity(scores, positive, w, target / 100)
            assert ours[f"sensitivity_at_specificity_{target}"][b] == pytest.approx(wanted, abs=1e-12)


def test_weights_mean_repeated_images():
    rng = np.random.default_rng(1)
    scores, positive = rng.random(50), rng.random(50) < 0.4
    counts = rng.integers(0, 4, 50)
    ours = RankedScores(scores, positive).metrics(counts[:, None].astype(float))
    repeated = np.repeat(np.arange(50), counts)
    again = RankedScores(scores[repeated], positive[repeated]).metrics(np.ones((len(repeated), 1)))
    for name, value in ours.items():
        assert value[0] == pytest.approx(again[name][0], abs=1e-12)


def test_specificity_is_not_lost_to_rounding():
    # 20 negatives, 2 of them above the positive: specificity is exactly 0.90, and (1 - 0.9) * 20 < 2.
    scores = np.concatenate([np.linspace(0, 0.5, 18), [0.8, 0.9], [0.7]])
    positive = np.arange(21) == 20
    ours = RankedScores(scores, positive).metrics(np.ones((21, 1)))
    assert ours["sensitivity_at_specificity_90"][0] == 1.0
    assert ours["sensitivity_at_specificity_95"][0] == 0.0


def test_threshold_reaches_its_specificity_and_no_lower_one_finds_more():
    rng = np.random.default_rng(4)
    positive = rng.random(300) < 0.3
    scores = rng.normal(size=300) + positive
    for target in (0.90, 0.95):
        limit = threshold_at_specificity(scores, positive, target)
        assert (scores[~positive] < limit).mean() >= target
        found = (scores[positive] >= limit).mean()
        assert found == pytest.approx(brute_sensitivity(scores, positive, np.ones(300), target))
        assert limit not in scores


def test_threshold_is_none_where_it_cannot_be():
    assert threshold_at_specificity(np.array([0.1, 0.2]), np.array([True, True]), 0.9) is None
    assert threshold_at_specificity(np.array([0.9, 0.2]), np.array([False, True]), 0.9) is None


def test_neighbouring_floats_keep_the_threshold_on_the_score():
    low = 0.5
    high = np.nextafter(low, 1)
    limit = threshold_at_specificity(np.array([low, high]), np.array([False, True]), 0.9)
    assert limit == high


def test_roc_agrees_with_sklearn_and_thins():
    rng = np.random.default_rng(2)
    positive = rng.random(4000) < 0.5
    scores = rng.normal(size=4000) + 0.7 * positive
    points = np.array(roc_curve(scores, positive, max_points=200))
    assert len(points) <= 200
    assert tuple(points[0]) == (0.0, 0.0)
    assert tuple(points[-1]) == (1.0, 1.0)
    fpr, tpr, _ = sk.roc_curve(positive, scores)
    assert set(map(tuple, points)) <= set(zip(fpr.tolist(), tpr.tolist(), strict=True))
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(
        sk.roc_auc_score(positive, scores), abs=0.005
    )


def test_small_roc_is_exact():
    scores = np.array([0.9, 0.8, 0.8, 0.4, 0.3])
    positive = np.array([True, True, False, False, True])
    points = np.array(roc_curve(scores, positive))
    fpr, tpr, _ = sk.roc_curve(positive, scores, drop_intermediate=True)
    np.testing.assert_allclose(points, np.stack([fpr, tpr], axis=1))
    assert roc_curve(scores, np.ones(5, bool)) == []
