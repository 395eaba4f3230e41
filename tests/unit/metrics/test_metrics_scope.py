from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.metrics.scope import conformal_limit, fit_gaussian, group_folds, unit_length


def test_distance_is_mahalanobis_under_the_model_covariance():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 6)) * np.array([5, 3, 1, 1, 1, 1]) + 2
    gaussian = fit_gaussian(rows, directions=2)
    v, left = gaussian.directions.astype(float), gaussian.variances[-1]
    covariance = v.T @ np.diag(gaussian.variances[:2] - left) @ v + left * np.eye(6)
    off = rows[:20] - gaussian.centre
    expected = np.sqrt(np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off))
    np.testing.assert_allclose(gaussian.distance(rows[:20]), expected, rtol=1e-4)
    np.testing.assert_allclose(gaussian.variances, [25, 9, 1], rtol=0.25)
    np.testing.assert_allclose(np.trace(covariance), np.cov(rows, rowvar=False).trace(), rtol=1e-4)


def test_equal_rows_do_not_break_it():
    gaussian = fit_gaussian(np.ones((10, 3)), 2)
    assert np.isfinite(gaussian.distance(np.zeros((2, 3)))).all()
    with pytest.raises(DataError, match=r"no Gaussian can be fitted: expected \(N, F\) finite, N from 4"):
        fit_gaussian(np.ones((3, 3)), 2)


def test_unit_length():
    np.testing.assert_allclose(unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])


def test_limit_is_the_conformal_rank():
    scores = np.arange(1, 100, dtype=float)  # 99 of them: rank ceil(100 * 0.95) = 95
    assert conformal_limit(scores, range(99), 0.95) == 95.0
    assert conformal_limit(scores[:10], range(10), 0.95) == 10.0  # too few for a finite limit: the largest


def test_new_pictures_are_kept_as_promised():
    rng = np.random.default_rng(0)
    kept = [
        (rng.normal(size=50) <= conformal_limit(rng.normal(size=59), range(59), 0.9)).mean()
        for _ in range(600)
    ]
    assert 0.9 - 0.01 <= np.mean(kept) <= 0.9 + 1 / 60 + 0.01


def test_a_large_group_does_not_set_the_limit():
    """Pictures of new groups are kept as promised where one patient gave half of the pictures."""
    rng = np.random.default_rng(0)
    by_group, by_picture = [], []
    for _ in range(300):
        centres = rng.normal(size=81)
        sizes = np.array([80] + [1] * 79)
        groups = np.repeat(np.arange(80), sizes)
        scores = centres[groups] + 0.1 * rng.normal(size=len(groups))
        new = rng.normal(size=200) + 0.1 * rng.normal(size=200)
        by_group.append((new <= conformal_limit(scores, groups, 0.9)).mean())
        by_picture.append((new <= conformal_limit(scores, range(len(scores)), 0.9)).mean())
    assert np.mean(by_group) == pytest.approx(0.9, abs=0.02)
    assert np.std(by_picture) > 1.5 * np.std(by_group)


def test_folds_do_not_divide_groups():
    groups = [f"g{i % 13}" for i in range(60)]
    fold = group_folds(groups, 4)
    assert set(fold) == {0, 1, 2, 3}
    assert all(len({f for f, g in zip(fold, groups, strict=True) if g == name}) == 1 for name in groups)
    np.testing.assert_array_equal(fold, group_folds(groups, 4))


def test_errors():
    for scores, groups, keep in (([], [], 0.9), ([1.0], [0, 1], 0.9), ([1.0], [0], 1.0)):
        with pytest.raises(
            DataError, match="no limit can be set: expected scores with a group each, 0 < keep < 1"
        ):
            conformal_limit(np.array(scores), groups, keep)
