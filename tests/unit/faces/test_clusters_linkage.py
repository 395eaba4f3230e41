"""Average linkage against scipy's tree, and what a photo keeps apart."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from vnvision.errors import ConfigError, DataError
from vnvision.faces.clusters_linkage import average_linkage


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def crowd(people, photos, noise, seed):
    rng = np.random.default_rng(seed)
    base = unit(rng.normal(size=(people, 24)))
    own = rng.normal(size=(people, photos, 24)) * noise / np.sqrt(24)
    return unit((base[:, None] + own).reshape(-1, 24))[rng.permutation(people * photos)]


def in_order(labels):
    """Groups numbered by first appearance."""
    seen = {}
    return [seen.setdefault(one, len(seen)) for one in np.asarray(labels).tolist()]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [0.15, 0.35, 0.6])
@pytest.mark.parametrize(("block", "most_pairs"), [(7, 10_000), (2048, 10_000), (2048, 0)])
def test_groups_are_those_of_scipys_tree(seed, threshold, block, most_pairs):
    vectors = crowd(12, 8, 1.0 + 0.15 * seed, seed)
    tree = linkage(vectors.astype(np.float64), "average", metric="cosine")
    expected = in_order(fcluster(tree, 1 - threshold, "distance"))
    assert average_linkage(vectors, threshold, block=block, most_pairs=most_pairs).tolist() == expected


def slow_joining(vectors, threshold, apart):
    """Join the nearest two groups until none reaches the threshold; groups that share a photo never do."""
    groups = [[i] for i in range(len(vectors))]
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    while True:
        best = (-2.0, 0, 0)
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if {apart[i] for i in groups[a]} & {apart[i] for i in groups[b]}:
                    continue
                best = max(best, (float(cosines[np.ix_(groups[a], groups[b])].mean()), a, b))
        if best[0] < threshold:
            labels = {i: g for g, group in enumerate(groups) for i in group}
            return in_order([labels[i] for i in range(len(vectors))])
        groups[best[1]] += groups.pop(best[2])


@pytest.mark.parametrize("seed", range(6))
def test_what_must_stay_apart_is_that_of_the_plain_loop(seed):
    vectors = crowd(6, 6, 1.3, seed)
    apart = np.random.default_rng(seed).integers(0, 15, len(vectors)).tolist()
    found = average_linkage(vectors, 0.25, apart)
    assert found.tolist() == slow_joining(vectors, 0.25, apart)
    assert found.tolist() == average_linkage(vectors, 0.25, apart, most_pairs=0).tolist()
    for group in set(found.tolist()):
        photos = [apart[i] for i in np.flatnonzero(found == group)]
        assert len(photos) == len(set(photos))


def test_copies_join_and_two_faces_of_a_photo_do_not():
    one = unit(np.ones((1, 8)))
    assert average_linkage(np.repeat(one, 5, axis=0), 0.9).tolist() == [0] * 5
    assert average_linkage(np.repeat(one, 4, axis=0), 0.9, [0, 0, 1, 1]).tolist() in (
        [0, 1, 0, 1],
        [0, 1, 1, 0],
    )


def test_order_of_rows_changes_no_group():
    vectors = crowd(10, 6, 1.2, 9)
    order = np.random.default_rng(1).permutation(len(vectors))
    moved = average_linkage(vectors[order], 0.3)
    back = np.empty_like(moved)
    back[order] = moved
    assert in_order(back) == average_linkage(vectors, 0.3).tolist()


def test_nothing_and_one():
    assert average_linkage(np.zeros((0, 8), np.float32), 0.3).tolist() == []
    assert average_linkage(unit(np.ones((1, 8))), 0.3).tolist() == [0]


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.5, float("nan")])
def test_a_threshold_is_a_cosine_above_nothing(threshold):
    with pytest.raises(ConfigError, match="a cosine above 0"):
        average_linkage(unit(np.ones((2, 8))), threshold)


def test_wrong_vectors_are_said():
    with pytest.raises(DataError, match="length 1"):
        average_linkage(np.ones((2, 8), np.float32), 0.3)
    with pytest.raises(DataError, match="apart does not fit: expected 2 numbers, got 1"):
        average_linkage(unit(np.ones((2, 8))), 0.3, [0])
