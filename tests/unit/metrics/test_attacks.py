"""Presentation attack detection rates against formulas written out, and against planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.metrics import notes
from vnvision.metrics.attack_points import (
    AttackPoint,
    DetectionEer,
    apcer_at_bpcer,
    bpcer_at_apcer,
    detection_eer,
)
from vnvision.metrics.attacks import AttackRates, Presentations, attack_rates
from vnvision.metrics.bootstrap import clopper_pearson
from vnvision.metrics.verification import eer

PRINT, SCREEN = "print", "screen"
#       score, species, subject
TABLE = [
    (0.9, None, "a"),
    (0.8, None, "b"),
    (0.4, None, "c"),
    (None, None, "d"),
    (0.7, PRINT, "a"),
    (0.1, PRINT, "b"),
    (0.2, PRINT, "c"),
    (0.3, PRINT, "d"),
    (0.6, SCREEN, "a"),
    (0.5, SCREEN, "b"),
    (None, SCREEN, "c"),
    (None, SCREEN, "d"),
]


def table(rows=TABLE) -> Presentations:
    scores, species, subjects = zip(*rows, strict=True)
    return Presentations.of(scores, species, subjects)


def study(seed=0, n_subjects=40, per=5, shift=(1.0, 1.8), spread=0.3) -> Presentations:
    """Normal scores around 3 (bona fide) and around ``shift`` (each species), subjects apart."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(n_subjects):
        for name, centre in ((None, 3.0), *((f"s{k}", c) for k, c in enumerate(shift))):
            own = rng.normal(centre, spread)
            rows += [(float(rng.normal(own, 0.9)), name, subject) for _ in range(per)]
    return table(rows)


def values(rates: AttackRates) -> dict[str, float | None]:
    out = {f"apcer {row.species}": row.apcer.value for row in rates.species}
    out |= {f"apnrr {row.species}": row.apnrr.value for row in rates.species}
    for name in ("worst_apcer", "bpcer", "bpnrr", "acer"):
        out[name] = getattr(rates, name).value
    return out


def test_rates_by_hand_with_silence_apart():
    rates = attack_rates(table(), 0.5)
    assert values(rates) == {
        "apcer print": 1 / 4,
        "apcer screen": 2 / 2,  # 0.5 passes: score >= threshold
        "apnrr print": 0.0,
        "apnrr screen": 2 / 4,
        "worst_apcer": 1.0,
        "bpcer": pytest.approx(1 / 3),
        "bpnrr": 1 / 4,
        "acer": pytest.approx((1 + 1 / 3) / 2),
    }
    assert rates.worst_species == SCREEN
    assert [row.apcer.n for row in rates.species] == [4, 2]
    assert [row.apnrr.n for row in rates.species] == [4, 4]
    assert (rates.bpcer.n, rates.bpnrr.n) == (3, 4)


def test_rates_by_hand_with_silence_as_attack():
    rates = attack_rates(table(), 0.5, no_response="attack")
    assert values(rates) == {
        "apcer print": 1 / 4,
        "apcer screen": 2 / 4,
        "apnrr print": 0.0,
        "apnrr screen": 2 / 4,
        "worst_apcer": 0.5,
        "bpcer": 2 / 4,
        "bpnrr": 1 / 4,
        "acer": 0.5,
    }
    assert rates.bpcer.n == 4


def test_a_species_without_any_response_is_left_out_and_said():
    rows = [row for row in TABLE if row[1] != SCREEN] + [(None, SCREEN, "a"), (None, SCREEN, "b")]
    rates = attack_rates(table(rows), 0.5)
    screen = rates.species[1]
    assert screen.apcer.value is None
    assert screen.apcer.note == notes.NO_IMAGES
    assert screen.apnrr.value == 1.0
    assert rates.worst_apcer.value == 0.25
    assert "not defined for screen, left out" in (rates.worst_apcer.note or "")
    everybody = attack_rates(table(rows), 0.5, no_response="attack")
    assert everybody.species[1].apcer.value == 0.0
    assert everybody.worst_apcer.note == "interval holds for all 2 rates behind it together"


def test_nobody_answers():
    rows = [(0.9, None, "a"), (None, PRINT, "a"), (None, PRINT, "b")]
    rates = attack_rates(table(rows), 0.5)
    assert rates.worst_species is None
    assert rates.worst_apcer.value is None
    assert rates.acer.value is None
    with pytest.raises(DataError, match="no attack got a response"):
        bpcer_at_apcer(table(rows), 0.1)
    with pytest.raises(DataError, match="D-EER needs both kinds of response"):
        detection_eer(table(rows))


def test_one_presentation_a_subject_is_the_binomial_interval():
    rng = np.random.default_rng(1)
    rows = [(float(s), PRINT if i % 2 else None, i) for i, s in enumerate(rng.normal(size=400))]
    rates = attack_rates(table(rows), 0.0)
    passed = sum(score >= 0 for score, name, _ in rows if name)
    low, high = clopper_pearson(passed, 200)
    assert rates.worst_apcer == rates.species[0].apcer  # one species: nothing to share the error among
    assert rates.worst_apcer.low == pytest.approx(low, abs=0.005)
    assert rates.worst_apcer.high == pytest.approx(high, abs=0.005)


