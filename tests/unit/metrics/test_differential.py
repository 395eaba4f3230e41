from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.metrics import group_counts, notes
from vnvision.metrics.differential import (
    DifferentialReport,
    Enrolment,
    differential_report,
    failure_to_enrol,
    ratio,
)
from vnvision.metrics.group_counts import count_all_pairs, count_pairs
from vnvision.records import Metric

DIM = 16
GROUPS = ("a", "b", "c")
# How far a group's faces lie from the centre of all (more alike: more false matches), and how much two
# images of one person differ (more: more false non-matches).
SHIFT = {"a": 0.7, "b": 1.2, "c": 1.0}
SPREAD = {"a": 0.45, "b": 0.5, "c": 0.6}
THRESHOLD = 0.65


def people(rng: np.random.Generator, group: str, n: int) -> np.ndarray:
    return SHIFT[group] * np.eye(DIM)[GROUPS.index(group)] + rng.normal(size=(n, DIM))


def images(rng: np.random.Generator, centres: np.ndarray, group: str, n: int) -> np.ndarray:
    x = centres[:, None] + SPREAD[group] * rng.normal(size=(len(centres), n, DIM))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def study(rng, n_people=60, n_images=3):
    """Embeddings, subjects and groups of one synthetic study."""
    x = [images(rng, people(rng, g, n_people), g, n_images).reshape(-1, DIM) for g in GROUPS]
    subjects = [f"{g}{i}" for g in GROUPS for i in range(n_people) for _ in range(n_images)]
    return np.concatenate(x), subjects, [s[0] for s in subjects]


def true_rates(n=1_000_000, seed=99):
    """FMR by pair of groups and FNMR by group, from a million independent comparisons of each kind."""
    rng = np.random.default_rng(seed)
    one, other, fnmr = {}, {}, {}
    for g in GROUPS:
        pair = images(rng, people(rng, g, n).astype(np.float32), g, 2)
        fnmr[g] = float(((pair[:, 0] * pair[:, 1]).sum(-1) < THRESHOLD).mean())
        one[g] = pair[:, 0].astype(np.float32)
        other[g] = images(rng, people(rng, g, n), g, 1)[:, 0].astype(np.float32)
    cells = combinations_with_replacement(GROUPS, 2)
    fmr = {(g, h): float(((one[g] * other[h]).sum(-1) >= THRESHOLD).mean()) for g, h in cells}
    return fmr, fnmr


def test_streamed_counts_agree_with_a_list_of_all_pairs_and_with_plain_loops():
    x, subjects, groups = study(np.random.default_rng(0), 12)
    scores = x.astype(np.float32) @ x.astype(np.float32).T
    i, j = np.triu_indices(len(x), 1)
    streamed = count_all_pairs(x, subjects, groups, 0.5, block=17)
    names = np.array(subjects)
    listed = count_pairs(scores[i, j], names[i], names[j], dict(zip(subjects, groups, strict=True)), 0.5)
    group = np.array(groups)
    for g, h in combinations_with_replacement(GROUPS, 2):
        inside = (names[i] != names[j]) & (np.sort([group[i], group[j]], axis=0) == [[g], [h]]).all(axis=0)
        for counts in (streamed, listed):
            assert counts.impostor[g, h].rate == pytest.approx((scores[i, j][inside] >= 0.5).mean())
            assert counts.impostor[g, h].total == inside.sum()
        assert streamed.impostor[g, h].variance() == pytest.approx(listed.impostor[g, h].variance())
    for g in GROUPS:
        inside = (names[i] == names[j]) & (group[i] == g)
        for counts in (streamed, listed):
            assert counts.genuine[g].rate == pytest.approx((scores[i, j][inside] < 0.5).mean())
            assert counts.genuine[g].total == inside.sum() == 36
            assert counts.n_subjects[g] == 12
    assert streamed.n_images == {"a": 36, "b": 36, "c": 36}


def test_false_matches_are_summed_on_the_way(monkeypatch):
    x, subjects, groups = study(np.random.default_rng(0), 12)
    whole = count_all_pairs(x, subjects, groups, 0.0, block=16)
    monkeypatch.setattr(group_counts, "_MOST_WAITING", 10)
    parts = count_all_pairs(x, subjects, groups, 0.0, block=16)
    for cell, counts in whole.impostor.items():
        assert parts.impostor[cell].errors.tolist() == counts.errors.tolist()


