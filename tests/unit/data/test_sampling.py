"""Weights against scikit-learn and against counts written out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from vnvision.data.sampling import class_weights, log_prior, sample_weights
from vnvision.errors import DataError

RNG = np.random.default_rng(0)
TARGETS = np.concatenate([np.arange(4), RNG.choice(4, 200, p=[0.6, 0.25, 0.1, 0.05])])


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(4), y=TARGETS)
    np.testing.assert_allclose(class_weights(TARGETS, 4), expected)
    np.testing.assert_allclose(sample_weights(TARGETS, 4), compute_sample_weight("balanced", TARGETS))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_power_and_scale(power: float) -> None:
    weights = class_weights(TARGETS, 4, power)
    counts = np.bincount(TARGETS)
    np.testing.assert_allclose(weights / weights[0], (counts / counts[0]) ** -power)
    assert sample_weights(TARGETS, 4, power).mean() == pytest.approx(1.0)


def test_unknown_and_absent() -> None:
    targets = np.array([0, 0, 0, 2, -1, -1])
    assert class_weights(targets, 4).tolist() == pytest.approx([2 / 3, 0, 2, 0])
    assert sample_weights(targets, 4).tolist() == pytest.approx([2 / 3] * 3 + [2, 0, 0])
    unknown = np.array([-1, -1])
    assert class_weights(unknown, 2).tolist() == [0, 0]
    assert sample_weights(unknown, 2).tolist() == [0, 0]
    assert sample_weights(np.zeros(0, np.int64), 2).shape == (0,)


def test_multilabel() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [0, 0], [-1, -1], [0, -1]], dtype=np.int8)
    # Three positives of the first label, one of the second.
    weights = class_weights(targets, 2)
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 2])
    rows = sample_weights(targets, 2)
    # The rarest positive label counts; four rows without any are a class of their own.
    raw = np.array([1 / 3, 1 / 3, 1, 1 / 4, 1 / 4, 1 / 4, 0, 1 / 4])
    np.testing.assert_allclose(rows, raw * 7 / raw.sum())
    assert sample_weights(targets, 2, power=0).tolist() == pytest.approx([1] * 6 + [0, 1])
    assert sample_weights(np.full((2, 2), -1, np.int8), 2).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("targets", "power", "part"),
    [
        (np.array([0, 4]), 1.0, r"expected whole numbers in -1..3, got int64 0..4"),
        (np.array([-2]), 1.0, r"-1..3"),
        (np.array([0.5]), 1.0, "float64"),
        (np.zeros((2, 3), int), 1.0, r"expected \(N,\) or \(N, 4\), got \(2, 3\)"),
        (np.full((2, 4), 2), 1.0, r"-1..1"),
        (np.array([0]), -1.0, "power"),
    ],
)
def test_wrong_targets(targets: np.ndarray, power: float, part: str) -> None:
    for weigh in (class_weights, sample_weights):
        with pytest.raises(DataError, match=part):
            weigh(targets, 4, power)


def test_the_log_prior_is_of_labelled_examples():
    found = log_prior(np.array([0, 0, 0, 1, -1]), 3)
    np.testing.assert_allclose(np.exp(found), [0.6, 0.2, 0.2])
    with pytest.raises(DataError, match=r"expected \(N,\), got \(2, 2\)"):
        log_prior(np.zeros((2, 2), int), 2)