def test_intervals_of_several_rates_share_the_error_among_them():
    """One presentation a subject: nearly the binomial intervals, at 1 - 0.05 / 2 and 1 - 0.05 / 3."""
    rng = np.random.default_rng(2)
    kinds = [None, PRINT, SCREEN] * 200
    rows = [(float(s), kinds[i], i) for i, s in enumerate(rng.normal(size=600))]
    rates = attack_rates(table(rows), 0.5)
    errors = {k: sum((s >= 0.5) == (k is not None) for s, name, _ in rows if name == k) for k in kinds[:3]}
    attacks = [clopper_pearson(errors[kind], 200, 1 - 0.05 / 2) for kind in (PRINT, SCREEN)]
    assert rates.worst_apcer.low == pytest.approx(max(low for low, _ in attacks), abs=0.002)
    assert rates.worst_apcer.high == pytest.approx(max(high for _, high in attacks), abs=0.002)
    own, *others = (clopper_pearson(errors[kind], 200, 1 - 0.05 / 3) for kind in kinds[:3])
    assert rates.acer.low == pytest.approx((max(low for low, _ in others) + own[0]) / 2, abs=0.002)
    assert rates.acer.high == pytest.approx((max(high for _, high in others) + own[1]) / 2, abs=0.002)


def test_the_smallest_species_decides_what_is_supported():
    rows = [(0.9, None, i) for i in range(50)] + [(0.1, PRINT, i) for i in range(50)]
    rows += [(0.1, SCREEN, i) for i in range(10)]
    point = bpcer_at_apcer(table(rows), 0.1)
    assert (point.n, point.needed, point.supported) == (10, 30, False)


def test_no_error_seen_is_not_a_rate_of_zero():
    rows = [(0.9, None, i) for i in range(10)] + [(0.1, PRINT, i) for i in range(10) for _ in range(50)]
    rates = attack_rates(table(rows), 0.5)
    assert rates.worst_apcer.value == 0
    assert rates.worst_apcer.high == pytest.approx(clopper_pearson(0, 10)[1])  # ten subjects, not 500 frames


def test_one_subject_has_no_interval():
    rates = attack_rates(table([(0.9, None, "a"), (0.6, PRINT, "a"), (0.2, SCREEN, "a")]), 0.5)
    for metric in (rates.worst_apcer, rates.acer, rates.bpcer):
        assert metric.value is not None
        assert metric.low is None
        assert notes.ONE_GROUP in (metric.note or "")


def test_intervals_hold_planted_rates():
    """Worst of three equal species: taking the largest pushes the value up, the interval must still hold."""
    from scipy.stats import norm

    shift, spread, threshold, studies = (1.5, 1.5, 1.5), 0.5, 2.0, 150
    sd = np.hypot(0.9, spread)
    apcer, bpcer = norm.sf(threshold, 1.5, sd), norm.cdf(threshold, 3.0, sd)
    held = np.zeros(3)
    for seed in range(studies):
        rates = attack_rates(study(seed, 40, 4, shift, spread), threshold)
        truths = (apcer, bpcer, (apcer + bpcer) / 2)
        for i, (metric, truth) in enumerate(
            zip((rates.worst_apcer, rates.bpcer, rates.acer), truths, strict=True)
        ):
            held[i] += metric.low <= truth <= metric.high
    share = held / studies
    assert (share >= 0.90).all(), share
    assert share[1] <= 0.995, share


@pytest.mark.parametrize("target", [0.01, 0.015, 0.05, 0.2, 1.0])
def test_apcer_at_bpcer_by_trying_every_threshold(target):
    data = study(3)
    point = apcer_at_bpcer(data, target)
    bona_fide = data.scores[data.species < 0]
    grid = np.append(np.unique(bona_fide), np.inf)
    best = max(t for t in grid if (bona_fide < t).mean() <= target)
    assert point.achieved == (bona_fide < best).mean() <= target
    assert point.rates.threshold == best if np.isfinite(best) else point.rates.threshold > bona_fide.max()
    for code, row in enumerate(point.rates.species):
        assert row.apcer.value == pytest.approx((data.scores[data.species == code] >= best).mean())
    assert (point.fixed, point.n, point.needed) == ("bpcer", 200, int(np.ceil(3 / target)))
    assert point.supported == (3 / target <= 200)


@pytest.mark.parametrize("target", [0.01, 0.1, 1.0])
def test_bpcer_at_apcer_holds_every_species(target):
    data = study(4)
    point = bpcer_at_apcer(data, target)
    attacks = [data.scores[data.species == code] for code in (0, 1)]
    worst = lambda t: max((scores >= t).mean() for scores in attacks)  # noqa: E731
    threshold = point.rates.threshold
    assert point.achieved == pytest.approx(worst(threshold))
    assert point.achieved <= target
    assert target == 1 or worst(np.nextafter(threshold, -np.inf)) > target  # none lower would do
    assert point.rates.bpcer.value == pytest.approx((data.scores[data.species < 0] < threshold).mean())
    assert point.n == 200


