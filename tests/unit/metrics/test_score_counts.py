from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.comparisons import tar_at_fmr
from vnvision.metrics.pairs import iter_pairs_blocks
from vnvision.metrics.score_counts import ScoreCounts
from vnvision.metrics.thresholds import threshold_at_fmr
from vnvision.metrics.verification import eer


def test_counts_of_blocks_equal_counts_of_scores_and_exact_rates_at_edges(unit):
    rng = np.random.default_rng(7)
    x, who = unit(rng, 150, 6), rng.integers(0, 30, 150)
    by_block, by_score, halves = ScoreCounts(1 << 10), ScoreCounts(1 << 10), ScoreCounts(1 << 10)
    genuine, impostor = [], []
    for number, part in enumerate(iter_pairs_blocks(x, who, 64)):
        by_block.add_block(part)
        by_score.add(part.genuine, part.impostor)
        halves.merge(ScoreCounts(1 << 10).add_block(part)) if number % 2 else halves.add_block(part)
        genuine.append(part.genuine)
        impostor.append(part.impostor)
    for other in (by_score, halves):
        assert (by_block.genuine == other.genuine).all()
        assert (by_block.impostor == other.impostor).all()
    same, different = np.concatenate(genuine), np.concatenate(impostor)
    assert by_block.n_genuine == len(same)
    assert by_block.n_genuine + by_block.n_impostor == 150 * 149 // 2
    for edge in np.arange(-512, 513, 37) / 512:
        assert by_block.fmr(edge) == pytest.approx((different >= edge).mean(), abs=1e-12)
        assert by_block.fnmr(edge) == pytest.approx((same < edge).mean(), abs=1e-12)
    for off in (-0.7003, 0.1234567, 0.98765):  # between edges neither error is made to look smaller
        assert by_block.fmr(off) >= (different >= off).mean() - 1e-12
        assert by_block.fnmr(off) >= (same < off).mean() - 1e-12
    for target in (1e-3, 1e-2, 0.2):
        found, exact = by_block.threshold_at_fmr(target), threshold_at_fmr(different, target)
        assert (different >= found.threshold).mean() == pytest.approx(found.achieved)
        assert found.achieved <= target
        assert exact.threshold <= found.threshold <= exact.threshold + by_block.resolution
        assert by_block.tar_at_fmr(target).tar.value <= tar_at_fmr(same, different, target).tar.value + 1e-12
    assert by_block.eer().rate == pytest.approx(eer(same, different).rate, abs=0.02)
    points = by_block.roc_curve(50)
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert by_block.det_curve(50)[0] == (0.0, 1.0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1.125, 1.125, width=32), min_size=1, max_size=40), st.integers(-8, 9))
def test_sorting_into_bins_is_free_of_rounding(scores, edge):
    values = np.array(scores, np.float32)
    counts = ScoreCounts(16).add(np.array([]), values)
    if -8 < edge <= 8:
        assert counts.fmr(edge / 8) == pytest.approx((values >= edge / 8).mean())


def test_tiny_negative_scores_stay_below_zero():
    counts = ScoreCounts().add(np.array([-1e-30]), np.array([-1e-30, 1e-30], np.float32))
    assert counts.fmr(0.0) == 0.5
    assert counts.fnmr(0.0) == 1.0


def test_histogram_refuses_nonsense():
    with pytest.raises(ConfigError, match="expected a power of two, got 100"):
        ScoreCounts(100)
    with pytest.raises(DataError, match="a score is not a number"):
        ScoreCounts().add(np.array([np.nan]), np.array([0.0]))
    with pytest.raises(DataError, match="no impostor comparisons"):
        ScoreCounts().fmr(0.1)
    with pytest.raises(DataError, match="expected 4 bins, got 8"):
        ScoreCounts(4).merge(ScoreCounts(8))


def test_everything_above_one_bin_still_gets_a_threshold():
    counts = ScoreCounts(8).add(np.array([1.0]), np.ones(10))
    found = counts.threshold_at_fmr(0.05)
    assert (found.achieved, found.threshold > 1) == (0.0, True)
