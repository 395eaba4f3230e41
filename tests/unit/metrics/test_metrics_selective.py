from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.selective import LIMITS, accuracy_at, confidence, fit_abstention, upper_bound


def answers(rng: np.random.Generator, n: int, per_group: int = 1, spread: float = 0.0):
    """Planted: an answer of confidence c is wrong with probability (1 - c), times a factor of its group."""
    groups = n // per_group
    sure = rng.beta(8, 1, size=(groups, per_group))
    factor = np.ones((groups, 1)) if not spread else 2 * rng.beta(1 / spread, 1 / spread, size=(groups, 1))
    wrong = rng.random(sure.shape) < np.minimum((1 - sure) * factor, 1)
    return sure.ravel(), ~wrong.ravel(), np.repeat(np.arange(groups), per_group)


@pytest.fixture(scope="module")
def true_risk():
    """Risk of answers at or above a limit, from a million planted ones."""
    sure, right, _ = answers(np.random.default_rng(99), 1_000_000)
    order = np.argsort(-sure)
    risk = np.cumsum(~right[order]) / np.arange(1, len(sure) + 1)
    return lambda limit: risk[int((sure >= limit).sum()) - 1]


@pytest.mark.parametrize(("n", "per_group", "spread"), [(300, 1, 0.0), (600, 6, 0.5), (600, 12, 2.0)])
def test_the_promise_is_kept_on_planted_truth(true_risk, n, per_group, spread):
    rng = np.random.default_rng(0)
    broken = found = 0
    for _ in range(300):
        with np.testing.suppress_warnings() as quiet:
            quiet.filter(UserWarning)
            limit, rule = fit_abstention(*answers(rng, n, per_group, spread), risk=0.12, delta=0.1)
        if rule.bound is not None:
            found += 1
            broken += true_risk(limit) > 0.12
    assert found > 150  # it is of use
    assert broken / 300 <= 0.1


def test_bound_is_clopper_pearson():
    for errors, n in ((0, 10), (3, 50), (49, 50)):
        bound = upper_bound(errors, n, 0.05)
        assert bound == pytest.approx(beta.ppf(0.95, errors + 1, n - errors))
        assert binom.cdf(errors, n, bound) == pytest.approx(0.05)
    assert upper_bound(5, 5, 0.05) == 1.0


def test_the_rule_says_what_it_did():
    rng = np.random.default_rng(1)
    sure, right, groups = answers(rng, 500)
    limit, rule = fit_abstention(sure, right, groups, risk=0.1)
    given = sure >= limit
    assert (rule.risk, rule.delta, rule.n) == (0.1, 0.05, 500)
    assert rule.coverage == pytest.approx(given.mean())
    expected = upper_bound(int((~right[given]).sum()), int(given.sum()), 0.05 / LIMITS)
    assert rule.bound == pytest.approx(expected)
    assert rule.bound <= 0.1
    lower = np.sort(sure)[int((1 - rule.coverage - 1 / LIMITS) * 500)]
    wider = sure >= lower
    assert upper_bound(int((~right[wider]).sum()), int(wider.sum()), 0.05 / LIMITS) > 0.1


def test_pictures_of_one_group_count_less():
    sure, right, _ = answers(np.random.default_rng(2), 60)
    copies = [np.repeat(item, 10) for item in (sure, right)]
    alone, _ = fit_abstention(*copies, groups=range(600), risk=0.15)
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(UserWarning)
        together, rule = fit_abstention(*copies, groups=np.repeat(np.arange(60), 10), risk=0.15)
        once, single = fit_abstention(sure, right, range(60), risk=0.15)
    assert together >= once > alone or (rule.bound is None and single.bound is None)


def test_no_error_seen_counts_groups_only():
    sure, right = np.linspace(0.6, 1, 100), np.ones(100, bool)
    groups = np.repeat(np.arange(10), 10)
    _, rule = fit_abstention(sure, right, groups, risk=0.6)
    assert rule.bound == pytest.approx(upper_bound(0, 10, 0.05 / LIMITS))
    assert rule.coverage == 1.0


def test_no_limit_keeps_the_risk():
    sure, right = np.linspace(0.5, 1, 40), np.arange(40) % 2 == 0
    with pytest.warns(
        UserWarning, match=r"no confidence limit keeps the risk at 0\.01: every answer is withheld"
    ):
        limit, rule = fit_abstention(sure, right, range(40), risk=0.01)
    assert (limit, rule.bound, rule.coverage) == (1.0, None, 0.0)


def test_no_risk_asked_for_no_rule():
    assert fit_abstention(np.ones(3), np.ones(3, bool), range(3), None) == (None, None)


def test_errors():
    with pytest.raises(ConfigError, match="risk is not a share: expected 0 to 1, exclusive, got 1"):
        fit_abstention(np.ones(3), np.ones(3, bool), range(3), 1)
    with pytest.raises(ConfigError, match="delta is not a share"):
        fit_abstention(np.ones(3), np.ones(3, bool), range(3), 0.1, delta=0)
    with pytest.raises(DataError, match=r"an abstention limit cannot be fitted: .* got 3, 3 and 2"):
        fit_abstention(np.ones(3), np.ones(3, bool), range(2), 0.1)


def test_confidence_of_each_kind():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.05, 0.55]])
    np.testing.assert_allclose(confidence(p, "classification"), [0.7, 0.55])
    np.testing.assert_allclose(confidence(p, "multilabel"), [0.7, 0.55])  # the label nearest to a half
    np.testing.assert_allclose(confidence(np.array([[0.01, 0.02]]), "multilabel"), [0.98])  # surely none


def test_accuracy_at_coverages():
    sure = np.array([0.9, 0.8, 0.8, 0.7, 0.6])
    right = np.array([True, True, False, True, False])
    (all_limit, all_given), (_, most), (_, half) = accuracy_at(sure, right, (1.0, 0.8, 0.4))
    assert all_limit == 0.6
    assert all_given.all()
    assert most.sum() == 4
    assert half.sum() == 3  # two of equal confidence go together
