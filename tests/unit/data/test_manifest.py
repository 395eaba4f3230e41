"""Manifests: reading strictly, writing losslessly, and never failing in an untyped way."""

from __future__ import annotations

import builtins
import csv
import hashlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vnvision.data import Manifest, Row, read_manifest, write_manifest
from vnvision.errors import DataError, MissingExtraError, VnvisionError

SHA = "ab" * 32
HEADER = "path,label,split,group_id,region,source,licence,consent,sha256,mask\n"


def write(folder: Path, text: str | bytes, name: str = "manifest.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def error(folder: Path, text: str | bytes, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_manifest(write(folder, text), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_every_column(tmp_path: Path) -> None:
    text = HEADER + f"a/1.jpg,rust,train,plant1,VN-01,set,CC-BY-4.0,written,{SHA.upper()},m/1.png\n"
    text += '"b, c.jpg",,,,,,,,,\n'
    path = write(tmp_path, text)
    manifest = read_manifest(path)
    assert manifest.rows == (
        Row(
            2,
            "a/1.jpg",
            "rust",
            None,
            "train",
            "plant1",
            "VN-01",
            "set",
            "CC-BY-4.0",
            "written",
            SHA,
            {"mask": "m/1.png"},
        ),
        Row(3, "b, c.jpg", extra={"mask": ""}),
    )
    assert manifest.root == tmp_path
    assert manifest.path == path
    assert manifest.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert len(manifest) == 2
    assert manifest.file(manifest.rows[0]) == tmp_path / "a/1.jpg"


def test_byte_order_mark_blank_lines_and_multiline_cells(tmp_path: Path) -> None:
    text = '\ufeffpath,note\r\n\r\na.jpg,"two\r\nlines"\r\nlá.jpg,x\r\n'
    rows = read_manifest(write(tmp_path, text)).rows
    assert [(row.line, row.path) for row in rows] == [(3, "a.jpg"), (5, "lá.jpg")]
    assert rows[0].extra == {"note": "two\r\nlines"}


def test_group_is_read_as_group_id(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path, "path,group\na.jpg,g1\nb.jpg,\nc.jpg,\n"))
    assert [row.group_id for row in manifest.rows] == ["g1", None, None]
    keys = manifest.group_keys()
    assert keys[0] == "g1"
    assert len(set(keys)) == 3


def test_split_aliases(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path, "path,split\na,validation\nb,valid\nc,val\nd,train\n"))
    assert [row.split for row in manifest.rows] == ["val", "val", "val", "train"]
    assert len(manifest.split("validation")) == 3


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("file,label\na,b\n", ["no column path", "got file, label", "rename the column 'file'"]),
        ("path;label\na;b\n", ["no column path", "separate the cells by commas"]),
        ("path,label,label\na,b,c\n", ["columns named twice", "got label"]),
        ("path, label,label \na,b,c\n", ["columns named twice", "got label"]),
        (",path\n0,a\n", ["column 1 has no name", "index=False"]),
        ("path,group,group_id\na,b,c\n", ["both group and group_id"]),
        ("path,label,label:x\na,b,1\n", ["both label and label:<id>"]),
        ("path,label:\na,1\n", ["label:<id> columns"]),
        ("path,label:x,label: x\na,1,1\n", ["label:<id> columns"]),
        ("path\n", ["has no rows"]),
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        ("path,label\na,b\nc\nd,e\nf,g,h\n", ["rows 3, 5", "expected 2 cells", "got 1 in row 3"]),
        ("path,label\na,b\nc,\0\n", ["row 3 holds a NUL byte"]),
        (b"path,label\na,b\nc,\xe9t\xe9\n", ["row 3 is not UTF-8", "0xe9"]),
        ("path\na\n".encode("utf-16"), ["not UTF-8", "UTF-16"]),
        ('path,label\na,"b\nc,d\n', ["row 2 cannot be parsed", "check its quotes"]),
        ('path,label\na,"b"c\n', ["row 2 cannot be parsed"]),
        ("path,split\na,train\nb,dev\nc,Test\n", ["split of rows 3, 4", "train, val, test", "got Test, dev"]),
        ("path,sha256\na,123\n", ["sha256 of row 2", "64 hex digits", "'123'"]),
        ("path,label:x\na,1\nb,yes\nc,-1\n", ["label:x of rows 3, 4", "1, 0 or empty", "got -1, yes"]),
        ("path,label\n ,b\n", ["path of row 2"]),
        ('path,label\na,"b\nc"\n', ["label of row 2", "text on one line"]),
        ('path,label\n"a\tb",c\n', ["path of row 2"]),
    ],
)
def test_wrong_files_say_where_and_why(tmp_path: Path, text: str | bytes, parts: list[str]) -> None:
    message = error(tmp_path, text)
    for part in ["manifest.csv", *parts]:
        assert part in message


