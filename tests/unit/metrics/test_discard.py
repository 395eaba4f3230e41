from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.discard import NOT_SHOWN, TOO_FEW, GenuineQuality, discard_curve


def planted(rng, subjects=80, effect=0.8, base=2.0):
    """Two to five images a subject; a comparison's score falls with the worse of its qualities."""
    own = np.repeat(np.arange(subjects), rng.integers(2, 6, subjects))
    quality = rng.normal(size=len(own))
    pairs = np.array(
        [(i, j) for i in range(len(own)) for j in range(i + 1, i + 5) if own[i] in own[j : j + 1]]
    )
    lower = quality[pairs].min(axis=1)
    scores = base + effect * lower + rng.normal(size=subjects)[own[pairs[:, 0]]] * 0.7
    return GenuineQuality(scores + rng.normal(size=len(pairs)), pairs, quality, own)


def at(curve, share):
    return next(point for point in curve.points if point.discard == share)


def test_fnmr_is_that_of_the_comparisons_left():
    data = planted(np.random.default_rng(0))
    curve = discard_curve(data, 0.5, discards=(0.25, 0.5))
    wrong = data.scores < 0.5
    worst_first = np.argsort(data.quality[data.images].min(axis=1), kind="stable")
    for share in (0.0, 0.1, 0.25, 0.5):
        # Ties: two comparisons whose worse image is the same one; a whole number of comparisons is gone
        # only by chance, so the expected rate lies between the two nearest cuts.
        gone = share * len(wrong)
        near = [wrong[worst_first[int(gone) + d :]].mean() for d in (-3, -2, -1, 0, 1, 2, 3) if gone + d >= 0]
        assert min(near) <= at(curve, share).fnmr.value <= max(near)
    assert at(curve, 0.0).fnmr.value == pytest.approx(wrong.mean())
    assert at(curve, 0.0).fnmr.n == len(wrong)
    assert [point.discard for point in curve.points] == [0.0, 0.1, 0.2, 0.25, 0.5]


def test_written_out_by_hand():
    # Four subjects, one comparison each; qualities 1, 2, 3, 4 for the worse image, errors at 1 and 4.
    data = GenuineQuality(
        np.array([0.1, 0.9, 0.9, 0.1]),
        np.array([[0, 1], [2, 3], [4, 5], [6, 7]]),
        np.array([1.0, 9, 9, 2, 3, 9, 9, 4]),
        ["a", "a", "b", "b", "c", "c", "d", "d"],
    )
    curve = discard_curve(data, 0.5, discards=(0.5, 0.75), limit=0.25, at=0.25)
    assert [at(curve, share).fnmr.value for share in (0.0, 0.25, 0.5, 0.75)] == [0.5, 1 / 3, 0.5, 1.0]
    assert [at(curve, share).cut for share in (0.0, 0.25, 0.5, 0.75)] == [1, 2, 3, 4]
    assert curve.change.value == pytest.approx(1 / 3 - 1 / 2)
    assert curve.area.value == pytest.approx((0.5 + 1 / 3) / 2)
    assert curve.area_best == pytest.approx((0.5 + 0.25 / 0.75) / 2)
    # Influence of a..d on 1/3 over b, c, d less that on 1/2 over all, times 4 / 3 subjects.
    influence = np.array([0, -1 / 9, -1 / 9, 2 / 9]) - np.array([0.5, -0.5, -0.5, 0.5]) / 4
    squares = influence**2
    free = squares.sum() ** 2 / (squares**2).sum() - 1
    half = student.ppf(0.975, max(free, 1)) * np.sqrt(squares.sum() * 4 / 3)
    assert curve.change.low == pytest.approx(max(1 / 3 - 1 / 2 - half, -1))
    assert curve.change.high == pytest.approx(min(1 / 3 - 1 / 2 + half, 1))
    assert (curve.shown, curve.change.note) == (False, NOT_SHOWN)


def test_discarding_images_takes_their_comparisons_with_them():
    data = GenuineQuality(
        np.array([0.1, 0.1, 0.9, 0.9]),
        np.array([[0, 1], [0, 2], [1, 2], [3, 4]]),
        np.array([0.0, 5, 6, 7, 8]),
        ["a", "a", "a", "b", "b"],
    )
    curve = discard_curve(data, 0.5, of="images", at=0.2, discards=())
    assert at(curve, 0.2).fnmr.value == 0.0
    assert at(curve, 0.2).fnmr.n == 2
    assert curve.area_best is None
    # By comparisons a fifth is not even one of the two errors.
    fifth = discard_curve(data, 0.5, at=0.2, discards=())
    assert at(fifth, 0.2).fnmr.value == pytest.approx((2 - 0.8) / (4 - 0.8))


