import csv
import hashlib
import json
import subprocess
import sys
from collections import defaultdict

import cv2
import numpy as np
import pytest

from vnvision.data import synthetic
from vnvision.data.leaf_scene import REGIONS
from vnvision.data.synthetic import LEAF_LABELS, draw_leaf, write_leaves
from vnvision.errors import ConfigError, DataError

KINDS = [label.id for label in LEAF_LABELS]
SICK = KINDS[1:]


@pytest.fixture(scope="module")
def leaf_set(tmp_path_factory):
    """A written set of 15 leaves a class, its rows and the calls of ``progress``."""
    calls = []
    out = tmp_path_factory.mktemp("leaves") / "set"
    path = write_leaves(out, per_class=15, size_px=96, seed=3, progress=lambda *call: calls.append(call))
    with open(path, encoding="utf-8", newline="") as stream:
        return path, list(csv.DictReader(stream)), calls


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_labels_have_both_languages():
    assert [(one.id, one.vi) for one in LEAF_LABELS] == [
        ("healthy", "khỏe mạnh"), ("spot", "đốm lá"), ("blight", "cháy lá"), ("rust", "gỉ sắt"),
    ]  # fmt: skip
    assert all(one.en for one in LEAF_LABELS)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_arguments_give_equal_bytes_whatever_the_threads_and_global_state(kind):
    threads = cv2.getNumThreads()
    first = [draw_leaf(kind, seed, 96) for seed in range(6)]
    cv2.setNumThreads(0)
    np.random.seed(5)
    again = [draw_leaf(kind, seed, 96) for seed in range(6)]
    cv2.setNumThreads(threads)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.leaf_mask, b.leaf_mask)
        assert np.array_equal(a.lesion_mask, b.lesion_mask)
        assert a.severity == b.severity
    assert len({leaf.image.tobytes() for leaf in first}) == 6


