"""P x K batches: who, how often, from where on; and weights against their definition."""

from collections import Counter

import numpy as np
import pytest

from vnvision.data.identities import IdentityBatches, people_weights, picture_weights
from vnvision.errors import ConfigError, DataError

COUNTS = [1, 2, 3, 5, 9, 4, 4, 4, 7, 30]
CODES = np.random.default_rng(0).permutation(np.repeat(np.arange(10), COUNTS))


def batches(start=0, stop=10, *, codes=CODES, people=4, pictures=4, **options):
    return list(IdentityBatches(codes, people, pictures, seed=3, start=start, stop=stop, **options))


def test_every_batch_has_p_people_with_k_pictures_each():
    for batch in batches():
        assert len(batch) == 16
        shown = [CODES[row] for _, row in batch]
        assert Counter(shown) == dict.fromkeys(set(shown), 4)
        assert len(set(shown)) == 4
        for person in set(shown):
            times = Counter(row for _, row in batch if CODES[row] == person)
            assert max(times.values()) - min(times.values()) <= 1, "repeated as rarely as can be"
            assert len(times) == min(4, COUNTS[person])


def test_an_epoch_visits_everybody_at_most_once_and_the_next_in_another_order():
    steps = IdentityBatches(CODES, 4, 2, seed=3, start=0, stop=4)
    assert steps.per_epoch == 2
    assert len(steps) == 4
    whole = list(steps)
    people = [[CODES[row] for _, row in batch][::2] for batch in whole]
    for at in (0, 2):
        assert len(set(people[at] + people[at + 1])) == 8
    assert people[:2] != people[2:]
    assert [batch[0][0] for batch in whole] == [0, 0, 1, 1]


def test_it_starts_again_at_any_step_and_another_seed_is_another_order():
    whole = batches(0, 12)
    for start in (1, 5, 11):
        assert batches(start, 12) == whole[start:]
    weights = np.arange(1.0, 11.0)
    whole = batches(0, 12, weights=weights)
    assert batches(7, 12, weights=weights) == whole[7:]
    assert list(IdentityBatches(CODES, 4, 4, seed=4, start=0, stop=12)) != batches(0, 12)


@pytest.mark.parametrize("weights", [None, np.ones(10)])
def test_ranks_share_a_batch_without_overlap(weights):
    whole = batches(weights=weights)
    for world in (2, 4):
        parts = [batches(weights=weights, rank=rank, world=world) for rank in range(world)]
        assert [[key for part in some for key in part] for some in zip(*parts, strict=True)] == whole


def test_pictures_beyond_k_come_in_later_epochs():
    codes = np.repeat([0, 1], 8)
    seen = {row for batch in batches(0, 30, codes=codes, people=2, pictures=2) for _, row in batch}
    assert seen == set(range(16))


def test_unknown_pictures_and_people_of_weight_0_are_never_drawn():
    codes = np.where(np.arange(len(CODES)) % 3 == 0, -1, CODES)
    rows = {row for batch in batches(0, 40, codes=codes, people=2) for _, row in batch}
    assert all(codes[row] >= 0 for row in rows)
    weights = np.where(np.arange(10) < 5, 0.0, 1.0)
    shown = {CODES[row] for batch in batches(0, 40, weights=weights) for _, row in batch}
    assert shown == {5, 6, 7, 8, 9}


def test_people_are_drawn_by_weight():
    """With one person a batch the share of each is its weight's share; 4 standard errors of a binomial."""
    weights = np.array([1.0, 2, 3, 4, 10, 0, 0, 0, 0, 0])
    n = 3000
    shown = Counter(int(CODES[batch[0][1]]) for batch in batches(0, n, people=1, pictures=1, weights=weights))
    for person, p in enumerate(weights / weights.sum()):
        assert abs(shown[person] / n - p) <= 4 * np.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"people": 11}, DataError, "too few people for a batch: expected 11 .*, got 10; take fewer"),
        ({"people": 0}, ConfigError, "people of a batch: expected 1 or more, got 0"),
        ({"pictures": 0}, ConfigError, "pictures of a batch: expected 1 or more"),
        ({"world": 3}, ConfigError, "do not divide over the processes: expected a multiple of 3"),
        ({"rank": 1}, ConfigError, r"a rank in 0\.\.0"),
        ({"codes": np.array([0.5])}, DataError, r"codes of people or groups: expected \(N,\) whole numbers"),
        ({"codes": np.array([-2, 1])}, DataError, "codes of people or groups"),
        (
            {"weights": np.ones(9)},
            DataError,
            r"weights of people: expected 10 finite numbers from 0, got \(9,\)",
        ),
        ({"weights": -np.ones(10)}, DataError, "weights of people"),
        ({"weights": np.eye(10)[0]}, DataError, "expected 4 with a picture and a weight above 0, got 1"),
    ],
)
def test_what_cannot_be_batched(options, error, message):
    with pytest.raises(error, match=message):
        batches(**options)


def test_picture_weights_are_one_over_the_root_of_n():
    weights = picture_weights(CODES)
    expected = np.array([COUNTS[c] ** -0.5 for c in CODES])
    np.testing.assert_allclose(weights, expected / expected.mean())
    np.testing.assert_allclose(picture_weights(CODES, power=0), 1)
    sums = np.bincount(CODES, picture_weights(CODES, power=1))
    np.testing.assert_allclose(sums, sums[0])


def test_groups_are_drawn_alike_and_keep_their_people_in_proportion():
    groups = np.where(CODES < 3, 0, 1)
    weights = picture_weights(CODES, groups=groups)
    np.testing.assert_allclose(weights[groups == 0].sum(), weights[groups == 1].sum())
    np.testing.assert_allclose(weights.mean(), 1)
    inside = picture_weights(CODES)
    for group in (0, 1):
        ratio = weights[groups == group] / inside[groups == group]
        np.testing.assert_allclose(ratio, ratio[0])
    some = np.where(np.arange(len(CODES)) % 5 == 0, -1, groups)
    assert (picture_weights(CODES, groups=some)[some < 0] == 0).all()
    with pytest.raises(DataError, match="groups of pictures"):
        picture_weights(CODES, groups=groups[1:])


def test_people_weights_balance_groups():
    groups = np.array([0, 0, 0, 1, -1])
    np.testing.assert_allclose(people_weights(groups), [4 / 6, 4 / 6, 4 / 6, 2, 0])
