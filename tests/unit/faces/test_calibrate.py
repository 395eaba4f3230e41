import math

import numpy as np
import pytest

pytest.importorskip("scipy")
from scipy.stats import beta

from vnvision.errors import ConfigError, DataError
from vnvision.faces.calibrate import calibrate
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.thresholds import resolve

STEP = 2 / 65536


def units(n, dim=8, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, dim))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def faces(embeddings, identities, reasons=None, **columns):
    n = len(identities)
    return EmbeddedFaces(
        embeddings,
        tuple(f"{i}.png" for i in range(n)),
        tuple(reasons or [""] * n),
        {"identity": tuple(identities)} | {name: tuple(cells) for name, cells in columns.items()},
        "model-a",
        "a" * 64,
    )


def people(n, photos=1, **options):
    return faces(units(n * photos, **options), [f"p{i // photos}" for i in range(n * photos)])


def impostors(embeddings, identities):
    """Every cosine of two different people, in a plain loop over pairs."""
    rows = embeddings.astype(np.float64)
    n = len(rows)
    pairs = [(i, j) for i in range(n) for j in range(i) if identities[i] != identities[j]]
    return np.array([rows[i] @ rows[j] for i, j in pairs])


@pytest.mark.parametrize("rate", [0.3, 1e-2, 2e-3])
def test_the_threshold_is_that_of_brute_force(rate):
    some = people(40, photos=3)
    scores = impostors(some.embeddings, some.column("identity"))
    allowed = math.floor(rate * len(scores) + 1e-9)
    first_too_many = np.sort(scores)[::-1][allowed]
    (point,) = calibrate(some, [rate], population="here").points
    assert first_too_many < point.threshold + 1e-6
    assert point.threshold - first_too_many <= STEP + 1e-6
    accepted = int((scores >= point.threshold).sum())
    assert accepted <= allowed
    assert point.achieved.value == pytest.approx(accepted / len(scores), abs=1 / len(scores))
    assert (point.n, point.achieved.n) == (len(scores), len(scores))
    assert (point.population, point.scale, point.manifest_sha256) == ("here", "cosine", "a" * 64)


def test_tied_scores_are_refused_together():
    """All templates are one: every cosine is 1, so only a threshold above them all keeps the rate."""
    same = np.tile(units(1), (30, 1))
    (point,) = calibrate(faces(same, [f"p{i}" for i in range(30)]), [0.01]).points
    assert point.threshold > 1 - 1e-3
    assert point.achieved.value == 0


def test_the_interval_holds_the_true_rate():
    """Independent directions in 8 dimensions: (1 + cosine) / 2 is Beta(7/2, 7/2), so the truth is known.

    The true rate of each threshold learned from 60 people should lie in its 95 % interval about 95 times in
    100; fewer than 34 of 40 has a probability below 0.5 % at 95 %.
    """
    held = 0
    for seed in range(40):
        (point,) = calibrate(people(60, seed=seed), [1e-2]).points
        truth = beta.sf((1 + point.threshold) / 2, 3.5, 3.5)
        held += point.achieved.low <= truth <= point.achieved.high
        assert 0 <= point.achieved.low <= point.achieved.value <= point.achieved.high < 0.1
    assert held >= 34


