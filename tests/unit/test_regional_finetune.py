"""What the regional fine-tuning benchmark computes, against sums written out and planted truth."""

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "training" / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def parts():
    """The benchmark's modules are found beside the script."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def face_set(embeddings, people, groups):
    from regional.faces import FaceSet

    rows = np.asarray(embeddings, float)
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    crops = np.zeros((len(rows), 2, 2, 3), np.uint8)
    paths = np.array([f"{i}.jpg" for i in range(len(rows))])
    return FaceSet(crops, unit, unit, paths, np.array(people), np.array(groups))


@pytest.fixture
def faces():
    """40 people of two groups, one to four pictures each."""
    rng = np.random.default_rng(1)
    people = [f"g{i % 2}:p{i:02}" for i in range(40) for _ in range(1 + i % 4)]
    centres = {name: rng.normal(size=128) for name in dict.fromkeys(people)}
    rows = [centres[name] + rng.normal(size=128) for name in people]
    return face_set(rows, people, ["korean" if name.startswith("g0") else "chinese" for name in people])


def test_no_person_is_in_two_folds_and_groups_are_spread(faces):
    from regional.folds import assign_folds

    folds = assign_folds(faces, 5, 0)
    assert all(len(set(folds[faces.people == name])) == 1 for name in faces.people)
    for group in ("korean", "chinese"):
        sizes = np.bincount(folds[faces.groups == group], minlength=5)
        assert sizes.max() - sizes.min() <= 2


def test_people_with_the_name_or_the_face_of_a_portrait_are_left_out(faces):
    from regional.folds import without_the_same_people

    strangers = np.random.default_rng(9).normal(size=(4, 128))
    strangers[1] = faces.embeddings[7]
    portraits = face_set(faces.embeddings, ["chinese:yang-mi", *faces.people[1:]], faces.groups)
    others = face_set(
        strangers, ["chinese:other", "chinese:double", "chinese:yangmi", "chinese:double"], ["c"] * 4
    )
    kept = without_the_same_people(others, portraits)
    assert list(kept.people) == ["chinese:other"]  # the double goes with both pictures


def test_rates_are_counts_over_the_folds(faces):
    from regional.folds import assign_folds
    from regional.judge import Rates, held_out_pairs

    folds = assign_folds(faces, 5, 0)
    limits = [0.1, 0.12, 0.14, 0.16, 0.18]
    pairs = held_out_pairs(faces, folds, [faces.embeddings] * 5, limits)
    found = Rates(pairs.of_row("korean"))
    matched = {True: [], False: []}
    for i in range(len(folds)):
        for j in range(i):
            if folds[i] == folds[j] and faces.groups[i] == faces.groups[j] == "korean":
                score = float(faces.embeddings[i] @ faces.embeddings[j])
                matched[bool(faces.people[i] == faces.people[j])].append(score >= limits[folds[i]])
    got = found(np.ones(found.n_subjects))
    assert found.n == (len(matched[True]), len(matched[False]))
    assert got["fmr"] == pytest.approx(np.mean(matched[False]))
    assert got["tar"] == pytest.approx(np.mean(matched[True]))


def test_weights_count_a_person_as_often_as_drawn():
    from regional.judge import Pairs, Rates

    pairs = Pairs(
        margin=np.array([0.2, -0.1, 0.3, -0.2]),
        first=np.array([0, 1, 0, 1]),
        second=np.array([0, 1, 1, 2]),
        fold=np.zeros(4, int),
        group=np.array(["korean"] * 4),
        n_subjects=3,
    )
    got = Rates(pairs)(np.array([2.0, 1.0, 3.0]))
    assert got["tar"] == pytest.approx(2 / 3)  # genuine: person 0 twice, person 1 once
    assert got["fmr"] == pytest.approx(2 / 5)  # impostor: 2 * 1 matches, 1 * 3 does not
    assert Rates(pairs).tar_at(0.5, np.array([2.0, 1.0, 3.0])) == pytest.approx(1)


def test_the_same_model_twice_shows_nothing(faces):
    from regional.folds import assign_folds
    from regional.judge import changes, held_out_pairs

    pairs = held_out_pairs(faces, assign_folds(faces, 5, 0), [faces.embeddings] * 5, [0.1] * 5)
    one = changes(pairs, pairs, 20, 0)["all"]["fmr"]
    assert (one.change, one.low, one.high, one.verdict) == (0.0, 0.0, 0.0, "not shown")


def test_a_planted_common_part_is_taken_off_and_people_stay_apart(faces):
    from regional.transforms import Training, centred, whitened

    shared = np.zeros(128)
    shared[0] = 20.0
    alike = face_set(faces.embeddings * 16 + shared, faces.people, faces.groups)
    training = Training(alike, alike, alike.rows(np.zeros(0, int)))

    def gap(rows):
        scores = rows @ rows.T
        same = faces.people[:, None] == faces.people[None]
        np.fill_diagonal(same, False)
        return scores[same].mean(), scores[faces.people[:, None] != faces.people[None]].mean()

    assert gap(alike.embeddings)[1] > 0.5
    for transform in (centred(training, 1.0), whitened(training, 0.9)):
        genuine, impostor = gap(transform(alike.embeddings))
        assert abs(impostor) < 0.05
        assert genuine > 0.3


def test_worth_counts_the_aims_and_refuses_a_fall_on_lfw():
    import regional_finetune as script

    row = {"fmr": 8e-3, "tar": 0.93, "own_tar": 0.80}
    start = {"korean": row, "all": row, "lfw": 0.993}
    reached = {"fmr": 4e-3, "tar": 0.93, "own_tar": 0.83}
    assert script.worth(start, start) == 0
    assert script.worth({"korean": reached, "all": reached, "lfw": 0.993}, start) == pytest.approx(2)
    assert script.worth({"korean": reached, "all": reached, "lfw": 0.990}, start) == float("-inf")
    further = reached | {"fmr": 1e-3}
    assert script.worth({"korean": further, "all": further, "lfw": 0.993}, start) == pytest.approx(2)
