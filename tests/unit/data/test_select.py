from __future__ import annotations

import hashlib

import pytest

from vnvision.data.manifest import read_manifest
from vnvision.data.select import select_rows, write_selection
from vnvision.errors import ConfigError, DataError

CSV = """path,label,split,group_id,capture,phone,mask
img/a.png,rust,train,g1,white,p1,masks/a.png
img/b.png,rust,val,g2,white,p2,none
img/c.png,spot,train,g3,field,p1,
img/d.png,spot,test,g4,field,p2,
img/e.png,spot,test,g4,garden,,
"""


@pytest.fixture
def manifest(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "manifest.csv").write_text(CSV)
    return read_manifest(folder / "manifest.csv")


def names(found):
    return [row.path[4] for row in found.rows]


def test_values_are_alternatives_and_columns_all_fit(manifest):
    assert names(select_rows(manifest, {"capture": ["white"]})) == ["a", "b"]
    assert names(select_rows(manifest, {"capture": ["white", "field", "garden"]})) == list("abcde")
    assert names(select_rows(manifest, {"capture": ["white"], "phone": ["p2"]})) == ["b"]
    assert names(select_rows(manifest, {"label": ["spot"], "split": ["test"]})) == ["d", "e"]
    assert names(select_rows(manifest, {"group": ["g1", "g3"]})) == ["a", "c"]


def test_an_empty_value_is_an_empty_cell(manifest):
    assert names(select_rows(manifest, {"phone": [""]}, mixed="split")) == ["e"]


def test_a_selection_and_its_inverse_part_the_rows(manifest):
    chosen = select_rows(manifest, {"capture": ["white"]})
    rest = select_rows(manifest, {"capture": ["white"]}, invert=True)
    assert sorted(names(chosen) + names(rest)) == list("abcde")
    assert chosen.sha256 == manifest.sha256


def test_groups_on_both_sides_are_refused_dropped_or_split(manifest):
    where = {"capture": ["field"]}
    with pytest.raises(DataError, match=r"1 groups have rows inside and outside the selection: got g4; drop"):
        select_rows(manifest, where)
    assert names(select_rows(manifest, where, mixed="drop")) == ["c"]
    assert names(select_rows(manifest, where, mixed="drop", invert=True)) == ["a", "b"]
    assert names(select_rows(manifest, where, mixed="split")) == ["c", "d"]


def test_written_beside_the_pictures(manifest):
    out = manifest.root / "white.csv"
    written = write_selection(select_rows(manifest, {"capture": ["white"]}), out)
    assert names(written) == ["a", "b"]
    assert [row.path for row in written.rows] == ["img/a.png", "img/b.png"]
    assert written.sha256 == hashlib.sha256(out.read_bytes()).hexdigest() != manifest.sha256
    assert [row.extra["mask"] for row in written.rows] == ["masks/a.png", "none"]


def test_written_further_up_paths_and_masks_stay_right(manifest):
    written = write_selection(
        select_rows(manifest, {"capture": ["white"]}), manifest.root.parent / "white.csv"
    )
    assert [row.path for row in written.rows] == ["set/img/a.png", "set/img/b.png"]
    assert [row.extra["mask"] for row in written.rows] == ["set/masks/a.png", "none"]
    assert written.file(written.rows[0]) == manifest.root.parent / "set/img/a.png"


def test_written_elsewhere_is_refused(manifest, tmp_path):
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    with pytest.raises(DataError, match=r"outside the folder of x.csv: expected that folder or one above it"):
        write_selection(manifest, elsewhere / "x.csv")
    assert list(elsewhere.iterdir()) == []
    with pytest.raises(ConfigError, match=r"manifest.csv exists; choose another name"):
        write_selection(manifest, manifest.path)


def test_multi_label_columns(tmp_path):
    (tmp_path / "m.csv").write_text("path,label:a,label:b\n1.png,1,0\n2.png,0,\n3.png,,1\n")
    manifest = read_manifest(tmp_path / "m.csv")
    assert [row.path for row in select_rows(manifest, {"label:b": ["0", ""]}).rows] == ["1.png", "2.png"]


def test_wrong_conditions_are_named(manifest):
    with pytest.raises(
        DataError, match=r"has no column 'colour': expected one of path, label, split, group_id, "
    ):
        select_rows(manifest, {"colour": ["red"]})
    with pytest.raises(
        DataError, match=r"column capture has no value 'lab': expected one of white, field, garden"
    ):
        select_rows(manifest, {"capture": ["lab"]})
    with pytest.raises(DataError, match=r"no row is left: got capture=white, phone="):
        select_rows(manifest, {"capture": ["white"], "phone": [""]}, mixed="split")
    with pytest.raises(ConfigError, match=r"nothing to select by: expected column=value"):
        select_rows(manifest, {})
    with pytest.raises(ConfigError, match=r"mixed: expected refuse, drop, split, got whole"):
        select_rows(manifest, {"capture": ["white"]}, mixed="whole")
