from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax
from sklearn.metrics import log_loss

from vnvision.errors import DataError
from vnvision.metrics.calibration import (
    MIN_OF_CLASS,
    choose_temperatures,
    ece,
    fit_temperature,
    nll,
    reliability_bins,
)
from vnvision.metrics.selective import selective_curve


def written_out_ece(confidence, correct, bins=15):
    total = 0.0
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        if inside.any():
            total += inside.sum() * abs(correct[inside].mean() - confidence[inside].mean())
    return total / len(confidence)


def test_ece_agrees_with_the_formula_written_out():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 500)
    correct = rng.random(500) < confidence**2
    assert ece(confidence, correct) == pytest.approx(written_out_ece(confidence, correct), abs=1e-12)


def test_ece_at_the_edges():
    assert ece(np.array([0.0, 1.0]), np.array([0, 1])) == 0.0
    assert ece(np.array([1.0, 1.0]), np.array([0, 1])) == 0.5
    with pytest.raises(DataError, match="calibration error of no images: expected one image or more, got 0"):
        ece(np.array([]), np.array([]))


def test_reliability_bins_hold_every_image_and_give_the_error():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1, 200)
    correct = rng.random(200) < 0.7
    bins = reliability_bins(confidence, correct)
    assert sum(count for _, _, count in bins) == 200
    assert sum(c * abs(a - m) for m, a, c in bins) / 200 == pytest.approx(ece(confidence, correct))
    assert [m for m, _, _ in bins] == sorted(m for m, _, _ in bins)


def test_temperature_recovers_the_one_applied():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(20000, 4)) * 2
    targets = (rng.gumbel(size=logits.shape) + logits).argmax(axis=1)
    assert fit_temperature(logits * 3, targets)[0] == pytest.approx(3, rel=0.05)
    assert fit_temperature(logits / 2, targets)[0] == pytest.approx(0.5, rel=0.05)


def test_temperature_is_the_optimum_and_unknown_rows_do_not_count():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(300, 3)) * 4
    targets = rng.integers(0, 3, 300)
    targets[:150] = logits[:150].argmax(axis=1)

    def loss(t):
        return -log_softmax(logits / t, axis=1)[np.arange(300), targets].mean()

    (best,) = fit_temperature(logits, targets)
    assert loss(best) <= min(loss(best * 1.01), loss(best / 1.01), loss(1.0))
    more = np.concatenate([logits, rng.normal(size=(50, 3)) * 100])
    assert fit_temperature(more, np.concatenate([targets, np.full(50, -1)])) == (best,)


def test_perfect_answers_do_not_license_certainty():
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0], [0.1, 0.2]])
    assert fit_temperature(logits, np.array([0, 1, 0, 1])) == (1.0,)


def test_multilabel_temperatures_are_fitted_label_by_label():
    rng = np.random.default_rng(4)
    clean = rng.normal(size=(20000, 3))
    targets = (rng.random(clean.shape) < expit(clean)).astype(np.int8)
    targets[rng.random(clean.shape) < 0.3] = -1
    targets[:, 2] = np.where(targets[:, 2] >= 0, 1, -1)
    scaled = clean * np.array([2.0, 0.5, 7.0])
    first, second, only_yes = fit_temperature(scaled, targets, "sigmoid")
    assert first == pytest.approx(2, rel=0.1)
    assert second == pytest.approx(0.5, rel=0.1)
    assert only_yes == 1.0


def test_temperature_needs_matching_known_targets():
    with pytest.raises(DataError, match="no known target to fit a temperature on; use a split with labels"):
        fit_temperature(np.zeros((2, 3)), np.array([-1, -1]))
    with pytest.raises(DataError, match=r"targets do not fit the logits: expected \(2, 3\), got \(2,\)"):
        fit_temperature(np.zeros((2, 3)), np.array([0, 1]), "sigmoid")


def test_nll_is_finite_for_a_certain_wrong_answer():
    assert nll(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(-np.log(np.finfo(float).eps))
    np.testing.assert_allclose(nll(np.array([0.2, 0.2]), np.array([1, 0])), -np.log([0.2, 0.8]))


def test_selective_curve_written_out():
    limits, coverage, accuracy = selective_curve(np.array([0.9, 0.5, 0.9, 0.7]), np.array([1, 0, 0, 1]))
    np.testing.assert_allclose(limits, [0.9, 0.7, 0.5])
    np.testing.assert_allclose(coverage, [0.5, 0.75, 1.0])
    np.testing.assert_allclose(accuracy, [0.5, 2 / 3, 0.5])


def miscalibrated(n, factors, seed=0):
    """Logits of a truth drawn from their own softmax, each class then stretched by a factor."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, len(factors))) * 2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return z * np.array(factors), (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


class TestChooseTemperatures:
    def test_one_stretch_gets_one_temperature(self):
        for seed in range(5):
            found = choose_temperatures(*miscalibrated(600, (2, 2, 2), seed), range(600))
            assert len(found) == 1
            assert found[0] == pytest.approx(2, rel=0.2)

    def test_a_stretch_a_class_gets_a_temperature_a_class(self):
        logits, targets = miscalibrated(1500, (1, 3, 0.5))
        found = choose_temperatures(logits, targets, range(1500))
        np.testing.assert_allclose(found, (1, 3, 0.5), rtol=0.15)
        fresh, truth = miscalibrated(4000, (1, 3, 0.5), seed=9)
        one = fit_temperature(logits, targets)
        losses = [
            log_loss(truth, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
            for z in (fresh / np.array(one), fresh / np.array(found))
        ]
        assert losses[1] < losses[0] - 0.01

    def test_too_few_of_a_class_get_one_temperature(self):
        logits, targets = miscalibrated(1500, (1, 3, 0.5))
        few = np.concatenate([np.flatnonzero(targets != 1), np.flatnonzero(targets == 1)[: MIN_OF_CLASS - 1]])
        assert len(choose_temperatures(logits[few], targets[few], few)) == 1
        enough = np.append(few, np.flatnonzero(targets == 1)[MIN_OF_CLASS - 1])
        assert len(choose_temperatures(logits[enough], targets[enough], enough)) == 3

    def test_a_gain_within_one_patient_is_no_gain(self):
        logits, targets = miscalibrated(900, (1, 1, 1))
        logits[:300] *= np.array([1, 4, 0.3])  # one patient of ten is stretched otherwise
        groups = np.minimum(np.arange(900) // 300, 1) * 100 + np.arange(900) // 75 * (np.arange(900) >= 300)
        assert len(choose_temperatures(logits, targets, groups)) == 1

    def test_labels_keep_their_own_where_it_helps(self):
        rng = np.random.default_rng(0)
        z = rng.normal(size=(1200, 4)) * 2
        truth = (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(int)
        truth[:100, 1] = -1
        found = choose_temperatures(z * np.array([1, 3, 1, 0.5]), truth, range(1200), "multilabel")
        np.testing.assert_allclose(found, (1, 3, 1, 0.5), rtol=0.2)
        shared = choose_temperatures(z * 2, truth, range(1200), "multilabel")
        assert len(shared) == 1
        assert shared[0] == pytest.approx(2, rel=0.1)

    def test_errors(self):
        with pytest.raises(DataError, match="groups do not fit the logits: expected 3, got 2"):
            choose_temperatures(np.zeros((3, 2)), np.zeros(3, int), range(2))
        with pytest.raises(DataError, match="no known target to fit a temperature on"):
            choose_temperatures(np.zeros((3, 2)), np.full(3, -1), range(3))