def test_another_process_draws_the_same():
    code = (
        "import hashlib; from vnvision.data.synthetic import draw_leaf;"
        "print(hashlib.sha256(draw_leaf('rust', 7, 96).image.tobytes()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there.strip() == hashlib.sha256(draw_leaf("rust", 7, 96).image.tobytes()).hexdigest()


def test_drawing_needs_only_the_base_install():
    heavy = ("torch", "sklearn", "albumentations", "scipy")
    code = (
        "import sys, vnvision.data.augment; from vnvision.data.synthetic import draw_leaf;"
        f"draw_leaf('spot', 1, 64); print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize("size", [32, 96, 224, 300])
def test_masks_and_severity_agree_with_each_other(size):
    for kind in KINDS:
        for seed in range(12):
            leaf = draw_leaf(kind, seed, size)
            assert leaf.image.shape == (size, size, 3)
            assert leaf.image.dtype == leaf.leaf_mask.dtype == leaf.lesion_mask.dtype == np.uint8
            assert leaf.leaf_mask.shape == leaf.lesion_mask.shape == (size, size)
            assert set(np.unique(leaf.leaf_mask)) == {0, 1}
            assert not (leaf.lesion_mask & ~leaf.leaf_mask & 1).any()
            assert 0.04 < leaf.leaf_mask.mean() < 0.8
            assert leaf.severity == leaf.lesion_mask.sum() / leaf.leaf_mask.sum()
            assert (leaf.severity == 0) == (kind == "healthy")


def test_severity_varies_in_the_range_of_its_disease():
    ranges = {"spot": (0.005, 0.35), "blight": (0.1, 0.7), "rust": (0.01, 0.35)}
    for kind, (low, high) in ranges.items():
        found = [draw_leaf(kind, seed, 160).severity for seed in range(40)]
        assert low < min(found)
        assert max(found) < high
        assert max(found) > 2 * min(found)


@pytest.mark.parametrize("kind", SICK)
def test_the_mask_is_where_the_picture_differs_from_the_healthy_leaf(kind):
    inside, outside, far = [], [], []
    for seed in range(25):
        sick, well = draw_leaf(kind, seed), draw_leaf("healthy", seed)
        assert np.array_equal(sick.leaf_mask, well.leaf_mask)
        change = np.abs(sick.image.astype(int) - well.image).max(2)
        near = cv2.dilate(sick.lesion_mask, np.ones((41, 41), np.uint8)) > 0
        core = cv2.erode(sick.lesion_mask, np.ones((3, 3), np.uint8)) > 0
        inside.append(np.median(change[core]) if core.any() else np.median(change[sick.lesion_mask > 0]))
        outside.append(np.median(change[(sick.lesion_mask == 0) & (sick.leaf_mask == 1)]))
        far.append(np.median(change[~near]) if (~near).any() else 0)
    assert np.median(inside) > 5 * np.median(outside)
    assert max(far) <= 3  # nothing but JPEG changes elsewhere: background and light do not tell the class


def test_plants_share_traits_and_leaves_differ():
    leaves = [draw_leaf("healthy", seed, 96, plant_seed=11, region="coast") for seed in range(8)]
    assert len({leaf.background for leaf in leaves}) == 1
    assert {leaf.region for leaf in leaves} == {"coast"}
    assert len({leaf.leaf_mask.tobytes() for leaf in leaves}) == 8
    backgrounds = {draw_leaf("healthy", 0, 32, plant_seed=plant).background for plant in range(80)}
    assert backgrounds == {"soil", "straw", "grass", "sky", "skin", "wood", "leaves"}


def test_wrong_arguments_name_what_is_allowed():
    with pytest.raises(
        ConfigError, match="unknown kind of leaf: expected healthy, spot, blight, rust, got 'mould'"
    ):
        draw_leaf("mould", 0)
    with pytest.raises(ConfigError, match="unknown region: expected delta, highland, coast, got 'moon'"):
        draw_leaf("rust", 0, region="moon")
    with pytest.raises(ConfigError, match=r"expected 32\.\.4096, got 16"):
        draw_leaf("rust", 0, 16)
    with pytest.raises(ConfigError, match="must not be negative"):
        draw_leaf("rust", -1)


def test_manifest_has_the_columns_and_says_synthetic(leaf_set):
    path, rows, calls = leaf_set
    assert ",".join(rows[0]) == (
        "path,label,split,group_id,region,source,licence,consent,sha256,mask,severity"
    )
    assert len(rows) == 60
    for row in rows:
        assert (row["source"], row["licence"], row["consent"]) == (
            "synthetic (vnvision)", "Apache-2.0", "not applicable",
        )  # fmt: skip
        assert hashlib.sha256((path.parent / row["path"]).read_bytes()).hexdigest() == row["sha256"]
        assert row["path"].startswith(f"images/{row['label']}/")
    assert json.loads((path.parent / "set.json").read_text())["synthetic"] is True
    assert calls == [(done, 60) for done in range(1, 61)]


def test_splits_are_60_20_20_and_plants_stay_in_one(leaf_set):
    _, rows, _ = leaf_set
    for label in KINDS:
        counts = {
            name: sum(r["label"] == label and r["split"] == name for r in rows)
            for name in ("train", "val", "test")
        }
        assert counts == {"train": 9, "val": 3, "test": 3}
    groups = defaultdict(set)
    for row in rows:
        groups[row["group_id"]].add((row["label"], row["split"], row["region"]))
    assert all(len(kinds) == 1 for kinds in groups.values())
    sizes = [sum(row["group_id"] == group for row in rows) for group in groups]
    assert set(sizes) <= {2, 3, 4}
    assert {row["region"] for row in rows} == set(REGIONS)


def test_written_masks_hold_leaf_and_lesion(leaf_set):
    path, rows, _ = leaf_set
    for row in rows[::7]:
        mask = cv2.imread(str(path.parent / row["mask"]), cv2.IMREAD_UNCHANGED)
        assert mask.shape == (96, 96)
        assert set(np.unique(mask)) <= {0, 1, 2}
        assert float(row["severity"]) == pytest.approx((mask == 2).sum() / (mask > 0).sum(), abs=1e-6)


def test_the_same_set_is_used_again_and_twice_gives_the_same_bytes(leaf_set, tmp_path):
    path, _, _ = leaf_set
    before = path.stat().st_mtime_ns
    assert write_leaves(path.parent, per_class=15, size_px=96, seed=3) == path
    assert path.stat().st_mtime_ns == before
    other = write_leaves(tmp_path / "again", per_class=15, size_px=96, seed=3)
    assert digests(other.parent) == digests(path.parent)


def test_a_folder_in_the_way_is_refused(leaf_set, tmp_path):
    path, _, _ = leaf_set
    with pytest.raises(DataError, match=r"holds another set: .*seed=4.*; choose another folder"):
        write_leaves(path.parent, per_class=15, size_px=96, seed=4)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is in the way: expected an empty folder"):
        write_leaves(tmp_path, per_class=5)
    with pytest.raises(DataError, match="is in the way"):
        write_leaves(tmp_path / "notes.txt", per_class=5)
    assert [item.name for item in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ConfigError, match="expected per_class of 5 or more, got 4"):
        write_leaves(tmp_path / "new", per_class=4)


def test_a_damaged_set_is_refused(tmp_path):
    out = tmp_path / "set"
    out.mkdir()  # an empty folder may be given
    write_leaves(out, per_class=5, size_px=32)
    photo = out / "images" / "rust" / "0002.jpg"
    photo.write_bytes(photo.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"0002\.jpg or its mask is missing or changed"):
        write_leaves(out, per_class=5, size_px=32)
    (out / "manifest.csv").write_text("path\n")
    with pytest.raises(DataError, match="is damaged: expected 20 rows, got 0"):
        write_leaves(out, per_class=5, size_px=32)


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def stop(done, total):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_leaves(tmp_path / "set", per_class=5, size_px=32, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_reads_as_a_manifest(leaf_set):
    manifest_module = pytest.importorskip("vnvision.data.manifest")
    path, rows, _ = leaf_set
    manifest = manifest_module.read_manifest(path)
    assert len(manifest) == len(rows)
    assert manifest.label_ids() == tuple(sorted(KINDS))
    assert len(manifest.split("train")) == 36
    assert manifest.rows[0].extra["mask"] == rows[0]["mask"]
    assert manifest.rows[0].source == synthetic.SOURCE


@pytest.mark.slow
def test_colour_and_background_alone_do_not_tell_the_class():
    linear = pytest.importorskip("sklearn.linear_model")
    leaves = [draw_leaf(KINDS[seed % 4], seed, 96) for seed in range(800)]
    small = [cv2.resize(leaf.image, (8, 8), interpolation=cv2.INTER_AREA).ravel() for leaf in leaves]
    x, y = np.array(small, float) / 255, np.arange(800) % 4
    model = linear.LogisticRegression(C=0.1, max_iter=2000).fit(x[:560], y[:560])
    assert model.score(x[560:], y[560:]) < 0.6