def test_all_wrong_columns_are_reported_together(tmp_path: Path) -> None:
    message = error(tmp_path, "path,split,sha256\na,x,y\nb,train,z\n")
    assert "split of row 2" in message
    assert "sha256 of rows 2, 3" in message


def test_many_rows_are_summarised(tmp_path: Path) -> None:
    message = error(tmp_path, "path,split\n" + "a,bad\n" * 40)
    assert "rows 2, 3, 4, 5, 6 and 35 more" in message


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="cannot read"):
        read_manifest(tmp_path / "folder.csv")
    with pytest.raises(DataError, match=r"expected \.csv or \.parquet, got \.tsv"):
        read_manifest(write(tmp_path, "path\na\n", "m.tsv"))
    with pytest.raises(DataError, match=r"root of .* is no folder"):
        read_manifest(write(tmp_path, "path\na\n"), root=tmp_path / "nowhere")


def test_governance_gaps_warn_and_fail_under_strict(tmp_path: Path) -> None:
    text = f"path,sha256,license\na,{SHA},MIT\nb,,MIT\n"
    manifest = read_manifest(write(tmp_path, text))
    assert manifest.warnings == (
        "1 of 2 rows have no sha256 (row 3)",
        "no column licence (rename license to licence)",
        "no column consent",
    )
    message = error(tmp_path, text, strict=True)
    assert all(warning in message for warning in manifest.warnings)
    full = write(tmp_path, f"path,sha256,licence,consent\na,{SHA},MIT,public\n")
    assert read_manifest(full, strict=True).warnings == ()


def test_split_where_and_targets(tmp_path: Path) -> None:
    text = "path,label,split\na,x,train\nb,y,train\nc,,test\n"
    manifest = read_manifest(write(tmp_path, text))
    train = manifest.split("train")
    assert [row.path for row in train.rows] == ["a", "b"]
    assert train.sha256 == manifest.sha256
    with pytest.raises(DataError, match=r"no split 'val': expected one of test, train"):
        manifest.split("val")
    assert [row.path for row in manifest.where(np.array([False, True, True])).rows] == ["b", "c"]
    assert [row.path for row in manifest.where([2, 0]).rows] == ["c", "a"]
    assert len(manifest.where([])) == 0
    for wrong in ([3], [-1], np.array([True]), [0.5]):
        with pytest.raises(DataError):
            manifest.where(wrong)
    assert manifest.label_ids() == ("x", "y")
    targets = manifest.targets(("y", "x"))
    assert targets.dtype == np.int64
    assert targets.tolist() == [1, 0, -1]
    with pytest.raises(DataError, match=r"unknown label in row 3: expected one of x, got y"):
        manifest.targets(("x",))


def test_multilabel_targets(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path, "path,label:b,label:a\np,1,0\nq,,1.0\n"))
    assert manifest.is_multilabel
    assert manifest.label_ids() == ("a", "b")
    assert manifest.rows[1].labels == {"b": None, "a": 1}
    targets = manifest.targets(("a", "b"))
    assert targets.dtype == np.int8
    assert targets.tolist() == [[0, 1], [1, -1]]
    assert manifest.targets(("b",)).tolist() == [[1], [-1]]
    with pytest.raises(DataError, match="no column for c: expected label:c, got label:a, label:b"):
        manifest.targets(("a", "c"))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x.jpg", "a/../../x", "C:\\x.jpg", "\\\\host\\x", "a\\..\\x"]
)
def test_paths_out_of_the_root_are_refused(tmp_path: Path, path: str) -> None:
    manifest = read_manifest(write(tmp_path, f"path\n{path}\n"))
    with pytest.raises(DataError, match="row 2 leaves the root"):
        manifest.file(manifest.rows[0])


