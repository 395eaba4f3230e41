from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.pairs import iter_pairs_blocks
from vnvision.metrics.thresholds import rule_of_three, threshold_at_fmr
from vnvision.metrics.verification import eer


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 80),
    st.sampled_from([3, 10**6]),
    st.sampled_from([0.001, 0.05, 0.3, 1]),
)
def test_threshold_holds_the_rate_and_is_the_smallest_that_does(seed, n, levels, target):
    scores = np.random.default_rng(seed).integers(0, levels, n) / levels
    found = threshold_at_fmr(scores, target)
    assert found.achieved == (scores >= found.threshold).mean()
    assert found.achieved <= target + 1e-12
    below = scores[scores < found.threshold]
    if len(below):  # any lower threshold lets the next score in, and that is too many
        assert (scores >= below.max()).mean() > target
    assert found.supported == (n >= 3 / target)


def test_a_threshold_of_float32_scores_holds_when_compared_in_float32(unit):
    rng = np.random.default_rng(6)
    x = unit(rng, 60)
    part = next(iter_pairs_blocks(x, range(60)))
    for target in (0.01, 0.05, 0.1):
        found = threshold_at_fmr(part.impostor, target)
        assert (part.impostor >= found.threshold).mean() == found.achieved <= target
        assert len(part.false_matches(found.threshold)[0]) == round(found.achieved * found.n_impostor)
        # A threshold found in float64, too, is not rounded down to the score it refuses.
        exact = threshold_at_fmr(part.impostor.astype(np.float64), target)
        assert len(part.false_matches(exact.threshold)[0]) == round(exact.achieved * exact.n_impostor)


def test_too_few_comparisons_are_said_to_be_too_few():
    found = threshold_at_fmr(np.linspace(0, 1, 2999), 1e-3)
    assert (found.n_impostor, found.needed, found.supported) == (2999, 3000, False)
    assert threshold_at_fmr(np.linspace(0, 1, 3000), 1e-3).supported
    assert rule_of_three(1e-4) == 30000


def test_bad_scores_and_rates_are_refused():
    with pytest.raises(DataError, match="no impostor comparisons"):
        threshold_at_fmr(np.array([]), 0.1)
    with pytest.raises(DataError, match="a genuine score is not finite"):
        eer(np.array([np.nan]), np.array([0.1]))
    for target in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="expected 0 < rate <= 1"):
            threshold_at_fmr(np.array([0.1]), target)
