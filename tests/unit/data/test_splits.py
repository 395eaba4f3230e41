"""Splits: groups never cross, everything is dealt, shares and labels are near what was asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from vnvision.data import Manifest, Row
from vnvision.data.splits import assign_splits, group_folds, merged_groups
from vnvision.data.stratify import Unit, deal
from vnvision.errors import ConfigError, DataError

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def manifest(rows: list[Row]) -> Manifest:
    return Manifest(tuple(rows), Path(), Path("m.csv"), "0" * 64)


def single(labels: list[str | None], groups: list[str | None]) -> Manifest:
    pairs = enumerate(zip(labels, groups, strict=True))
    return manifest([Row(i + 2, f"{i}.jpg", label, group_id=group) for i, (label, group) in pairs])


def assert_groups_whole(parts: list[object], groups: list[object]) -> None:
    where = defaultdict(set)
    for part, group in zip(parts, groups, strict=True):
        where[group].add(part)
    assert all(len(found) == 1 for found in where.values())


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str | None], list[str | None], list[int]]:
    n = draw(st.integers(12, 80))
    labels = draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=n, max_size=n))
    some = [f"g{i}" for i in range(draw(st.integers(3, 12)))]
    groups = draw(st.lists(st.sampled_from([*some, None]), min_size=n, max_size=n))
    clusters = draw(st.lists(st.integers(0, 10 * n), min_size=n, max_size=n))
    return labels, groups, clusters


@pytest.mark.filterwarnings("ignore:label")
@settings(max_examples=150, derandomize=True, deadline=None)
@given(table=tables(), seed=st.integers(0, 5))
def test_groups_and_clusters_never_cross(
    table: tuple[list[str | None], list[str | None], list[int]], seed: int
) -> None:
    labels, groups, clusters = table
    data = single(labels, groups)
    if len(set(merged_groups(data.group_keys(), clusters))) < 3:
        return
    rows = assign_splits(data, SHARES, seed, clusters=clusters)
    splits = [row.split for row in rows]
    assert [row.path for row in rows] == [row.path for row in data.rows]
    assert set(splits) == set(SHARES)
    assert_groups_whole(splits, data.group_keys())
    assert_groups_whole(splits, clusters)
    assert rows == assign_splits(data, SHARES, seed, clusters=clusters)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=60, max_size=200),
    classes=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_shares_are_near_for_every_label(sizes: list[int], classes: int, seed: int) -> None:
    labels: list[str | None] = []
    groups: list[str | None] = []
    for number, size in enumerate(sizes):
        labels += [f"c{number % classes}"] * size
        groups += [f"g{number}"] * size
    rows = assign_splits(single(labels, groups), SHARES, seed)
    totals = Counter(labels)
    found = Counter((row.label, row.split) for row in rows)
    for label, total in totals.items():
        for split, share in SHARES.items():
            # Off by no more than the largest group can weigh.
            assert abs(found[label, split] - share * total) <= 4


def test_a_label_with_enough_groups_reaches_every_split() -> None:
    labels = ["common"] * 60 + ["rare"] * 3
    rows = assign_splits(single(labels, [None] * 63))
    assert {row.split for row in rows if row.label == "rare"} == set(SHARES)


def test_a_label_with_too_few_groups_is_warned_about() -> None:
    labels = ["common"] * 30 + ["rare"] * 5
    groups = [f"g{i}" for i in range(30)] + ["one"] * 3 + ["two"] * 2
    with pytest.warns(UserWarning, match=r"label rare has 2 groups: no example of it in (val|test)$"):
        rows = assign_splits(single(labels, groups))
    assert "train" in {row.split for row in rows if row.label == "rare"}


@pytest.mark.filterwarnings("ignore:label [bc]")
def test_few_large_groups_leave_no_split_empty() -> None:
    labels = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    with pytest.warns(UserWarning, match="label a has 1 group"):
        rows = assign_splits(single(labels, labels))
    assert {row.split for row in rows} == set(SHARES)


def test_multilabel_shares() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(600):
        values = rng.random(4) < [0.5, 0.2, 0.1, 0.05]
        labels = {f"l{j}": int(value) for j, value in enumerate(values)}
        rows.append(Row(i + 2, f"{i}.png", labels=labels, group_id=f"p{i // 2}"))
    dealt = assign_splits(manifest(rows), SHARES, seed=3)
    for name, share in SHARES.items():
        part = [row for row in dealt if row.split == name]
        assert len(part) / 600 == pytest.approx(share, abs=0.03)
        for j in range(4):
            total = sum(row.labels[f"l{j}"] for row in dealt)
            assert sum(row.labels[f"l{j}"] for row in part) / total == pytest.approx(share, abs=0.05)
    assert_groups_whole([row.split for row in dealt], [row.group_id for row in dealt])


def test_seed_matters_and_existing_splits_do_not() -> None:
    data = single(["a", "b"] * 50, [None] * 100)
    one, two = assign_splits(data, seed=1), assign_splits(data, seed=2)
    assert one != two
    assert assign_splits(manifest(list(two)), seed=1) == one


def test_two_splits_only() -> None:
    rows = assign_splits(single(["a", "b"] * 50, [None] * 100), {"train": 0.8, "test": 0.2})
    assert Counter(row.split for row in rows) == {"train": 80, "test": 20}


@pytest.mark.parametrize(
    "fractions",
    [
        {},
        {"train": 1.0},
        {"train": 0.5, "test": 0.4},
        {"train": 1.5, "test": -0.5},
        {"train": 0.5, "dev": 0.5},
    ],
)
def test_wrong_fractions(fractions: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="fractions: expected"):
        assign_splits(single(["a"] * 5, [None] * 5), fractions)


def test_too_few_groups_and_wrong_clusters() -> None:
    with pytest.raises(DataError, match="too few groups to split: expected 3 or more, got 2"):
        assign_splits(single(["a"] * 5, ["g", "g", "g", "h", "h"]))
    with pytest.raises(ConfigError, match="clusters: expected 2"):
        assign_splits(single(["a"] * 2, [None] * 2), clusters=[0])


def test_merged_groups_are_transitive() -> None:
    assert merged_groups(["a", "a", "b", "c", "d"]) == [0, 0, 1, 2, 3]
    assert merged_groups(["a", "a", "b", "c", "d"], [5, 6, 6, 7, 7]) == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("k", [2, 5])
def test_group_folds(k: int) -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 80, 600)
    targets = (groups * 7 % 3).astype(np.int64)
    folds = group_folds(targets, groups.tolist(), k, seed=0)
    assert folds.dtype == np.int64
    assert set(folds.tolist()) == set(range(k))
    assert_groups_whole(folds.tolist(), groups.tolist())
    np.testing.assert_array_equal(folds, group_folds(targets, groups.tolist(), k, seed=0))
    ours = spread(folds, targets, k)
    theirs = np.zeros(600, dtype=int)
    splitter = StratifiedGroupKFold(k, shuffle=True, random_state=0)
    for number, (_, test) in enumerate(splitter.split(targets, targets, groups)):
        theirs[test] = number
    assert ours <= spread(theirs, targets, k) + 0.01


def spread(folds: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Largest distance of a class share in a fold from what an even deal would give."""
    counts = np.array([[np.sum((folds == fold) & (targets == c)) for c in range(3)] for fold in range(k)])
    return float(np.abs(counts / counts.sum(axis=0) - 1 / k).max())