ROWS = [
    Row(0, "a,b.jpg", "x", None, "train", "g", None, "s", "MIT", None, SHA, {"z": "1", "note": 'q"\r\nr'}),
    Row(0, "lá.jpg", None, None, None, None, "VN", None, None, "public", None, {"z": "", "note": "\r"}),
]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    path = write_manifest(ROWS, tmp_path / f"m{suffix}")
    expected = tuple(replace(row, line=line) for line, row in enumerate(ROWS, 2))
    found = read_manifest(path).rows
    if suffix == ".csv":
        # A record that spans lines moves the next one down.
        assert found[1].line == 4
        found = (found[0], replace(found[1], line=3))
    assert found == expected


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_multilabel_round_trip_and_column_order(tmp_path: Path, suffix: str) -> None:
    rows = [
        Row(0, "a", labels={"b": 1, "a": None}, split="test", extra={"k": "v"}),
        Row(0, "b", labels={"a": 0, "b": 0}),
    ]
    path = write_manifest(rows, tmp_path / f"m{suffix}")
    found = read_manifest(path).rows
    assert [row.labels for row in found] == [{"b": 1, "a": None}, {"a": 0, "b": 0}]
    assert found[1].extra == {"k": ""}
    if suffix == ".csv":
        assert path.read_text() == "path,label:a,label:b,split,k\na,,1,test,v\nb,0,0,,\n"


def test_writing_is_deterministic_and_leaves_no_litter(tmp_path: Path) -> None:
    one, two = write_manifest(ROWS, tmp_path / "1.csv"), write_manifest(ROWS, tmp_path / "2.csv")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.csv", "2.csv"]


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (Row(0, ""), "path of row 2"),
        (Row(0, "a\0"), "path of row 2"),
        (Row(0, "a", " x"), "label of row 2"),
        (Row(0, "a", "x\ny"), "label of row 2"),
        (Row(0, "a", split="dev"), "split of row 2"),
        (Row(0, "a", sha256="AB" * 32), "sha256 of row 2"),
        (Row(0, "a", labels={"x": 2}), "labels of row 2"),
        (Row(0, "a", labels={" x": 1}), "labels: expected ids"),
        (Row(0, "a", "x", {"y": 1}), "both label and labels"),
        (Row(0, "a", extra={"label": "x"}), "extra columns cannot be called 'label'"),
        (Row(0, "a", extra={"group": "x"}), "'group'"),
        (Row(0, "a", extra={"k": "\0"}), "NUL"),
        (Row(0, "a\ud800"), "not valid Unicode"),
    ],
)
def test_rows_that_could_not_be_read_back_are_not_written(tmp_path: Path, row: Row, part: str) -> None:
    target = tmp_path / "m.csv"
    with pytest.raises(DataError) as caught:
        write_manifest([row], target)
    assert part in str(caught.value)
    assert not target.exists()
    with pytest.raises(DataError, match="no rows to write"):
        write_manifest([], target)
    with pytest.raises(DataError, match=r"expected \.csv or \.parquet"):
        write_manifest([Row(0, "a")], tmp_path / "m.json")


def test_parquet_types(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "path": pa.array(["a", "b"]).dictionary_encode(),
            "label:x": pa.array([1.0, float("nan")]),
            "label:y": pa.array([True, None]),
            "n": pa.array([3, None]),
            "score": pa.array([0.25, 1.0]),
            "empty": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "m.parquet")
    rows = read_manifest(tmp_path / "m.parquet").rows
    assert rows[0].labels == {"x": 1, "y": 1}
    assert rows[1].labels == {"x": None, "y": None}
    assert [row.extra for row in rows] == [
        {"n": "3", "score": "0.25", "empty": ""},
        {"n": "", "score": "1", "empty": ""},
    ]
    pq.write_table(pa.table({"path": ["a"], "box": [[1, 2]]}), tmp_path / "m.parquet")
    with pytest.raises(DataError, match="columns box: expected text, numbers or dates"):
        read_manifest(tmp_path / "m.parquet")


@pytest.mark.parametrize("keep", [0, 4, 100, -4])
def test_damaged_parquet(tmp_path: Path, keep: int) -> None:
    pytest.importorskip("pyarrow")
    path = write_manifest(ROWS, tmp_path / "m.parquet")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_manifest(path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"vnvision\[parquet\]"):
        read_manifest(write(tmp_path, b"PAR1", "m.parquet"))


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=8)
TIDY = TEXT.map(str.strip).filter(bool)
MAYBE = st.none() | TIDY


