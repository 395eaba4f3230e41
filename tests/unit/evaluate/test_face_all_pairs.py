"""Every image with every other: rates against the formula written out over the whole matrix."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.faces import FaceReport, evaluate_faces, tar_intervals
from vnvision.evaluate.faces import notes as warning
from vnvision.evaluate.faces.all_pairs import count_scores
from vnvision.evaluate.faces.merging import together
from vnvision.evaluate.faces.population import population
from vnvision.evaluate.faces.tar_intervals import collect, tar_draws
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.metrics.comparisons import Comparisons
from vnvision.metrics.comparisons import tar_draws as comparison_draws
from vnvision.metrics.subjects import SubjectCounts
from vnvision.records import Metric, OperatingPoint


def faces_of(people=24, each=3, seed=0, noise=0.9, failed=(), **columns):
    """Persons as random directions; groups a and b by turns, cameras by image."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 16)) + 0.7
    who = np.repeat(np.arange(people), each)
    raw = centres[who] + noise * rng.normal(size=(len(who), 16))
    embeddings = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    reasons = ["no face" if i in failed else "" for i in range(len(who))]
    embeddings[list(failed)] = 0
    given = {
        "identity": tuple(f"p{i:02}" for i in who),
        "group": tuple("ab"[i % 2] for i in who),
        "camera": tuple("xy"[i % 2] for i in range(len(who))),
    }
    paths = tuple(f"{i}.jpg" for i in range(len(who)))
    return EmbeddedFaces(embeddings, paths, tuple(reasons), given | columns, "net", "ab" * 32)


def pairs_of(faces, allowed=lambda i, j: True):
    """All comparisons one by one: score, same person, and the two rows."""
    rows = np.flatnonzero(faces.found)
    scores = faces.embeddings @ faces.embeddings.T
    who = faces.column("identity")
    return [
        (float(scores[i, j]), who[i] == who[j], i, j)
        for i, j in itertools.combinations(rows.tolist(), 2)
        if allowed(i, j)
    ]


def rate(found):
    return sum(found) / len(found)


def test_rates_at_a_given_threshold_are_those_of_the_whole_matrix():
    faces = faces_of()
    report = evaluate_faces(faces, "all-pairs", threshold=0.6, block=7)
    pairs = pairs_of(faces)
    impostor = [s >= 0.6 for s, same, *_ in pairs if not same]
    genuine = [s < 0.6 for s, same, *_ in pairs if same]
    assert 0 < rate(impostor) < 1
    assert report.operating.fmr.value == pytest.approx(rate(impostor))
    assert report.operating.fnmr.value == pytest.approx(rate(genuine))
    assert (report.n_impostor, report.n_genuine) == (len(impostor), len(genuine))
    assert (report.n_images, report.n_subjects) == (72, 24)
    assert report.operating.source == "given"
    assert report.operating.target_fmr is None
    assert report.differential is None
    assert report.operating.fmr.low < report.operating.fmr.value < report.operating.fmr.high


def test_thresholds_hold_their_fmr_and_tar_follows():
    faces = faces_of()
    report = evaluate_faces(faces, "all-pairs")
    pairs = pairs_of(faces)
    assert [one.at.target for one in report.tar_at_fmr] == [1e-2, 1e-3, 1e-4]
    for one in report.tar_at_fmr:
        matches = rate([s >= one.at.threshold for s, same, *_ in pairs if not same])
        assert matches <= one.at.target
        assert one.at.achieved == pytest.approx(matches)
        tar = rate([s >= one.at.threshold for s, same, *_ in pairs if same])
        assert one.tar.value == pytest.approx(tar)
        assert one.tar.low <= one.tar.value <= one.tar.high
    assert [one.at.supported for one in report.tar_at_fmr] == [True, False, False]
    needs = warning.FMR_UNSUPPORTED.format(target="0.0001", needed=30000, n=report.n_impostor)
    assert needs in report.warnings
    assert report.operating.threshold == report.tar_at_fmr[1].at.threshold
    assert warning.SAME_DATA in report.warnings


def test_curves_and_histogram_count_everything():
    report = evaluate_faces(faces_of(), "all-pairs")
    assert report.roc[0][0] == 0
    assert report.roc[-1] == (1, 1)
    assert [(fmr, 1 - tar) for fmr, tar in report.roc] == list(report.det)
    assert sum(report.histogram.genuine) == report.n_genuine
    assert sum(report.histogram.impostor) == report.n_impostor
    assert -1 <= report.histogram.low < report.histogram.high <= 1
    fnmr = next(one for fmr, one in report.det if fmr >= report.eer.rate)
    assert fnmr <= report.eer.rate + 0.02


