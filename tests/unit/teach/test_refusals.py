"""Photographs that cannot teach are refused, with numbers, in both languages."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import HEALTHY, PHOTOS, RUST, leaf, save

from vnvision.data.neardup import cluster
from vnvision.errors import DataError, ModelError
from vnvision.imaging import read
from vnvision.teach import TeachError, faults, teach
from vnvision.teach.head import folds
from vnvision.teach.names import labels_of, model_name, slug
from vnvision.teach.photos import listed


def mine(photographs, out: Path, **options):
    return teach(photographs, out, name="mine", reader=read, threads=1, **options)


@pytest.fixture
def copy(leaves, tmp_path) -> Path:
    return Path(shutil.copytree(leaves, tmp_path / "photos"))


def test_one_class_is_nothing_to_tell_apart(copy, tmp_path):
    shutil.rmtree(copy / RUST)
    with pytest.raises(faults.TooFewClassesError) as caught:
        mine(copy, tmp_path / "b")
    assert "ít nhất 2 lớp" in caught.value.vietnamese
    assert "got 1 (Lá khỏe)" in str(caught.value)


def test_a_folder_of_other_files_is_a_class_without_photographs(copy, tmp_path):
    (copy / "Lá vàng").mkdir()
    (copy / "Lá vàng" / "1.heic").write_bytes(b"a phone's own format")
    with pytest.raises(faults.TooFewPhotosError, match="Lá vàng: 0 that differ among 0, 20 missing"):
        mine(copy, tmp_path / "b")


def test_copies_do_not_count(copy, tmp_path):
    for number in range(18, PHOTOS):
        (copy / RUST / f"{number:02d}.jpg").unlink()
    for number in range(6):  # the same pictures once more, saved worse
        save(copy / RUST / f"again{number}.jpg", leaf("rust", number), quality=60)
    with pytest.raises(faults.TooFewPhotosError) as caught:
        mine(copy, tmp_path / "b")
    assert f"{RUST}: 18 that differ among 24, 2 missing" in str(caught.value)
    assert "còn thiếu 2" in caught.value.vietnamese
    assert not (tmp_path / "b").exists()


def test_one_photograph_in_two_classes_names_both(copy, tmp_path):
    shutil.copyfile(copy / RUST / "03.jpg", copy / HEALTHY / "stray.jpg")
    with pytest.raises(faults.SamePhotoError) as caught:
        mine(copy, tmp_path / "b")
    assert f"{RUST}/03.jpg in {RUST}, {HEALTHY}/stray.jpg in {HEALTHY}" in str(caught.value)
    assert caught.value.vietnamese


def test_too_many_unreadable_files(copy, tmp_path):
    for number in range(12):
        (copy / RUST / f"bad{number}.jpg").write_bytes(b"nothing")
    with pytest.raises(faults.UnreadablePhotosError, match="12 of 56"):
        mine(copy, tmp_path / "b")


def test_limits(tmp_path):
    with pytest.raises(faults.TooManyClassesError, match="at most 50"):
        listed({f"c{n}": [f"{n}.jpg"] for n in range(51)})
    with pytest.raises(faults.TooManyPhotosError, match="at most 5000"):
        listed({"a": [f"{n}.jpg" for n in range(5000)], "b": ["x.jpg"]})
    with pytest.raises(DataError, match="no folder"):
        mine(tmp_path / "absent", tmp_path / "b")


def test_few_patients(copy, tmp_path):
    for name in (HEALTHY, RUST):
        for number in range(PHOTOS):
            file = copy / name / f"{number:02d}.jpg"
            target = copy / name / str(number % 3) / file.name
            target.parent.mkdir(exist_ok=True)
            file.rename(target)
    with pytest.raises(faults.TooFewPhotosError, match="too few plants or patients"):
        mine(copy, tmp_path / "b", by_folder=True)


def test_a_model_without_features_is_no_trunk(leaves, tmp_path):
    with pytest.raises(ModelError, match="cannot be taught"):
        mine(leaves, tmp_path / "b", trunk="leaf_severity")


def test_every_refusal_speaks_vietnamese():
    kinds = (
        faults.few_classes([]), faults.many_classes(51), faults.many_photos(5001), faults.bad_name(""),
        faults.few_photos([("a", 3, 9)]), faults.few_groups("a", 2), faults.same_photo("x", "a", "y", "b"),
        faults.unreadable([("x", "why")], 3),
    )  # fmt: skip
    assert all(isinstance(one, TeachError) and one.vietnamese for one in kinds)


def test_ids_of_vietnamese_names():
    assert slug("Bệnh đốm lá Ớt") == "benh_dom_la_ot"
    labels = labels_of(["Lá ớt", "La ot", "ĐẠO ÔN", "???", "2 chấm"])
    assert [label.id for label in labels] == ["la_ot", "la_ot_2", "dao_on", "class", "2_cham"]
    assert labels[0].vi == labels[0].en == "Lá ớt"
    decomposed = "La\u0301 o\u031b\u0301t"  # as macOS stores it
    assert labels_of([decomposed])[0].vi == "Lá ớt"
    assert model_name("Lá nhà tôi") == "la_nha_toi"
    assert model_name("2026 mùa đông") == "m_2026_mua_dong"
    with pytest.raises(faults.ClassNameError):
        labels_of(["a", "x" * 81])


def test_groups_are_never_divided_between_folds():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 120)
    targets = groups % 3
    for train, held in folds(targets, groups, 5, seed=1):
        assert not set(groups[train]) & set(groups[held])
    assert cluster([None, None], ["a", "a"]) == [0, 0]
