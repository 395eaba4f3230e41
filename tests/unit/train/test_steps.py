import math

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.train.data import Steps
from vnvision.train.schedule import warmup_cosine


def steps(n=37, batch=8, start=0, stop=20, **more):
    return Steps(n, batch, accumulate=more.pop("accumulate", 1), seed=3, start=start, stop=stop, **more)


def test_starting_in_the_middle_continues_the_same_order():
    whole = list(steps())
    assert list(steps(start=7)) == whole[7:]


def test_an_epoch_sees_no_row_twice():
    first = [row for batch in list(steps())[: steps().per_epoch] for _, row in batch]
    assert len(first) == len(set(first)) == 32


def test_ranks_together_see_what_one_process_sees():
    whole = list(steps())
    halves = [list(steps(rank=rank, world=2)) for rank in (0, 1)]
    assert [a + b for a, b in zip(*halves, strict=True)] == whole


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(DataError, match="a multiple of 3, got 8"):
        steps(world=3)


def test_fewer_rows_than_a_batch_still_make_a_step():
    assert len(next(iter(steps(n=5, stop=2)))) == 5


def test_weights_draw_rare_rows_more_often():
    weights = np.ones(37)
    weights[0] = 37
    rows = [row for batch in steps(stop=400, weights=weights) for _, row in batch]
    assert rows.count(0) / len(rows) == pytest.approx(0.5, abs=0.05)


def test_schedule_follows_the_formula():
    factors = [warmup_cosine(step, 100, warmup=10, min_ratio=0.1) for step in range(101)]
    assert factors[0] == 0.1
    assert factors[9] == 1.0
    assert factors[55] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert factors[100] == pytest.approx(0.1)
    assert warmup_cosine(500, 100, warmup=10, min_ratio=0.1) == pytest.approx(0.1)
