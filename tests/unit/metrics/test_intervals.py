from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from vnvision.metrics.intervals import design_effect, rate_interval
from vnvision.metrics.subjects import SubjectCounts


def test_no_error_is_never_an_interval_of_nothing():
    who = np.arange(40)
    counts = SubjectCounts.from_sums(who, who, np.zeros(40), np.full(40, 6.0), 40)
    alone = rate_interval(counts)
    assert (alone.value, alone.low) == (0.0, 0.0)
    assert alone.high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert (
        alone.note == "no variation: exact Clopper-Pearson interval on an effective number of 40 comparisons"
    )
    few = (norm.ppf(0.975) / student.ppf(0.975, 39)) ** 2
    assert rate_interval(counts, pooled=2.0).high == pytest.approx(1 - 0.025 ** (1 / (120 * few)))
    assert rate_interval(counts, pooled=0.5).high == pytest.approx(1 - 0.025 ** (1 / (240 * few)))
    assert rate_interval(counts, pooled=100).high == pytest.approx(alone.high)
    everything = SubjectCounts.from_sums(who, who, np.full(40, 6.0), np.full(40, 6.0), 40)
    assert rate_interval(everything).low == pytest.approx(0.025 ** (1 / 40))
    images = np.full(40, 2.0)
    nobody = np.zeros(0, np.int64)
    impostor = SubjectCounts.from_product(images, images, nobody, nobody)
    assert rate_interval(impostor, pooled=1e9).high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_one_person_against_many_is_one_persons_evidence():
    one = np.append(1.0, np.zeros(100))
    many = np.append(0.0, np.ones(100))
    nobody = np.zeros(0, np.int64)
    counts = SubjectCounts.from_product(one, many, nobody, nobody)
    assert counts.effective_subjects == pytest.approx(1.02, abs=0.01)
    assert rate_interval(counts, pooled=1.0).high > 0.5


def test_subjects_that_all_err_alike_leave_the_binomial_interval():
    who = np.arange(30)
    metric = rate_interval(SubjectCounts.from_sums(who, who, np.ones(30), np.full(30, 4.0), 30))
    assert metric.low < 0.25 < metric.high
    assert metric.high - metric.low > 0.1


def test_one_subject_or_no_comparison_has_no_interval():
    one = SubjectCounts.from_sums(np.array([0]), np.array([0]), np.array([1.0]), np.array([4.0]), 3)
    metric = rate_interval(one)
    assert (metric.value, metric.low, metric.n) == (0.25, None, 4)
    none = np.zeros(0, np.int64)
    assert rate_interval(SubjectCounts.from_comparisons(none, none, none, 3)).value is None


def test_design_effect_of_whole_clusters_is_their_size():
    rng = np.random.default_rng(4)
    who = np.arange(400)
    errors = 5.0 * (rng.random(400) < 0.3)
    counts = SubjectCounts.from_sums(who, who, errors, np.full(400, 5.0), 400)
    assert design_effect([counts]) == pytest.approx(5, rel=0.02)
    assert design_effect([SubjectCounts.from_sums(who, who, 0 * errors, np.full(400, 5.0), 400)]) is None


def impostor_model(rng, n_subjects, rate, effect):
    """Two images a subject; a false match is a normal score with both subjects' effects above a limit."""
    who = rng.normal(size=n_subjects) * np.sqrt(effect / 2)
    a, b = np.triu_indices(n_subjects, 1)
    pair = who[a] + who[b] + rng.normal(size=len(a)) * np.sqrt((1 - effect) / 2)
    score = pair[:, None] + rng.normal(size=(len(a), 4)) * np.sqrt((1 - effect) / 2)
    images = np.full(n_subjects, 2.0)
    return SubjectCounts.from_product(images, images, a, b, (score > norm.isf(rate)).sum(1).astype(float))


def genuine_model(rng, n_subjects, rate, effect):
    """Six comparisons a subject; a non-match is a normal score with the subject's effect below a limit."""
    score = rng.normal(size=(n_subjects, 1)) * np.sqrt(effect)
    score = score + rng.normal(size=(n_subjects, 6)) * np.sqrt(1 - effect)
    who = np.arange(n_subjects)
    errors = (score < norm.ppf(rate)).sum(axis=1).astype(float)
    return SubjectCounts.from_sums(who, who, errors, np.full(n_subjects, 6.0), n_subjects)


@pytest.mark.parametrize(
    ("model", "n_subjects", "rate", "effect"),
    [
        (impostor_model, 60, 0.01, 0.1),
        (impostor_model, 120, 0.01, 0.4),
        (impostor_model, 120, 0.001, 0.1),
        (genuine_model, 150, 0.01, 0.2),
        (genuine_model, 60, 0.05, 0.5),
        (genuine_model, 30, 0.2, 0.5),
    ],
)
def test_planted_rates_lie_in_their_intervals(model, n_subjects, rate, effect):
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(200):
        metric = rate_interval(model(rng, n_subjects, rate, effect))
        held += metric.low <= rate <= metric.high
    assert 0.90 <= held / 200 <= 0.99


def test_plain_product_bootstrap_is_far_too_wide_where_noise_belongs_to_pairs():
    counts = impostor_model(np.random.default_rng(0), 80, 0.005, 0.0)
    assert np.var(counts.draws(1000, 0)) > 2 * counts.variance()