def test_groups_are_judged_at_the_threshold_of_the_reference_group():
    faces = faces_of()
    report = evaluate_faces(faces, "all-pairs", group="group", reference="b", fmr=0.05, block=10)
    of = faces.column("group")
    own = [s for s, same, i, j in pairs_of(faces) if not same and of[i] == of[j] == "b"]
    at = report.differential.threshold
    assert report.operating.source == "reference group"
    assert report.operating.population == "b"
    assert rate([s >= at for s in own]) <= 0.05 < rate([s >= at - 0.02 for s in own])
    rows = {row.group: row for row in report.differential.groups}
    for name, row in rows.items():
        inside = [(s, same) for s, same, i, j in pairs_of(faces) if of[i] == of[j] == name]
        assert row.fmr.value == pytest.approx(rate([s >= at for s, same in inside if not same]))
        assert row.fnmr.value == pytest.approx(rate([s < at for s, same in inside if same]))
        assert (row.n_subjects, row.n_images) == (12, 36)
    across = [s for s, same, i, j in pairs_of(faces) if of[i] != of[j]]
    (cross,) = report.differential.cross
    assert cross.fmr.value == pytest.approx(rate([s >= at for s in across]))
    assert rows["a"].fmr_ratio.value == pytest.approx(rows["a"].fmr.value / rows["b"].fmr.value)
    assert rows["b"].fmr_ratio is None
    everything = [s >= at for s, same, *_ in pairs_of(faces) if not same]
    assert report.operating.fmr.value == pytest.approx(rate(everything))


def test_the_largest_group_is_the_reference_unless_one_is_named():
    groups = tuple("big" if i < 45 else "small" for i in range(72))
    report = evaluate_faces(faces_of(group=groups), "all-pairs", group="group", threshold=0.5)
    assert report.differential.reference == "big"


def test_within_compares_only_equal_values():
    faces = faces_of()
    report = evaluate_faces(faces, "all-pairs", group="group", within="camera", threshold=0.6, block=9)
    camera, of = faces.column("camera"), faces.column("group")
    pairs = pairs_of(faces, lambda i, j: camera[i] == camera[j])
    assert report.n_genuine + report.n_impostor == len(pairs)
    assert report.operating.fmr.value == pytest.approx(rate([s >= 0.6 for s, same, *_ in pairs if not same]))
    assert report.operating.fnmr.value == pytest.approx(rate([s < 0.6 for s, same, *_ in pairs if same]))
    row = report.differential.groups[0]
    inside = [s >= 0.6 for s, same, i, j in pairs if not same and of[i] == of[j] == row.group]
    assert row.fmr.value == pytest.approx(rate(inside))
    assert row.fmr.n == len(inside)
    assert (row.n_subjects, row.n_images) == (12, 36)
    assert warning.WITHIN.format(column="camera") in report.warnings


def test_within_one_value_changes_nothing():
    faces = faces_of(camera=("x",) * 72)
    plain = evaluate_faces(faces, "all-pairs", group="group", threshold=0.6)
    parted = evaluate_faces(faces, "all-pairs", group="group", threshold=0.6, within="camera")
    assert parted.differential == plain.differential
    assert parted.operating == plain.operating


def test_sets_that_share_nobody_are_as_good_as_one_when_parted():
    """Two data sets in one manifest: groups within them, and intervals, are those of each alone."""
    faces = faces_of()
    sets = faces.column("group")
    joint = evaluate_faces(faces, "all-pairs", group="group", within="group", threshold=0.6)
    rows = {row.group: row for row in joint.differential.groups}
    for name in "ab":
        keep = [i for i, one in enumerate(sets) if one == name]
        alone = EmbeddedFaces(
            faces.embeddings[keep],
            tuple(faces.paths[i] for i in keep),
            ("",) * len(keep),
            {"identity": tuple(faces.column("identity")[i] for i in keep)},
        )
        report = evaluate_faces(alone, "all-pairs", threshold=0.6)
        for own, one in ((rows[name].fmr, report.operating.fmr), (rows[name].fnmr, report.operating.fnmr)):
            assert (own.value, own.n) == (one.value, one.n)
            assert (own.low, own.high) == pytest.approx((one.low, one.high))
    (cross,) = joint.differential.cross
    assert cross.fmr.value is None