def test_ties_are_shared_whatever_the_order():
    rng = np.random.default_rng(3)
    data = planted(rng)
    coarse = np.round(data.quality)
    order = rng.permutation(len(data.scores))
    first = discard_curve(GenuineQuality(data.scores, data.images, coarse, data.subjects), 0.5)
    other = discard_curve(GenuineQuality(data.scores[order], data.images[order], coarse, data.subjects), 0.5)
    for one, two in zip(first.points, other.points, strict=True):
        assert one.fnmr.value == pytest.approx(two.fnmr.value)
    flat = discard_curve(GenuineQuality(data.scores, data.images, coarse * 0, data.subjects), 0.5)
    assert {round(point.fnmr.value, 12) for point in flat.points} == {round(flat.points[0].fnmr.value, 12)}
    assert flat.change.value == pytest.approx(0)
    assert not flat.shown


def test_a_quality_that_tells_is_shown_and_noise_is_not():
    data = planted(np.random.default_rng(1), subjects=300, effect=1.2)
    told = discard_curve(data, 0.5)
    assert told.shown
    assert told.change.high < 0
    assert told.change.note is None
    assert told.area_best < told.area.value < told.points[0].fnmr.value
    noise = np.random.default_rng(2).normal(size=len(data.quality))
    blind = discard_curve(GenuineQuality(data.scores, data.images, noise, data.subjects), 0.5)
    assert (blind.shown, blind.change.note) == (False, NOT_SHOWN)
    worse = discard_curve(GenuineQuality(data.scores, data.images, -data.quality, data.subjects), 0.5, at=0.5)
    assert worse.change.low > 0
    assert (worse.shown, worse.change.note) == (False, None)


@pytest.mark.parametrize("of", ["comparisons", "images"])
def test_intervals_hold_the_planted_change(of):
    truth = discard_curve(planted(np.random.default_rng(9), subjects=1500), 0.0, of=of, discards=())
    rng = np.random.default_rng(10)
    held = []
    for _ in range(80):
        change = discard_curve(planted(rng, subjects=60), 0.0, of=of, discards=()).change
        held.append(change.low <= truth.change.value <= change.high)
    assert np.mean(held) >= 0.88


def test_no_errors_and_one_subject_give_no_interval():
    data = planted(np.random.default_rng(4))
    perfect = discard_curve(data, -100.0)
    assert perfect.change.value == 0
    assert (perfect.change.low, perfect.change.note, perfect.shown) == (None, TOO_FEW, False)
    alone = GenuineQuality(np.array([0.1, 0.9]), np.array([[0, 1], [0, 2]]), np.arange(3.0), ["a"] * 3)
    assert discard_curve(alone, 0.5).change.note == TOO_FEW


def test_the_area_is_free_of_discards_beyond_its_limit():
    # One poor and one good image a subject: at 0.6 every comparison has lost an image.
    scores = np.random.default_rng(0).random(20)
    quality = np.stack([np.arange(20) * 0.01, 5.0 + np.arange(20)], axis=1).ravel()
    data = GenuineQuality(scores, np.arange(40).reshape(20, 2), quality, np.repeat(np.arange(20), 2))
    short, long = (discard_curve(data, 0.5, of="images", discards=some) for some in ((), (0.6,)))
    assert at(long, 0.6).fnmr.value is None
    assert short.area.value is not None
    assert long.area == short.area


def test_everything_discarded_is_not_defined():
    data = GenuineQuality(
        np.array([0.9, 0.9]), np.array([[0, 1], [0, 2]]), np.array([0.0, 1, 2, 3]), ["a", "a", "a", "b"]
    )
    curve = discard_curve(data, 0.5, of="images", at=0.25, discards=())
    assert curve.change.value is None
    assert at(curve, 0.25).fnmr.value is None


def data_with(**changes):
    parts = {
        "scores": np.array([0.5, 0.6]),
        "images": np.array([[0, 1], [2, 3]]),
        "quality": np.arange(4.0),
        "subjects": ["a", "a", "b", "b"],
    }
    return GenuineQuality(**(parts | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": np.array([0.5])}, r"images \(1, 2\), 4 qualities, got images \(2, 2\), 4 qualities"),
        ({"quality": np.arange(3.0)}, "do not fit.*3 qualities"),
        ({"images": np.array([[0, 1], [2, 4]])}, "index is out of range: expected 0 to 3, got 0 to 4"),
        ({"quality": np.array([0, 1, np.nan, 3])}, "a quality is not finite"),
        ({"images": np.array([[0, 1], [1, 2]])}, "a genuine comparison is of two subjects"),
        ({"scores": np.array([0.5, np.inf])}, "a genuine score is not finite"),
    ],
)
def test_wrong_data_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        data_with(**changes)


@pytest.mark.parametrize("options", [{"at": 1.0}, {"at": 0.0}, {"discards": (-0.1,)}, {"of": "faces"}])
def test_wrong_shares_are_refused(options):
    with pytest.raises(ConfigError, match="the discards cannot be used: expected shares from 0 to below 1"):
        discard_curve(data_with(), 0.5, **options)
