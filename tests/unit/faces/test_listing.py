import hashlib

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.listing import list_pictures


def touch(root, *names, data=b"x"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def manifest(root, text, name="list.csv"):
    root.mkdir(parents=True, exist_ok=True)
    path = root / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_a_person(tmp_path):
    touch(tmp_path, "Nguyễn An/2.JPG", "Nguyễn An/1.png", "Trần Bình/a.webp", "Trần Bình/notes.txt", "x.bmp")
    found = list_pictures(tmp_path)
    assert found.root == tmp_path
    assert dict(zip(found.paths, found.columns["identity"], strict=True)) == {
        "Nguyễn An/1.png": "Nguyễn An",
        "Nguyễn An/2.JPG": "Nguyễn An",
        "Trần Bình/a.webp": "Trần Bình",
        "x.bmp": "",
    }
    assert list(found.paths) == sorted(found.paths)


def test_deeper_folders_keep_their_names_apart(tmp_path):
    """Two people may both be called An, in two classes."""
    touch(tmp_path, "class1/An/1.png", "class2/An/1.png")
    assert list_pictures(tmp_path).columns["identity"] == ("class1/An", "class2/An")


def test_flat_files_show_nobody_known(tmp_path):
    touch(tmp_path, "a.png", "b.tiff")
    found = list_pictures(str(tmp_path))
    assert found.paths == ("a.png", "b.tiff")
    assert found.columns == {"identity": ("", "")}


def test_folders_that_look_like_pictures_are_none(tmp_path):
    touch(tmp_path, "album.jpg/1.png")
    assert list_pictures(tmp_path).paths == ("album.jpg/1.png",)


def test_the_fingerprint_of_a_folder_follows_names_and_sizes(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png")
    first = list_pictures(tmp_path).sha256
    assert list_pictures(tmp_path).sha256 == first
    touch(tmp_path, "a/notes.txt")
    assert list_pictures(tmp_path).sha256 == first
    touch(tmp_path, "a/1.png", data=b"longer")
    second = list_pictures(tmp_path).sha256
    touch(tmp_path, "a/2.png")
    assert len({first, second, list_pictures(tmp_path).sha256}) == 3


def test_a_folder_without_pictures_or_nothing_at_all_is_refused(tmp_path):
    touch(tmp_path / "full", "notes.txt")
    (tmp_path / "empty").mkdir()
    for name in ("full", "empty"):
        with pytest.raises(DataError, match=rf"no pictures in .*{name}: expected a folder a person"):
            list_pictures(tmp_path / name)
    with pytest.raises(DataError, match=r"missing does not exist: expected a folder of pictures"):
        list_pictures(tmp_path / "missing")
    with pytest.raises(DataError, match=r"notes\.txt is no table: expected \.csv or \.parquet"):
        list_pictures(tmp_path / "full" / "notes.txt")


def test_a_manifest_keeps_columns_it_does_not_know(tmp_path):
    path = manifest(
        tmp_path,
        ' path ,identity,tuổi,"odd, name",self\n a.png , An ,34,"x, y",\nin/b.png,Bình,,,1\n',
    )
    found = list_pictures(path)
    assert found.root == tmp_path
    assert found.paths == ("a.png", "in/b.png")
    assert found.columns == {
        "identity": ("An", "Bình"),
        "tuổi": ("34", ""),
        "odd, name": ("x, y", ""),
        "self": ("", "1"),
    }
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_manifest_with_paths_only_lists_them(tmp_path):
    found = list_pictures(manifest(tmp_path, "path\na.png\n"))
    assert (found.paths, found.columns) == (("a.png",), {})


def test_a_parquet_manifest_is_read_as_text(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = pa.table({"path": ["a.png", "b.png"], "identity": ["An", None], "age": [34.0, None]})
    pyarrow.parquet.write_table(table, tmp_path / "list.parquet")
    found = list_pictures(tmp_path / "list.parquet")
    assert found.columns == {"identity": ("An", ""), "age": ("34", "")}


def test_a_manifest_without_paths_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"list\.csv has no column path: got file, identity"):
        list_pictures(manifest(tmp_path, "file,identity\na.png,An\n"))


@pytest.mark.parametrize(
    "path", ["../a.png", "/etc/a.png", "in/../../a.png", "C:\\a.png", "\\\\server\\a.png", "..\\a.png", " "]
)
def test_paths_that_leave_the_folder_are_refused_by_row(tmp_path, path):
    text = f'path,identity\nok.png,An\n"{path}",An\n'
    with pytest.raises(DataError) as caught:
        list_pictures(manifest(tmp_path, text))
    assert "row 3 has no path inside the manifest's folder" in str(caught.value)
    assert f"paths relative to {tmp_path}" in str(caught.value)


@pytest.fixture
def people(tmp_path):
    return manifest(
        tmp_path,
        "path,identity,group,split\n"
        "1.png,An,north,train\n2.png,An,north,test\n3.png,Bình,south,test\n4.png,Chi,a=b,test\n",
    )


@pytest.mark.parametrize(
    ("where", "paths"),
    [
        ([], "1234"),
        (["split=test"], "234"),
        (["split=test", "identity=An"], "2"),
        (["group=a=b"], "4"),
        ([" identity = Bình "], "3"),
    ],
)
def test_conditions_choose_rows(people, where, paths):
    found = list_pictures(people, where=where)
    assert found.paths == tuple(f"{number}.png" for number in paths)
    assert all(len(cells) == len(paths) for cells in found.columns.values())
    everything = list_pictures(people)
    at = {path: i for i, path in enumerate(everything.paths)}
    for name, cells in found.columns.items():
        assert cells == tuple(everything.columns[name][at[path]] for path in found.paths)


def test_an_empty_value_chooses_rows_where_it_is_unknown(tmp_path):
    found = list_pictures(manifest(tmp_path, "path,identity\n1.png,\n2.png,An\n"), where=["identity="])
    assert found.paths == ("1.png",)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["test"], "a condition is wrong: expected COLUMN=VALUE, got test"),
        (["splt=test"], "no column 'splt': expected one of group, identity, split"),
        (["split=val"], "no row with split=val: expected one of test, train"),
        (["split=train", "identity=Chi"], "no row with identity=Chi: expected one of An"),
        (["=test"], "no column ''"),
    ],
)
def test_conditions_that_cannot_be_met_say_what_could(people, where, message):
    with pytest.raises(DataError) as caught:
        list_pictures(people, where=where)
    assert message in str(caught.value)