def test_group_folds_multilabel_and_unknown() -> None:
    rng = np.random.default_rng(2)
    targets = np.where(rng.random((200, 3)) < 0.2, 1, 0).astype(np.int8)
    folds = group_folds(targets, list(range(200)), 4)
    for c in range(3):
        share = np.bincount(folds[targets[:, c] == 1], minlength=4) / (targets[:, c] == 1).sum()
        assert np.abs(share - 0.25).max() < 0.05
    assert Counter(group_folds(np.full(12, -1), list(range(12)), 3).tolist()) == {0: 4, 1: 4, 2: 4}


def test_group_folds_errors() -> None:
    with pytest.raises(ConfigError, match="k: expected 2"):
        group_folds(np.zeros(4, int), list(range(4)), 1)
    with pytest.raises(ConfigError, match="groups: expected 4"):
        group_folds(np.zeros(4, int), [1], 2)
    with pytest.raises(DataError, match="too few groups for 3 folds: expected 3 or more, got 2"):
        group_folds(np.zeros(4, int), [1, 1, 2, 2], 3)


def test_deal_gives_each_part_its_share() -> None:
    parts = deal([Unit(1, {0: 1})] * 100, [0.5, 0.3, 0.2], seed=0)
    assert Counter(parts) == {0: 50, 1: 30, 2: 20}
