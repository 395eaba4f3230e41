from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics as sk

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.metrics.comparisons import Comparisons, tar_at_fmr, tar_draws


def test_tar_at_fmr_agrees_with_sklearn():
    rng = np.random.default_rng(5)
    genuine, impostor = rng.normal(0.5, 0.2, 500), rng.normal(0, 0.15, 4000)
    fpr, tpr, _ = sk.roc_curve(
        np.repeat([1, 0], [500, 4000]), np.concatenate([genuine, impostor]), drop_intermediate=False
    )
    for target in (1e-3, 1e-2, 0.1):
        assert tar_at_fmr(genuine, impostor, target).tar.value == pytest.approx(tpr[fpr <= target].max())


def pairs_model(rng, n_subjects):
    a, b = np.triu_indices(n_subjects, 1)
    who = rng.normal(size=n_subjects) * np.sqrt(0.05)
    impostor = np.sqrt(0.9) * rng.normal(size=len(a)) + who[a] + who[b]
    genuine = 3 + rng.normal(size=(n_subjects, 1)) * np.sqrt(0.3)
    genuine = genuine + np.sqrt(0.7) * rng.normal(size=(n_subjects, 3))
    people = np.repeat(np.arange(n_subjects), 3)
    return Comparisons(genuine.ravel(), people, impostor, np.stack([a, b], 1), n_subjects)


def test_tar_draws_agree_with_repeating_comparisons():
    pairs = pairs_model(np.random.default_rng(0), 12)
    ours = tar_draws(pairs, 0.1, 30, 2)
    weights = np.concatenate(list(ClusterBootstrap(range(12), 30, 2).blocks()), axis=1).astype(int)
    for draw, w in zip(ours, weights.T, strict=True):
        impostor = np.repeat(pairs.impostor, w[pairs.impostor_subjects].prod(axis=1))
        genuine = np.repeat(pairs.genuine, w[pairs.genuine_subjects])
        assert draw == pytest.approx(tar_at_fmr(genuine, impostor, 0.1).tar.value)


@pytest.mark.slow
def test_planted_tar_lies_in_its_interval():
    rng = np.random.default_rng(3)
    truth = norm.sf(norm.isf(0.02) - 3)
    held = 0
    for trial in range(200):
        tar = tar_at_fmr(pairs_model(rng, 60), target=0.02, n_boot=200, seed=trial).tar
        held += tar.low <= truth <= tar.high
    assert 0.90 <= held / 200 <= 0.99


def test_pairs_by_name():
    pairs = Comparisons.from_pairs(np.array([0.9, 0.1, 0.4]), ["an", "an", "binh"], ["an", "binh", "an"])
    assert pairs.genuine.tolist() == [0.9]
    assert pairs.impostor.tolist() == [0.1, 0.4]
    counts = pairs.false_matches(0.3)
    assert (counts.total, counts.errors.tolist(), counts.n_subjects) == (2, [1.0], 2)
    assert pairs.false_non_matches(0.95).rate == 1
    with pytest.raises(DataError, match="pairs do not fit"):
        Comparisons.from_pairs(np.array([0.9]), ["an"], ["an", "binh"])
    with pytest.raises(ConfigError, match="impostor scores are missing"):
        tar_at_fmr(np.array([0.1]))


def test_results_survive_json():
    found = tar_at_fmr(pairs_model(np.random.default_rng(0), 20), target=0.1, n_boot=50)
    assert type(found).from_json(found.to_json()) == found