@st.composite
def rows_by_hand(draw: st.DrawFn) -> list[Row]:
    multi = draw(st.booleans())
    ids = draw(st.lists(TIDY, min_size=1, max_size=3, unique=True))
    extra = draw(st.lists(TIDY.map(lambda name: f"x_{name}"), max_size=2, unique=True))
    cell = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)

    def row() -> Row:
        return Row(
            0,
            draw(TEXT.filter(str.strip)),
            None if multi else draw(MAYBE),
            {key: draw(st.sampled_from([0, 1, None])) for key in ids} if multi else None,
            draw(st.sampled_from(["train", "val", "test", None])),
            *(draw(MAYBE) for _ in range(5)),
            draw(st.sampled_from([None, SHA])),
            {key: draw(cell) for key in extra},
        )

    return [row() for _ in range(draw(st.integers(1, 4)))]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=rows_by_hand(), suffix=st.sampled_from([".csv", ".csv", ".csv", ".parquet"]))
def test_any_rows_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[Row], suffix: str) -> None:
    path = write_manifest(rows, tmp_path_factory.mktemp("m") / f"m{suffix}")
    found = read_manifest(path).rows
    assert [replace(row, line=0) for row in found] == rows
    again = write_manifest(found, path.with_name(f"again{suffix}"))
    if suffix == ".csv":
        assert again.read_bytes() == path.read_bytes()


GOOD = (
    HEADER + f"a.jpg,x,train,g,r,s,MIT,c,{SHA},m\n" * 3 + '"b,c.jpg",y,test,h,r,s,MIT,c,,"m\n"\n'
).encode()


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mutated_bytes_only_raise_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw)))
        junk = data.draw(
            st.binary(max_size=4)
            | st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf"])
        )
        raw[at : at + data.draw(st.integers(0, 8))] = junk
    check_only_typed(tmp_path_factory.mktemp("fuzz") / "m.csv", bytes(raw))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(data=st.data())
def test_mutated_cells_only_raise_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    table = [row.copy() for row in csv.reader(GOOD.decode().splitlines(keepends=True))]
    odd = st.text(max_size=6) | st.sampled_from(
        ["", "label:x", "group", "path", "../x", "1", "nan", "\u2028", "=1+1"]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.sampled_from(table))
        if row:
            row[data.draw(st.integers(0, len(row) - 1))] = data.draw(odd)
        if data.draw(st.booleans()):
            row.append(data.draw(odd))
    path = tmp_path_factory.mktemp("fuzz") / "m.csv"
    with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        csv.writer(stream).writerows(table)
    check_only_typed(path, path.read_bytes())


def check_only_typed(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for strict in (False, True):
        try:
            manifest = read_manifest(path, strict=strict)
        except VnvisionError:
            continue
        use(manifest)


def use(manifest: Manifest) -> None:
    """Everything a manifest offers works on whatever was read."""
    assert len(manifest.group_keys()) == len(manifest)
    assert len(manifest.targets(manifest.label_ids())) == len(manifest)
    for row in manifest.rows:
        try:
            manifest.file(row)
        except VnvisionError:
            assert ".." in row.path or ":" in row.path or row.path[0] in "/\\"
    copy = write_manifest(manifest.rows, manifest.path.with_name("copy.csv"))
    again = read_manifest(copy)
    assert [replace(row, line=0) for row in again.rows] == [replace(row, line=0) for row in manifest.rows]


@pytest.mark.slow
def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    line = "images/class/img.jpg,x,train,g,VN,set,CC-BY-4.0,public," + SHA + ",m\n"
    path = write(tmp_path, HEADER + line * 100_000)
    start = time.perf_counter()
    assert len(read_manifest(path)) == 100_000
    assert time.perf_counter() - start < 10  # about a second on an idle machine


def test_faces_keep_their_demographic_group_and_the_person_is_the_leakage_group(tmp_path):
    (tmp_path / "faces.csv").write_text(
        "path,identity,group\na.jpg,ann,north\nb.jpg,ann,north\nc.jpg,bo,south\n"
    )
    manifest = read_manifest(tmp_path / "faces.csv")
    assert [row.group_id for row in manifest.rows] == ["ann", "ann", "bo"]
    assert [row.extra["group"] for row in manifest.rows] == ["north", "north", "south"]
    write_manifest(manifest.rows, tmp_path / "again.csv")
    again = read_manifest(tmp_path / "again.csv")
    assert [(row.group_id, row.extra) for row in again.rows] == [
        (row.group_id, row.extra) for row in manifest.rows
    ]