def test_a_rate_beyond_the_rule_of_three_is_refused_with_the_people_it_takes():
    done = calibrate(people(30), [1e-2, 1e-4], population="đảo")  # 435 comparisons; 300 and 30,000 needed
    assert [point.target for point in done.points] == ["fmr=1e-2"]
    (few,) = done.refused
    enough = next(n for n in range(1000) if n * (n - 1) // 2 >= 30_000)
    assert (few.comparisons, few.needed, few.people, few.people_needed) == (435, 30_000, 30, enough)
    for language in ("en", "vi"):
        text = few.text(language)
        for part in ("đảo", "435", "30,000", "fmr=1e-4", f" {enough} "):
            assert part in text
    assert "collect about" in few.text()
    assert "hãy thu thập" in few.text("vi")


@pytest.mark.parametrize("needed", [1, 3, 30, 300, 3000, 30_001])
def test_the_people_needed_are_just_enough(needed):
    from vnvision.faces.calibrate import TooFew

    n = TooFew("here", 3 / needed, 0, needed, 2).people_needed
    assert n * (n - 1) // 2 >= needed > (n - 1) * (n - 2) // 2


def test_exactly_three_over_the_rate_is_enough():
    done = calibrate(people(25), [0.01])  # 25 * 24 / 2 = 300
    assert len(done.points) == 1
    assert calibrate(people(24), [0.01]).refused[0].comparisons == 276


def test_pictures_of_one_person_are_no_impostors():
    done = calibrate(people(20, photos=4), [1e-2])
    assert done.points[0].n == 80 * 79 // 2 - 20 * (4 * 3 // 2)


def test_groups_are_populations_of_their_own():
    rng = np.random.default_rng(5)
    spread, alike = rng.normal(size=(30, 8)), rng.normal(size=(30, 8)) + 2
    rows = np.concatenate([spread, alike, rng.normal(size=(4, 8))])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    names = [f"p{i}" for i in range(64)]
    group = ["north"] * 30 + ["south"] * 30 + [""] * 4
    done = calibrate(faces(rows, names, region=group), [1e-2], group="region")
    north, south = done.points
    assert (north.population, south.population) == ("north", "south")
    assert south.threshold > north.threshold + 0.1, "people who look alike need a higher threshold"
    alone = calibrate(faces(rows[30:60], names[30:60]), [1e-2], population="south")
    assert south == alone.points[0]


def test_pictures_without_a_face_or_a_name_do_not_count():
    some = people(30)
    more = np.concatenate([some.embeddings, np.zeros((2, 8), np.float32), units(3, seed=9)])
    names = [*some.column("identity"), "p0", "p99", "", "", ""]
    reasons = [""] * 30 + ["no face", "unreadable: x"] + [""] * 3
    assert calibrate(faces(more, names, reasons), [1e-2]) == calibrate(some, [1e-2])
    grouped = calibrate(faces(more, names, reasons, region=["all"] * 35), [1e-2], group="region")
    assert grouped == calibrate(some, [1e-2])


def test_what_cannot_be_calibrated_is_one_clear_line():
    with pytest.raises(
        DataError, match="here shows one person only: expected pictures of two people or more"
    ):
        calibrate(faces(units(5), ["an"] * 5), [1e-2], population="here")
    with pytest.raises(DataError, match="no picture to calibrate on"):
        calibrate(faces(units(3), ["", "", ""]), [1e-2])
    with pytest.raises(DataError, match="no picture to calibrate on"):
        calibrate(faces(np.zeros((2, 8), np.float32), ["a", "b"], ["no face", "no face"]), [1e-2])
    with pytest.raises(DataError, match="no column 'identity': expected one of name"):
        calibrate(EmbeddedFaces(units(1), ("a.png",), ("",), {"name": ("an",)}, "m", "a" * 64), [1e-2])
    with pytest.raises(DataError, match="no column 'region': expected one of identity"):
        calibrate(people(5), [1e-2], group="region")
    with pytest.raises(DataError, match="column 'region' is empty"):
        calibrate(faces(units(2), ["a", "b"], region=["", ""]), [1e-2], group="region")


def test_templates_of_unknown_pictures_are_refused():
    """A threshold must say what it was measured on."""
    unknown = EmbeddedFaces(units(2), ("1", "2"), ("", ""), {"identity": ("a", "b")})
    with pytest.raises(DataError, match="the templates do not say which pictures they are of"):
        calibrate(unknown, [0.5])


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(ConfigError, match="a rate is wrong: expected 0 < rate < 1"):
        calibrate(people(30), [rate])


def test_what_was_learned_is_what_verifying_uses():
    points = calibrate(people(30), [1e-1, 1e-2], population="here").points
    assert resolve("fmr=1e-2@here", "model-a", points=points).value == points[1].threshold
    assert points[1].threshold > points[0].threshold