def test_counts_of_disjoint_sets_add_up_to_the_counts_of_all():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 9, 400), rng.integers(0, 9, 400)
    apart = first != second
    first, second, error = first[apart], second[apart], rng.random(int(apart.sum())) < 0.1
    low = np.minimum(first, second) < 4
    whole = SubjectCounts.from_comparisons(first, second, error, 9)
    parts = [SubjectCounts.from_comparisons(first[x], second[x], error[x], 9) for x in (low, ~low)]
    assert together(parts).variance() == pytest.approx(whole.variance())
    assert together(parts).rate == whole.rate


def test_failures_are_counted_by_reason_and_by_group():
    faces = faces_of(failed=(0, 1, 2, 5))
    reasons = list(faces.reasons)
    reasons[5] = "unreadable: 5.jpg is cut off"
    faces = EmbeddedFaces(faces.embeddings, faces.paths, tuple(reasons), faces.columns, "net")
    report = evaluate_faces(faces, "all-pairs", group="group", threshold=0.6)
    assert [(one.reason, one.n) for one in report.failures] == [("no face", 3), ("unreadable", 1)]
    assert report.failure_to_enrol.value == pytest.approx(4 / 72)
    rows = {row.group: row for row in report.differential.groups}
    assert rows["a"].failure_to_enrol.value == pytest.approx(3 / 36)
    assert rows["b"].failure_to_enrol.value == pytest.approx(1 / 36)
    assert rows["a"].n_subjects == 11
    assert warning.NO_TEMPLATE.format(failed=4, images=72) in report.warnings


def test_images_without_identity_or_group_are_left_out_and_counted():
    identity = ("", *faces_of().column("identity")[1:])
    group = faces_of().column("group")[:-3] + ("",) * 3
    report = evaluate_faces(
        faces_of(identity=identity, group=group), "all-pairs", group="group", threshold=0.6
    )
    assert warning.NO_IDENTITY.format(images=1) in report.warnings
    assert report.differential.warnings == ("3 images without a known group left out",)
    assert report.n_subjects == 24
    assert sum(row.n_images for row in report.differential.groups) == 68
    whole = evaluate_faces(faces_of(identity=identity), "all-pairs", threshold=0.6)
    assert report.operating.fmr.value == whole.operating.fmr.value


def test_a_stored_operating_point_is_taken_over():
    point = OperatingPoint(
        threshold=0.6,
        scale="cosine",
        target="fmr=1e-4",
        achieved=Metric(value=1e-4, n=100),
        population="Vietnam, 2026",
        n=100,
        manifest_sha256="ab" * 32,
    )
    report = evaluate_faces(faces_of(), "all-pairs", threshold=point)
    assert (report.operating.threshold, report.operating.target_fmr) == (0.6, 1e-4)
    assert (report.operating.source, report.operating.population) == ("operating point", "Vietnam, 2026")
    assert warning.SAME_DATA not in report.warnings
    wrong = point.model_copy(update={"scale": "probability"})
    with pytest.raises(ConfigError, match="threshold of another scale: expected cosine, got probability"):
        evaluate_faces(faces_of(), "all-pairs", threshold=wrong)


def test_few_persons_and_an_unknown_embedder_are_said():
    report = evaluate_faces(faces_of(), "all-pairs")
    assert warning.FEW_PERSONS.format(subjects=24, limit=30) in report.warnings
    faces = faces_of(people=40)
    nameless = EmbeddedFaces(faces.embeddings, faces.paths, faces.reasons, faces.columns)
    assert warning.NO_MODEL in evaluate_faces(nameless, "all-pairs").warnings


def test_the_record_goes_through_json_unchanged():
    report = evaluate_faces(faces_of(), "all-pairs", group="group", fmr=0.01)
    assert FaceReport.from_json(report.to_json()) == report
    assert report.manifest_sha256 == "ab" * 32
    assert report.model == "net"


def test_resampled_tar_is_that_of_all_scores_at_once():
    """The tail and the weight of the rest give the very draws of a bootstrap over every comparison."""
    faces = faces_of(people=20)
    people = population(faces)
    counts = count_scores(people, people.parts)
    pairs = pairs_of(faces)
    who = faces.column("identity")
    scores = np.array([score for score, *_ in pairs], np.float32)
    whole = Comparisons.from_pairs(scores, [who[i] for *_, i, _ in pairs], [who[j] for *_, j in pairs])
    expected = comparison_draws(whole, 0.05, 200, 4)
    draws = tar_draws(people, collect(people, counts, 0.05, block=11), 0.05, 200, 4)
    assert len(np.unique(draws)) > 20
    assert draws == pytest.approx(expected)