def test_fixed_rates_count_silence_where_asked():
    # 3 of 4 bona fide presentations answered: one is already lost of the two that 50 % allows.
    apart = apcer_at_bpcer(table(), 0.5)
    attack = apcer_at_bpcer(table(), 0.5, no_response="attack")
    assert (apart.rates.threshold, apart.achieved, apart.n) == (0.8, pytest.approx(1 / 3), 3)
    assert (attack.rates.threshold, attack.achieved, attack.n) == (0.8, 0.5, 4)
    with pytest.raises(DataError, match=r"no threshold holds a BPCER of 0\.2: .* got 3 of 4"):
        apcer_at_bpcer(table(), 0.2, no_response="attack")
    # Half the screens are silent: with those refused already, the other half may pass.
    assert bpcer_at_apcer(table(), 0.5).rates.threshold == np.nextafter(0.5, 1)
    assert bpcer_at_apcer(table(), 0.5, no_response="attack").rates.threshold == np.nextafter(0.2, 1)


def test_ties_pass_or_fail_together():
    rows = [(0.5, None, i) for i in range(10)] + [(0.5, PRINT, i) for i in range(10)]
    assert apcer_at_bpcer(table(rows), 0.3).rates.worst_apcer.value == 1.0
    point = bpcer_at_apcer(table(rows), 0.3)
    assert (point.achieved, point.rates.bpcer.value) == (0.0, 1.0)


def test_deer_is_the_equal_error_rate_of_each_species():
    data = study(5)
    bona_fide = data.scores[data.species < 0]
    for code, found in enumerate(detection_eer(data, n_boot=200)):
        truth = eer(bona_fide, data.scores[data.species == code])
        assert found.species == f"s{code}"
        assert found.rate.value == pytest.approx(truth.rate)
        assert found.threshold == pytest.approx(truth.threshold)
        assert found.rate.low < truth.rate < found.rate.high
        assert found.rate.n == 400


def test_deer_finds_the_planted_rate():
    """Normals 2 apart with deviation 1 cross at one deviation from each: a D-EER of Phi(-1)."""
    rng = np.random.default_rng(6)
    rows = [(float(x), None, i) for i, x in enumerate(rng.normal(2, 1, 4000))]
    rows += [(float(x), PRINT, i) for i, x in enumerate(rng.normal(0, 1, 4000))]
    rows += [(None, PRINT, 0)] * 50
    (found,) = detection_eer(table(rows), n_boot=200)
    assert found.rate.value == pytest.approx(0.1587, abs=0.012)
    assert found.rate.low < 0.1587 < found.rate.high
    assert found.threshold == pytest.approx(1.0, abs=0.06)
    assert found.rate.n == 8000


def test_deer_of_separated_scores_is_zero_without_an_interval():
    rows = [(0.9, None, i) for i in range(10)] + [(0.1, PRINT, i) for i in range(10)]
    (found,) = detection_eer(table(rows), n_boot=50)
    assert found.rate.value == 0
    assert found.rate.high is None
    assert notes.NO_VARIATION in (found.rate.note or "")


def test_records_survive_json():
    rates, point = attack_rates(table(), 0.5), apcer_at_bpcer(study(), 0.1)
    assert AttackRates.from_json(rates.to_json()) == rates
    assert AttackPoint.from_json(point.to_json()) == point
    (found, _) = detection_eer(study(), n_boot=20)
    assert DetectionEer.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0.9, None, "a")], "both kinds of presentation are needed: .* got 0 and 1"),
        ([(0.9, PRINT, "a")], "both kinds of presentation are needed: .* got 1 and 0"),
        ([(0.9, None, "a"), (float("nan"), PRINT, "a")], "presentation 1 is not finite: .* None for no"),
        ([(float("inf"), None, "a"), (0.1, PRINT, "a")], "presentation 0 is not finite: .* got inf"),
    ],
)
def test_wrong_presentations_are_refused(rows, message):
    with pytest.raises(DataError, match=message):
        table(rows)


def test_wrong_arguments_are_refused():
    with pytest.raises(DataError, match="presentations do not fit: expected 2 each"):
        Presentations.of([0.1, 0.2], [None], ["a", "b"])
    with pytest.raises(ConfigError, match="threshold is wrong: expected a finite number, got nan"):
        attack_rates(table(), float("nan"))
    with pytest.raises(ConfigError, match="no_response is wrong: expected apart or attack, got 'refuse'"):
        attack_rates(table(), 0.5, no_response="refuse")
    for call in (apcer_at_bpcer, bpcer_at_apcer):
        with pytest.raises(ConfigError, match="a target rate cannot be met"):
            call(table(), 0.0)
    rows = [(None, None, "a"), (0.1, PRINT, "a")]
    with pytest.raises(DataError, match=r"no threshold holds a BPCER of 0\.1"):
        apcer_at_bpcer(table(rows), 0.1)
