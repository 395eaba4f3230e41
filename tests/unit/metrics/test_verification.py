from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from vnvision.errors import DataError
from vnvision.metrics.verification import best_accuracy_threshold, det_curve, eer, fold_accuracy, roc_curve


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.sampled_from([4, 10**6]))
def test_roc_and_eer_agree_with_sklearn(seed, n_genuine, n_impostor, levels):
    rng = np.random.default_rng(seed)
    genuine = np.round(rng.normal(0.6, 0.3, n_genuine) * levels) / levels
    impostor = np.round(rng.normal(0.2, 0.3, n_impostor) * levels) / levels
    truth = np.repeat([1, 0], [n_genuine, n_impostor])
    scores = np.concatenate([genuine, impostor])
    fpr, tpr, _ = sk.roc_curve(truth, scores, drop_intermediate=False)
    ours = np.array(roc_curve(genuine, impostor, 10**6))
    # Points on straight pieces may be left out; none is made up, and the area stays.
    assert set(map(tuple, ours.round(9))) <= set(map(tuple, np.stack([fpr, tpr], axis=1).round(9)))
    assert np.trapezoid(ours[:, 1], ours[:, 0]) == pytest.approx(sk.roc_auc_score(truth, scores))
    np.testing.assert_allclose(det_curve(genuine, impostor, 10**6), np.abs(ours - [0, 1]), atol=1e-12)
    # The ROC crosses TAR = 1 - FMR where the interpolated gap is 0.
    along = np.linspace(0, 1, 20001)
    position = np.linspace(0, 1, len(fpr))
    gap = np.interp(along, position, fpr) - 1 + np.interp(along, position, tpr)
    crossing = np.interp(along[np.argmin(np.abs(gap))], position, fpr)
    assert eer(genuine, impostor).rate == pytest.approx(crossing, abs=2e-3)


def test_thinned_curves_keep_the_ends_the_low_rates_and_only_measured_points():
    rng = np.random.default_rng(3)
    genuine, impostor = rng.normal(0.5, 0.15, 3000), rng.normal(0, 0.12, 50000)
    full, thin = roc_curve(genuine, impostor, 10**9), roc_curve(genuine, impostor, 100)
    assert len(thin) <= 101
    assert set(thin) <= set(full)
    assert (thin[0], thin[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert sum(0 < fmr < 1e-3 for fmr, _ in thin) >= 10
    area = [np.trapezoid(*np.array(points).T[::-1]) for points in (full, thin)]
    assert area[0] == pytest.approx(area[1], abs=0.002)


def test_perfect_and_inverted_scores():
    assert eer(np.array([0.8, 0.9]), np.array([0.1, 0.2])).rate == 0
    assert 0.2 < eer(np.array([0.8, 0.9]), np.array([0.1, 0.2])).threshold <= 0.8
    assert eer(np.array([0.1, 0.2]), np.array([0.8, 0.9])).rate == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([3, 10**6]))
def test_best_threshold_by_trying_all(seed, n, levels):
    rng = np.random.default_rng(seed)
    scores, same = rng.integers(0, levels, n) / levels, rng.random(n) < 0.5
    right = [((scores >= limit) == same).mean() for limit in [*np.unique(scores), np.inf]]
    assert ((scores >= best_accuracy_threshold(scores, same)) == same).mean() == pytest.approx(max(right))


def test_each_fold_is_judged_by_the_others():
    rng = np.random.default_rng(2)
    same = np.tile([True, False], 300)
    folds = np.repeat(np.arange(10), 60)
    scores = rng.normal(size=600) + 3 * same
    scores[folds == 4] += 5  # its own best threshold would be 5 higher
    result = fold_accuracy(scores, same, folds)
    assert len(result.per_fold) == 10
    assert result.per_fold[4] == pytest.approx(0.5, abs=0.02)
    assert result.accuracy == pytest.approx(np.mean(result.per_fold))
    assert result.standard_error == pytest.approx(np.std(result.per_fold, ddof=1) / np.sqrt(10))
    with pytest.raises(DataError, match="expected two folds or more, got 1"):
        fold_accuracy(scores, same, np.zeros(600))