def test_resampled_tar_within_parts_compares_only_inside_them():
    faces = faces_of(people=20)
    people = population(faces, within="camera")
    counts = count_scores(people, people.parts)
    camera, who = faces.column("camera"), faces.column("identity")
    pairs = pairs_of(faces, lambda i, j: camera[i] == camera[j])
    scores = np.array([score for score, *_ in pairs], np.float32)
    codes = np.array([[int(who[i][1:]), int(who[j][1:])] for *_, i, j in pairs])
    same = codes[:, 0] == codes[:, 1]
    whole = Comparisons(scores[same], codes[same, 0], scores[~same], codes[~same], 20)
    draws = tar_draws(people, collect(people, counts, 0.05), 0.05, 100, 4)
    assert draws == pytest.approx(comparison_draws(whole, 0.05, 100, 4))


def test_too_many_scores_to_resample_are_said(monkeypatch):
    resampled = evaluate_faces(faces_of(), "all-pairs")
    monkeypatch.setattr(tar_intervals, "MOST_SCORES", 10)
    fixed = evaluate_faces(faces_of(), "all-pairs")
    for one, other in zip(resampled.tar_at_fmr, fixed.tar_at_fmr, strict=True):
        assert one.at == other.at
        assert one.tar.value == pytest.approx(other.tar.value)
    assert warning.FIXED_THRESHOLD in fixed.tar_at_fmr[0].tar.note
    assert warning.FIXED_THRESHOLD not in (resampled.tar_at_fmr[0].tar.note or "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "pairs"}, "protocol: expected all-pairs, lfw, 1n, got pairs"),
        ({"protocol": "lfw"}, "pairs: expected a list of pairs for protocol lfw, and only for it, got none"),
        ({"protocol": "1n", "group": "group"}, "group: expected protocol all-pairs or lfw, got 1n"),
        ({"protocol": "1n", "threshold": 0.5}, "threshold: expected protocol all-pairs or lfw, got 1n"),
        ({"protocol": "1n", "within": "camera"}, "within: expected protocol all-pairs, got 1n"),
        ({"reference": "a"}, "reference: expected a group column as well; name it with group"),
        ({"threshold": 1.5}, "threshold: expected a cosine, -1 to 1, got 1.5"),
        ({"fmr": 0.0}, "a target rate cannot be met: expected 0 < rate <= 1, got 0.0"),
    ],
)
def test_options_that_do_not_suit_are_refused(options, message):
    given = {"protocol": "all-pairs"} | options
    with pytest.raises(ConfigError) as found:
        evaluate_faces(faces_of(), given.pop("protocol"), **given)
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {"group": "region"}, "no column 'region'"),
        ({}, {"group": "group", "reference": "c"}, "no such reference group: expected a, b, got c"),
        ({"group": ("",) * 72}, {"group": "group"}, "no image with a known group"),
        ({"group": ("a",) * 71 + ("b",)}, {"group": "group"}, "subject 'p23' is in two groups"),
        ({"identity": ("",) * 72}, {}, "no image has both a template and an identity"),
        ({"identity": ("one",) * 72}, {}, "no impostor comparison in the data"),
        ({"identity": tuple(map(str, range(72)))}, {}, "no genuine comparison in the data"),
    ],
)
def test_data_that_says_nothing_is_refused(columns, options, message):
    with pytest.raises(DataError) as found:
        evaluate_faces(faces_of(**columns), "all-pairs", **options)
    assert message in str(found.value)


def test_a_reference_group_of_one_person_cannot_set_a_threshold():
    groups = tuple("lone" if i < 3 else "rest" for i in range(72))
    with pytest.raises(DataError, match="no impostor comparison in the reference group lone"):
        evaluate_faces(faces_of(group=groups), "all-pairs", group="group", reference="lone")


def test_images_without_a_value_of_within_are_compared_with_none():
    vectors = np.random.default_rng(5).normal(size=(40, 16))
    templates = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    people = tuple(f"p{i // 2}" for i in range(40))
    cameras = ("a",) * 20 + ("",) * 20
    faces = EmbeddedFaces(
        templates,
        tuple(f"{i}.png" for i in range(40)),
        ("",) * 40,
        {"identity": people, "cam": cameras, "group": ("one",) * 40},
        "m",
        "0" * 64,
    )
    report = evaluate_faces(faces, "all-pairs", within="cam", group="group", threshold=0.5)
    assert report.n_impostor == 10 * 9 / 2 * 4
    assert report.differential.groups[0].fmr.n == 180
    nobody = dataclasses.replace(faces, columns={**faces.columns, "cam": ("",) * 40})
    with pytest.raises(DataError, match="column 'cam' is empty: expected a value for each image"):
        evaluate_faces(nobody, "all-pairs", within="cam", threshold=0.5)