def test_a_condition_on_folders(tmp_path):
    touch(tmp_path, "An/1.png", "Bình/1.png")
    assert list_pictures(tmp_path, where=["identity=An"]).paths == ("An/1.png",)


def test_embedded_faces_take_the_same_conditions():
    rows = np.eye(3, 4, dtype=np.float32)
    faces = EmbeddedFaces(rows, ("1", "2", "3"), ("", "no face", ""), {"split": ("a", "a", "b")}, "m", "s")
    some = faces.where(["split=a"])
    assert (some.paths, some.reasons, some.columns) == (("1", "2"), ("", "no face"), {"split": ("a", "a")})
    np.testing.assert_array_equal(some.embeddings, rows[:2])
    assert some.found.tolist() == [True, False]
    assert (some.model, some.manifest_sha256) == ("m", "s")
    assert faces.where([]).paths == faces.paths
    with pytest.raises(DataError, match="no column 'identity': expected one of split"):
        faces.column("identity")


@pytest.mark.parametrize(
    ("embeddings", "reasons", "columns", "message"),
    [
        (np.zeros((2, 4)), ("",), {}, "expected 1 rows, got embeddings has 2"),
        (np.zeros((1, 4)), (), {}, "reasons has 0"),
        (np.zeros((1, 4)), ("",), {"identity": ("An", "An")}, "identity has 2"),
        (np.zeros(1), ("",), {}, "expected 1 rows, got 1-D"),
    ],
)
def test_embedded_faces_that_do_not_fit_are_refused(embeddings, reasons, columns, message):
    with pytest.raises(DataError) as caught:
        EmbeddedFaces(embeddings, ("a.png",), reasons, columns)
    assert message in str(caught.value)
