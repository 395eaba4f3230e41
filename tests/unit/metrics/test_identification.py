from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.identification import TpirAtFpir, cmc, search, search_blocks, tpir_at_fpir


def unit(rng, n, d=8):
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def case(seed=0, n_people=30, n_enrolled=20, noise=0.5):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_people, 8))
    enrolled = np.repeat(np.arange(n_enrolled), rng.integers(1, 4, n_enrolled))
    probed = np.repeat(np.arange(n_people), rng.integers(1, 5, n_people))
    rng.shuffle(enrolled)
    rng.shuffle(probed)

    def look(who):
        x = centres[who] + noise * rng.normal(size=(len(who), 8))
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)

    return look(probed), look(enrolled), [f"p{i}" for i in probed], [f"p{i}" for i in enrolled]


def brute(probes, gallery, probe_subjects, gallery_subjects):
    out = []
    for row, who in zip(probes @ gallery.T, probe_subjects, strict=True):
        best = {}
        for score, name in zip(row, gallery_subjects, strict=True):
            best[name] = max(best.get(name, -np.inf), score)
        mate = best.get(who)
        rank = 0 if mate is None else sum(score >= mate for score in best.values())
        out.append((max(best.values()), np.nan if mate is None else mate, rank))
    return np.array(out).T


def test_search_agrees_with_a_plain_loop(monkeypatch):
    from vnvision.metrics import identification

    monkeypatch.setattr(identification, "_BLOCK_CELLS", 100)  # several blocks
    data = case()
    found = search(*data)
    top, mate, rank = brute(*data)
    np.testing.assert_allclose(found.top_score, top, atol=1e-6)
    np.testing.assert_allclose(found.mate_score, mate, atol=1e-6)
    assert found.mate_rank.tolist() == rank.tolist()
    assert found.n_enrolled == 20


def test_tpir_and_fpir_by_counting():
    found = search(*case(noise=0.8))
    mated = found.mated
    for target in (0.05, 0.2, 1.0):
        point = tpir_at_fpir(found, target)
        limit = point.at.threshold
        assert point.fpir.value == (found.top_score[~mated] >= limit).mean() <= target
        right = (found.mate_score[mated] >= limit) & (found.mate_rank[mated] == 1)
        assert point.tpir.value == pytest.approx(right.mean())
        assert point.tpir.low <= point.tpir.value <= point.tpir.high
        assert point.tpir.n == mated.sum()
        anywhere = tpir_at_fpir(found, target, rank=None)
        assert anywhere.tpir.value == pytest.approx((found.mate_score[mated] >= limit).mean())
    assert not tpir_at_fpir(found, 0.001).at.supported
    assert tpir_at_fpir(found, 1.0).at.supported


def test_cmc_rises_to_one_and_starts_at_rank_one():
    found = search(*case(noise=0.8))
    curve = cmc(found, 100)
    values = [metric.value for metric in curve]
    assert len(values) == 20
    assert values == sorted(values)
    assert values[-1] == 1.0
    assert values[0] == pytest.approx((found.mate_rank[found.mated] == 1).mean())
    assert curve[-1].low < 1.0


def test_ties_count_against_the_mate():
    scores = np.array([[0.5, 0.5, 0.1]])
    assert search_blocks([scores], ["b"], ["a", "b", "c"]).mate_rank.tolist() == [2]


def test_closed_or_empty_sets_are_refused():
    rng = np.random.default_rng(0)
    found = search(unit(rng, 4), unit(rng, 3), ["a", "b", "c", "a"], ["a", "b", "c"])
    with pytest.raises(DataError, match="expected mated and non-mated probes, got 4 and 0"):
        tpir_at_fpir(found, 0.1)
    strangers = search(unit(rng, 4), unit(rng, 3), ["w", "x", "y", "z"], ["a", "b", "c"])
    with pytest.raises(DataError, match="a CMC needs mated searches"):
        cmc(strangers)
    with pytest.raises(DataError, match="the gallery is empty"):
        search(unit(rng, 2), unit(rng, 0), ["a", "b"], [])
    with pytest.raises(DataError, match="embeddings do not fit"):
        search(unit(rng, 2), unit(rng, 2, 9), ["a", "b"], ["a", "b"])
    with pytest.raises(ConfigError, match="rank is too small"):
        tpir_at_fpir(found, 0.1, rank=0)
    with pytest.raises(ConfigError, match="max_rank is too small"):
        cmc(found, 0)


def test_blocks_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="expected 2 rows, got 1"):
        search_blocks([np.zeros((1, 3))], ["a", "b"], ["a", "b", "c"])
    with pytest.raises(DataError, match="expected 1 x 3"):
        search_blocks([np.zeros((1, 2))], ["a"], ["a", "b", "c"])
    with pytest.raises(DataError, match="a score is not finite"):
        search_blocks([np.full((1, 3), np.nan)], ["a"], ["a", "b", "c"])


def test_result_survives_json():
    point = tpir_at_fpir(search(*case()), 0.1)
    assert TpirAtFpir.from_json(point.to_json()) == point


def test_planted_tpir_lies_in_its_interval():
    """Mated scores with subject effects; the threshold is fixed by the non-mated searches' design."""
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        # One enrolled stranger scores 0; non-mated probes are far below, so the threshold is known.
        effect = rng.normal(size=(60, 1)) * np.sqrt(0.4)
        mate = (effect + rng.normal(size=(60, 3)) * np.sqrt(0.6)).ravel()
        who = np.repeat(np.arange(60), 3)
        scores = np.full((181, 60), -9.0)
        scores[np.arange(180), who] = mate
        scores[180] = -1.0
        found = search_blocks([scores], [*who.tolist(), "stranger"], list(range(60)))
        tpir = tpir_at_fpir(found, 0.5).tpir
        held += tpir.low <= norm.cdf(1.0) <= tpir.high
    assert 0.90 <= held / 200 <= 0.99
