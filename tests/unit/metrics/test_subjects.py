from __future__ import annotations

import numpy as np
import pytest

from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.metrics.subjects import SubjectCounts


def product_case(rng, sizes, right=None):
    """The same counts as a product and as a list of comparisons."""
    left = sizes if right is None else np.where(right > 0, 0, sizes)
    other = sizes if right is None else right
    first, second, error = [], [], []
    for i in range(len(sizes)):
        for j in range(i + 1, len(sizes)):
            n = int(left[i] * other[j] + (left[j] * other[i] if right is not None else 0))
            first += [i] * n
            second += [j] * n
            error += (rng.random(n) < 0.2).tolist()
    a, b, e = np.array(first), np.array(second), np.array(error)
    listed = SubjectCounts.from_comparisons(a, b, e, len(sizes))
    return listed, SubjectCounts.from_product(left, other, b[e], a[e])


@pytest.mark.parametrize("across", [False, True])
def test_products_stand_for_the_list_of_all_pairs(across):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 5, 12)
    listed, product = product_case(rng, sizes, np.where(np.arange(12) % 3 == 0, sizes, 0) if across else None)
    for name in ("total", "squares", "rate", "n_subjects", "effective_subjects"):
        assert getattr(product, name) == pytest.approx(getattr(listed, name)), name
    np.testing.assert_allclose(product.margin, listed.margin)
    assert product.variance() == pytest.approx(listed.variance())
    assert product.freedom() == pytest.approx(listed.freedom())
    np.testing.assert_allclose(product.draws(50, 3), listed.draws(50, 3))


def test_draws_are_quadratic_forms_in_the_subjects_weights():
    rng = np.random.default_rng(1)
    n = 9
    comparisons = np.triu(rng.integers(1, 5, (n, n)), 1).astype(float)
    errors = np.floor(comparisons * rng.random((n, n)))
    i, j = np.triu_indices(n, 1)
    counts = SubjectCounts.from_sums(i, j, errors[i, j], comparisons[i, j], n)
    weights = np.concatenate(list(ClusterBootstrap(range(n), 40, 5).blocks()), axis=1)
    wanted = [(w @ errors @ w) / (w @ comparisons @ w) for w in weights.T]
    np.testing.assert_allclose(counts.draws(40, 5), wanted)


def test_variance_is_that_of_pairs_that_share_a_subject():
    rng = np.random.default_rng(2)
    n = 10
    i, j = np.triu_indices(n, 1)
    comparisons = rng.integers(1, 4, len(i)).astype(float)
    effect = rng.random(n)
    errors = np.floor(comparisons * (effect[i] + effect[j]) / 2 + 0.3)
    counts = SubjectCounts.from_sums(i, j, errors, comparisons, n)
    beyond = errors - counts.rate * comparisons
    shared = (i[:, None] == i) | (i[:, None] == j) | (j[:, None] == i) | (j[:, None] == j)
    subjects = counts.effective_subjects
    brute = (beyond[:, None] * beyond * shared).sum() / comparisons.sum() ** 2 * subjects / (subjects - 1)
    assert brute > (beyond**2).sum() / comparisons.sum() ** 2  # else the floor would decide
    assert counts.variance() == pytest.approx(brute)


def test_variance_of_genuine_rates_is_the_cluster_variance():
    rng = np.random.default_rng(3)
    n = np.array([3.0] * 50)
    errors = rng.binomial(3, rng.beta(1, 5, 50)).astype(float)
    who = np.arange(50)
    counts = SubjectCounts.from_sums(who, who, errors, n, 50)
    assert counts.variance() == pytest.approx(np.var(errors / 3, ddof=1) / 50)
    assert counts.variance() == pytest.approx(np.var(counts.draws(4000, 0)), rel=0.1)
