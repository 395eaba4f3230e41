from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student
from sklearn import metrics as sk

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.verification import (
    Comparisons,
    ScoreCounts,
    SubjectCounts,
    best_accuracy_threshold,
    design_effect,
    det_curve,
    eer,
    fold_accuracy,
    iter_pairs_blocks,
    rate_interval,
    roc_curve,
    rule_of_three,
    tar_at_fmr,
    threshold_at_fmr,
)


def unit(rng: np.random.Generator, n: int, d: int = 8) -> np.ndarray:
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# --- blocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 20, 64])
def test_blocks_give_every_unordered_pair_once(block):
    rng = np.random.default_rng(0)
    x, who = unit(rng, 41), rng.integers(0, 9, 41)
    full = x.astype(np.float64) @ x.T.astype(np.float64)
    seen = {True: {}, False: {}}
    for part in iter_pairs_blocks(x, who, block):
        for genuine, scores, at in (
            (True, part.genuine, part.genuine_at),
            (False, part.impostor, part.impostor_at),
        ):
            for score, i, j in zip(scores, *at, strict=True):
                assert (i, j) not in seen[genuine]
                assert score == pytest.approx(full[i, j], abs=1e-6)
                seen[genuine][i, j] = score
    wanted = {(i, j) for i in range(41) for j in range(i + 1, 41)}
    assert set(seen[True]) == {(i, j) for i, j in wanted if who[i] == who[j]}
    assert set(seen[False]) == {(i, j) for i, j in wanted if who[i] != who[j]}


def test_false_matches_are_the_impostors_that_reach_the_threshold():
    rng = np.random.default_rng(1)
    x, who = unit(rng, 30), rng.integers(0, 5, 30)
    for part in iter_pairs_blocks(x, who, 13):
        rows, cols = part.impostor_at
        hit = part.impostor >= 0.4
        found = part.false_matches(0.4)
        assert list(zip(*found, strict=True)) == list(zip(rows[hit], cols[hit], strict=True))


def test_blocks_refuse_what_is_not_a_table_of_unit_vectors():
    x = unit(np.random.default_rng(0), 4)
    with pytest.raises(DataError, match=r"expected \(3, D\), got \(4, 8\)"):
        list(iter_pairs_blocks(x, [0, 1, 2]))
    with pytest.raises(DataError, match="embedding 2 is not unit-norm: expected norm 1, got 2"):
        list(iter_pairs_blocks(x * np.array([[1], [1], [2], [1]]), [0, 1, 2, 3]))
    with pytest.raises(DataError, match="embedding 1 is not unit-norm"):
        list(iter_pairs_blocks(x * np.array([[1], [np.nan], [2], [1]]), [0, 1, 2, 3]))
    with pytest.raises(ConfigError, match="block is too small"):
        list(iter_pairs_blocks(x, range(4), block=0))


# --- thresholds -----------------------------------------------------------------------------------------


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


def test_a_threshold_of_float32_scores_holds_when_compared_in_float32():
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


# --- curves ---------------------------------------------------------------------------------------------


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


def test_tar_at_fmr_agrees_with_sklearn():
    rng = np.random.default_rng(5)
    genuine, impostor = rng.normal(0.5, 0.2, 500), rng.normal(0, 0.15, 4000)
    fpr, tpr, _ = sk.roc_curve(
        np.repeat([1, 0], [500, 4000]), np.concatenate([genuine, impostor]), drop_intermediate=False
    )
    for target in (1e-3, 1e-2, 0.1):
        assert tar_at_fmr(genuine, impostor, target).tar.value == pytest.approx(tpr[fpr <= target].max())


# --- ten folds ------------------------------------------------------------------------------------------


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


# --- histograms -----------------------------------------------------------------------------------------


def test_counts_of_blocks_equal_counts_of_scores_and_exact_rates_at_edges():
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


# --- subjects -------------------------------------------------------------------------------------------


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
    from vnvision.metrics.bootstrap import ClusterBootstrap

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


# --- TAR with its interval ------------------------------------------------------------------------------


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
    from vnvision.metrics.bootstrap import ClusterBootstrap
    from vnvision.metrics.verification import _tar_draws

    ours = _tar_draws(pairs, 0.1, 30, 2)
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