def test_report_rows_reference_and_ratios():
    counts = count_all_pairs(*study(np.random.default_rng(1), 20), THRESHOLD)
    report = differential_report(counts, reference="b", target_fmr=1e-4)
    assert report.reference == "b"
    assert [row.group for row in report.groups] == ["a", "b", "c"]
    assert [(row.first, row.second) for row in report.cross] == [("a", "b"), ("a", "c"), ("b", "c")]
    a, b, c = report.groups
    assert b.fmr_ratio is None
    assert c.fnmr_ratio.value == pytest.approx(c.fnmr.value / b.fnmr.value)
    assert c.fnmr_ratio.low < c.fnmr_ratio.value < c.fnmr_ratio.high
    assert a.warnings[:2] == (
        "a: 20 subjects, fewer than 30",
        "a: 1710 impostor comparisons, fewer than the 30000 that an FMR of 0.0001 needs",
    )
    assert report.cross[0].fmr_ratio.value == pytest.approx(report.cross[0].fmr.value / b.fmr.value)
    assert DifferentialReport.from_json(report.to_json()) == report


def test_no_error_gives_an_upper_bound_and_a_warning():
    counts = count_all_pairs(*study(np.random.default_rng(1), 40), 0.999)
    report = differential_report(counts)
    row = report.groups[0]
    assert (row.fmr.value, row.fmr.low) == (0.0, 0.0)
    assert 0 < row.fmr.high < 0.1
    assert row.warnings == (
        f"a: no false match seen, which shows an FMR below {row.fmr.high:.2g} and not one of zero",
    )
    assert report.groups[1].fmr_ratio.value is None
    assert report.groups[1].fmr_ratio.note == notes.NO_REFERENCE_ERRORS
    everything = differential_report(count_all_pairs(*study(np.random.default_rng(1), 40), -0.999))
    assert "no false non-match seen" in everything.groups[2].warnings[0]
    assert everything.groups[2].fmr.value == 1.0
    assert everything.groups[2].fmr.low < 1.0


def test_reference_is_the_group_with_most_subjects():
    x, subjects, groups = study(np.random.default_rng(2), 10)
    kept = [n for n, s in enumerate(subjects) if s not in ("a0", "b1", "c1", "c2")]
    counts = count_all_pairs(x[kept], [subjects[n] for n in kept], [groups[n] for n in kept], 0.5)
    assert counts.n_subjects == {"a": 9, "b": 9, "c": 8}
    assert differential_report(counts).reference == "a"
    with pytest.raises(DataError, match="no such reference group: expected a, b, c, got d"):
        differential_report(counts, reference="d")


def test_unknown_groups_are_left_out_and_said():
    x, subjects, groups = study(np.random.default_rng(2), 10)
    groups = ["" if s == "a0" else None if s == "b0" else g for s, g in zip(subjects, groups, strict=True)]
    counts = count_all_pairs(x, subjects, groups, 0.5)
    assert (counts.left_out, counts.n_subjects) == (6, {"a": 9, "b": 9, "c": 10})
    assert differential_report(counts).warnings == ("6 images without a known group left out",)
    with pytest.raises(DataError, match="no image with a known group"):
        count_all_pairs(x, subjects, [None] * len(x), 0.5)


def test_a_group_of_one_person_and_one_of_single_images_are_reported_as_not_measured():
    x, subjects, groups = study(np.random.default_rng(2), 10)
    kept = [n for n, s in enumerate(subjects) if s[0] == "a" or s == "b0" or (s[0] == "c" and n % 3 == 0)]
    counts = count_all_pairs(x[kept], [subjects[n] for n in kept], [groups[n] for n in kept], 0.5)
    one, single = differential_report(counts, target_fmr=0.01).groups[1:]
    assert (one.fmr.value, one.fmr.n, one.fnmr.n, one.fnmr.low) == (None, 0, 3, None)
    assert one.fmr_ratio.value is None
    assert (single.fnmr.value, single.fmr.n) == (None, 45)
    alone = count_all_pairs(x[:30], subjects[:30], groups[:30], 0.5)
    assert differential_report(alone).cross == ()


