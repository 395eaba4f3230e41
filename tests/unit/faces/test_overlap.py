"""People in two sets: planted ones are found, by centroid and by best picture, at any block size."""

import csv
import json

import numpy as np
import pytest
from face_cli import run
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import save, shot

from vnvision.errors import ConfigError, DataError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.overlap import find_overlap
from vnvision.faces.overlap_records import write_overlap


def faces(vectors, who, model="net", reasons=None):
    vectors = np.asarray(vectors, np.float32)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    paths = tuple(f"{name or 'x'}-{i}.jpg" for i, name in enumerate(who))
    return EmbeddedFaces(vectors, paths, tuple(reasons or [""] * len(who)), {"identity": tuple(who)}, model)


def drawn(seed, people, noise, prefix, bases):
    """One to four pictures of each person, in random order."""
    rng = np.random.default_rng(seed)
    who = [p for p in people for _ in range(int(rng.integers(1, 5)))]
    rng.shuffle(who)
    vectors = [bases[p] + noise * rng.normal(size=bases.shape[1]) for p in who]
    return faces(vectors, [f"{prefix}{p}" for p in who])


@pytest.mark.parametrize("by", ["centroid", "best"])
@pytest.mark.parametrize("block", [3, 2048])
def test_planted_people_are_found_and_no_others(by, block):
    bases = np.random.default_rng(0).normal(size=(200, 64))
    train = drawn(1, range(120), 0.25, "t", bases)
    test = drawn(2, range(110, 180), 0.25, "e", bases)  # 110 to 119 are in both, under other names
    found = find_overlap(train, test, 0.7, by=by, block=block)
    assert {(pair.first, pair.second) for pair in found.pairs} == {
        (f"t{p}", f"e{p}") for p in range(110, 120)
    }
    assert (found.n_first, found.n_second, found.first_people) == (120, 70, 10)
    assert found.n_compared == (120 * 70 if by == "centroid" else len(train.paths) * len(test.paths))
    cosines = [pair.cosine for pair in found.pairs]
    assert cosines == sorted(cosines, reverse=True)
    for pair in found.pairs:
        assert pair.n_first == train.columns["identity"].count(pair.first)
        assert pair.first_path.startswith(f"{pair.first}-")
        assert pair.second_path.startswith(f"{pair.second}-")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["centroid", "best"]), st.integers(1, 9), st.floats(-0.5, 0.9))
def test_it_is_the_whole_matrix(seed, by, block, threshold):
    rng = np.random.default_rng(seed)
    one = faces(rng.normal(size=(12, 4)), [f"a{i}" for i in rng.integers(0, 5, 12)])
    two = faces(rng.normal(size=(9, 4)), [f"b{i}" for i in rng.integers(0, 4, 9)])

    def of(some, name):
        return some.embeddings[[who == name for who in some.columns["identity"]]].astype(np.float64)

    expected = {}
    for a in set(one.columns["identity"]):
        for b in set(two.columns["identity"]):
            left, right = of(one, a), of(two, b)
            best = (left @ right.T).max()
            if by == "centroid":
                left, right = left.mean(axis=0), right.mean(axis=0)
                value = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
            else:
                value = best
            if abs(value - threshold) > 1e-5 and value >= threshold:
                expected[a, b] = (value, best)
    found = find_overlap(one, two, threshold, by=by, block=block).pairs
    found = {
        (p.first, p.second): (p.cosine, p.best_cosine) for p in found if abs(p.cosine - threshold) > 1e-5
    }
    assert found.keys() == expected.keys()
    for key, values in found.items():
        np.testing.assert_allclose(values, expected[key], atol=1e-5)


def test_pictures_without_template_or_identity_take_no_part():
    one = faces(np.eye(4), ["a", "a", "", "c"], reasons=["", "no face", "", ""])
    two = faces(np.eye(4), ["d", "e", "f", "g"])
    found = find_overlap(one, two, 0.99)
    assert [(p.first, p.second, p.n_first) for p in found.pairs] == [("a", "d", 1), ("c", "g", 1)]
    with pytest.raises(DataError, match="no picture of the second set has both a template and an identity"):
        find_overlap(one, faces(np.eye(2, 4), ["", ""]), 0.5)


def test_what_is_refused(monkeypatch):
    one = faces(np.eye(3), "abc")
    with pytest.raises(
        DataError, match="embedded with different models: expected net, got other; embed both"
    ):
        find_overlap(one, faces(np.eye(3), "abc", model="other"), 0.5)
    with pytest.raises(ConfigError, match="how people are compared: expected centroid or best, got mean"):
        find_overlap(one, one, 0.5, by="mean")
    with pytest.raises(ConfigError, match="block and threshold"):
        find_overlap(one, one, 1.5)
    with pytest.raises(DataError, match="no column 'person'"):
        find_overlap(one, one, 0.5, identity="person")
    monkeypatch.setattr("vnvision.faces.overlap._MOST", 5)
    with pytest.raises(
        DataError, match=r"more pairs than can be looked at: expected at most 5, got 9 or more"
    ):
        find_overlap(one, one, -1.0)


def test_the_table(tmp_path):
    one = faces(np.eye(2), ["An, the first", "b"])
    path = write_overlap(find_overlap(one, one, 0.5), tmp_path / "o.csv")
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["first"], row["second"], row["cosine"]) for row in rows] == [
        ("An, the first", "An, the first", "1.000000"),
        ("b", "b", "1.000000"),
    ]


def test_the_verb(tmp_path, planted):
    pytest.importorskip("pyarrow")
    for name, people in (("train", range(1, 9)), ("test", range(7, 12))):
        for person in people:
            for photo in range(2):
                number = photo + (2 if name == "test" else 0)
                save(tmp_path / name / f"{name} {person}" / f"{photo}.png", shot((person, number)))
    assert run("embed", tmp_path / "test", "--out", tmp_path / "test.parquet").exit_code == 0
    words = ("overlap", tmp_path / "train", tmp_path / "test.parquet", "--threshold", "0.85")
    done = run(*words, "--json")
    assert done.exit_code == 1, "there are some"
    found = {(row["first"], row["second"]) for row in map(json.loads, done.stdout.splitlines())}
    assert found == {("train 7", "test 7"), ("train 8", "test 8")}
    done = run(*words, "--out", tmp_path / "o.csv")
    assert done.stdout == (
        "2 of 8 people are likely among the 5 others, 2 pairs by centroid at cosine 0.850: "
        f"{tmp_path / 'o.csv'}\n"
    )
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 3
    assert run(*words[:3], "--threshold", "0.999").exit_code == 0
    assert isinstance(run(*words[:3], "--threshold", "fmr=1e-5").exception, ConfigError), "never calibrated"
