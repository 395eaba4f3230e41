"""The real imaging manifests: they read, their groups hold, and near-duplicate search stays sane on them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from vnvision.data import Manifest, read_manifest
from vnvision.data.card import data_card, describe
from vnvision.data.check import check_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.splits import assign_splits

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
FOLDER = Path(ROOT or ".")
SETS = sorted(path.parent for part in ("agri", "med") for path in FOLDER.glob(f"{part}/*/manifest.csv"))


def manifest(name: str) -> Manifest:
    return read_manifest(FOLDER / name / "manifest.csv")


def test_there_are_sets() -> None:
    assert len(SETS) >= 10


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_manifest_reads_and_groups_hold(folder: Path) -> None:
    data = read_manifest(folder / "manifest.csv")
    assert len(data.warnings) == 3  # sha256, licence, consent: these sets state none of them
    assert all(data.file(row).is_file() for row in data.rows)
    splits = defaultdict(set)
    for row, group in zip(data.rows, data.group_keys(), strict=True):
        splits[group].add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set(Counter(row.split for row in data.rows)) == {"train", "val", "test"}
    assert (data.targets(data.label_ids()) >= 0).all()


def test_check_of_bean_leaves() -> None:
    data = manifest("agri/ibean")
    result = check_manifest(data, labels=data.label_ids())
    # Field photos, each of its own: nothing is wrong, and at most a stray pair looks alike.
    assert result.counts().get("near-duplicate across splits", 0) <= 2
    assert set(result.counts()) <= {"near-duplicate across splits"}


def test_cells_on_black_do_not_collapse() -> None:
    data = manifest("med/malaria")
    clusters = Counter(near_duplicate_clusters([data.file(row) for row in data.rows]))
    assert max(clusters.values()) <= 2
    assert len(clusters) >= len(data) - 5


def test_known_repeats_of_one_lesion_are_found() -> None:
    data = manifest("med/busi")
    clusters = near_duplicate_clusters([data.file(row) for row in data.rows])
    of_group, of_cluster = defaultdict(list), defaultdict(list)
    for i, (group, cluster) in enumerate(zip(data.group_keys(), clusters, strict=True)):
        of_group[group].append(i)
        of_cluster[cluster].append(i)
    repeats = [rows for rows in of_group.values() if len(rows) > 1]
    found = sum(len({clusters[i] for i in rows}) < len(rows) for rows in repeats)
    assert found / len(repeats) > 0.8
    assert max(map(len, of_cluster.values())) <= 6


def test_splitting_again_keeps_patients_whole() -> None:
    data = manifest("med/cxr_nih")
    rows = assign_splits(data)
    for name, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        for label in data.label_ids():
            part = sum(row.split == name and row.label == label for row in rows)
            assert part / 500 == pytest.approx(share, abs=0.02)
    patients = defaultdict(set)
    for row, key in zip(rows, data.group_keys(), strict=True):
        patients[key].add(row.split)
    assert all(len(found) == 1 for found in patients.values())


def test_card_of_rice_leaves() -> None:
    data = manifest("agri/uci_rice")
    facts = describe(data)
    assert facts["images"]["readable"] == len(data)
    assert any("test split is small" in text for text in facts["warnings"])
    assert "| leaf_smut | 40 | 28 | 6 | 6 |" in data_card(data)