def test_pairs_of_subjects_without_a_group_are_left_out():
    scores = np.array([0.9, 0.2, 0.8, 0.1])
    counts = count_pairs(
        scores, ["an", "an", "an", "binh"], ["an", "binh", "chi", "chi"], {"an": "x", "binh": "x"}, 0.5
    )
    assert counts.left_out == 4
    assert (counts.genuine["x"].total, counts.impostor["x", "x"].total) == (1, 1)
    with pytest.raises(DataError, match="a score is not finite"):
        count_pairs(np.array([np.nan]), ["an"], ["an"], {"an": "x"}, 0.5)


def test_a_subject_in_two_groups_is_refused():
    x, subjects, groups = study(np.random.default_rng(2), 3)
    with pytest.raises(DataError, match="subject 'a0' is in two groups: expected one, got a and b"):
        count_all_pairs(x, subjects, ["b", *groups[1:]], 0.5)
    with pytest.raises(DataError, match="columns do not fit the embeddings"):
        count_all_pairs(x, subjects, groups[1:], 0.5)


def test_failure_to_enrol_by_group():
    subjects = np.repeat(np.arange(40), 2)
    groups = np.where(subjects < 20, "a", "d")
    failed = (subjects % 10 == 0) | (groups == "d")
    rates = failure_to_enrol(Enrolment(subjects, groups, failed))
    assert (rates["a"].value, rates["a"].n) == (0.1, 40)
    assert rates["a"].low < 0.1 < rates["a"].high
    assert rates["d"].value == 1.0
    counts = count_all_pairs(*study(np.random.default_rng(2), 40), 0.5)
    report = differential_report(counts, enrolment=Enrolment(subjects, groups, failed))
    assert report.groups[0].failure_to_enrol == rates["a"]
    assert report.groups[1].failure_to_enrol is None
    assert report.warnings == ("d: no comparison at all, failure to enrol 1 of 40 attempts",)
    with pytest.raises(DataError, match="enrolment columns do not fit"):
        failure_to_enrol(Enrolment(subjects, groups, failed[1:]))


def test_ratio_needs_errors_in_the_reference_and_holds_without_in_the_other():
    some = Metric(value=0.02, low=0.01, high=0.04, n=1000)
    none = Metric(value=0.0, low=0.0, high=0.01, n=1000)
    assert ratio(some, none).value is None
    zero = ratio(none, some)
    assert (zero.value, zero.low) == (0.0, 0.0)
    assert 0.25 < zero.high < 1.5
    assert ratio(Metric(value=None, n=0, note="nothing"), some).note == "nothing"
    assert ratio(Metric(value=0.1, n=5, note="one"), some).low is None
    itself = ratio(some, some)
    assert itself.low < 1 < itself.high
    assert itself.low == pytest.approx(1 / itself.high)


@pytest.mark.slow
def test_planted_group_rates_lie_in_their_intervals():
    """200 synthetic studies with subject effects: every 95 % interval of the report holds in 90 to 99 %."""
    fmr, fnmr = true_rates()
    rng = np.random.default_rng(0)
    held: Counter[str] = Counter()

    def check(name: str, metric: Metric, truth: float) -> None:
        held[name] += metric.low is not None and metric.low <= truth <= metric.high

    for _ in range(200):
        report = differential_report(count_all_pairs(*study(rng), THRESHOLD), reference="a")
        for row in report.groups:
            check(f"FMR {row.group}", row.fmr, fmr[row.group, row.group])
            check(f"FNMR {row.group}", row.fnmr, fnmr[row.group])
            if row.group != "a":
                check(f"FMR ratio {row.group}", row.fmr_ratio, fmr[row.group, row.group] / fmr["a", "a"])
                check(f"FNMR ratio {row.group}", row.fnmr_ratio, fnmr[row.group] / fnmr["a"])
        for row in report.cross:
            check(f"FMR {row.first}{row.second}", row.fmr, fmr[row.first, row.second])
            truth = fmr[row.first, row.second] / fmr["a", "a"]
            check(f"FMR ratio {row.first}{row.second}", row.fmr_ratio, truth)
    assert len(held) == 16
    assert min(held.values()) >= 180, held
    assert max(held.values()) <= 198, held
