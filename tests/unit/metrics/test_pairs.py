from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.pairs import iter_pairs_blocks


@pytest.mark.parametrize("block", [1, 7, 20, 64])
def test_blocks_give_every_unordered_pair_once(block, unit):
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


def test_false_matches_are_the_impostors_that_reach_the_threshold(unit):
    rng = np.random.default_rng(1)
    x, who = unit(rng, 30), rng.integers(0, 5, 30)
    for part in iter_pairs_blocks(x, who, 13):
        rows, cols = part.impostor_at
        hit = part.impostor >= 0.4
        found = part.false_matches(0.4)
        assert list(zip(*found, strict=True)) == list(zip(rows[hit], cols[hit], strict=True))


def test_blocks_refuse_what_is_not_a_table_of_unit_vectors(unit):
    x = unit(np.random.default_rng(0), 4)
    with pytest.raises(DataError, match=r"expected \(3, D\), got \(4, 8\)"):
        list(iter_pairs_blocks(x, [0, 1, 2]))
    with pytest.raises(DataError, match="embedding 2 is not unit-norm: expected norm 1, got 2"):
        list(iter_pairs_blocks(x * np.array([[1], [1], [2], [1]]), [0, 1, 2, 3]))
    with pytest.raises(DataError, match="embedding 1 is not unit-norm"):
        list(iter_pairs_blocks(x * np.array([[1], [np.nan], [2], [1]]), [0, 1, 2, 3]))
    with pytest.raises(ConfigError, match="block is too small"):
        list(iter_pairs_blocks(x, range(4), block=0))
