"""Importers: four layouts in, one manifest out, and nothing half-written."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vnvision.data import read_manifest
from vnvision.data.check import check_manifest
from vnvision.data.importers import import_data
from vnvision.errors import ConfigError, DataError, VnvisionError


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    cv2.imwrite(str(path), image)
    return path


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def rows_of(path: Path) -> list[tuple[str, str | None, str | None]]:
    return [(row.path, row.label, row.split) for row in read_manifest(path).rows]


# Folders of classes


def test_image_folder(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for i, name in enumerate(
        ["rust/1.JPG", "rust/deep/2.png", "bệnh/3.jpeg", "rust/.hidden.jpg", ".x/4.jpg"]
    ):
        picture(root / name, i)
    (root / "rust/notes.txt").write_text("x")
    calls: list[tuple[int, int]] = []
    path = import_data(
        root,
        root,
        licence="CC0-1.0",
        consent="none needed",
        region="VN-LD",
        source_name="leaves",
        progress=lambda *call: calls.append(call),
    )
    assert path == root / "manifest.csv"
    assert rows_of(path) == [
        ("bệnh/3.jpeg", "bệnh", None),
        ("rust/1.JPG", "rust", None),
        ("rust/deep/2.png", "rust", None),
    ]
    manifest = read_manifest(path, strict=True)
    for row in manifest.rows:
        assert (row.licence, row.consent, row.region, row.source) == (
            "CC0-1.0",
            "none needed",
            "VN-LD",
            "leaves",
        )
        assert row.sha256 == hashlib.sha256((root / row.path).read_bytes()).hexdigest()
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert check_manifest(manifest, near_duplicates=False).ok


def test_image_folder_with_splits_and_a_manifest_above(tmp_path: Path) -> None:
    for i, name in enumerate(["train/a/1.png", "train/b/2.png", "valid/a/3.png", "test/b/4.png"]):
        picture(tmp_path / "raw" / name, i)
    path = import_data(tmp_path / "raw", tmp_path / "leaf.csv", hash_files=False)
    assert rows_of(path) == [
        ("raw/test/b/4.png", "b", "test"),
        ("raw/train/a/1.png", "a", "train"),
        ("raw/train/b/2.png", "b", "train"),
        ("raw/valid/a/3.png", "a", "val"),
    ]
    assert read_manifest(path).rows[0].sha256 is None


@pytest.mark.parametrize(
    ("files", "part"),
    [
        (["train/a/1.png", "rust/2.png"], "mixes split folders and others"),
        (["val/a/1.png", "valid/a/2.png"], "holds one split twice"),
        (["a/1.png", "2.png"], "images outside class folders"),
        (["train/1.png", "test/a/1.png"], "images outside class folders"),
        (["a/1.png", "b/x.txt"], "b holds no images"),
        (["x.txt"], "holds no class folders"),
    ],
)
def test_unclear_folders(tmp_path: Path, files: list[str], part: str) -> None:
    for name in files:
        picture(tmp_path / name) if name.endswith("png") else (
            (tmp_path / name).parent.mkdir(exist_ok=True),
            (tmp_path / name).write_text("x"),
        )
    with pytest.raises(DataError, match=part):
        import_data(tmp_path, tmp_path, kind="imagefolder")
    assert not (tmp_path / "manifest.csv").exists()


def test_images_outside_the_manifest_folder(tmp_path: Path) -> None:
    picture(tmp_path / "set/a/1.png")
    with pytest.raises(DataError, match="outside the manifest's folder") as caught:
        import_data(tmp_path / "set", tmp_path / "elsewhere/m.csv")
    assert str(tmp_path / "set" / "m.csv") in str(caught.value)
    assert not (tmp_path / "elsewhere").exists()


def test_import_is_repeatable(tmp_path: Path) -> None:
    picture(tmp_path / "raw/a/1.png")
    first = import_data(tmp_path / "raw", tmp_path).read_bytes()
    assert import_data(tmp_path / "raw", tmp_path).read_bytes() == first
    assert listing(tmp_path) == ["manifest.csv", "raw/a/1.png"]


# Tables


def test_table_with_other_names(tmp_path: Path) -> None:
    picture(tmp_path / "img/1.png", 1)
    picture(tmp_path / "img/2.png", 2)
    table = tmp_path / "labels.csv"
    table.write_text("image,diagnosis,age,licence\nimg/1.png,rust,3,MIT\nimg\\2.png,,4,\n")
    path = import_data(table, tmp_path, columns={"image": "path", "diagnosis": "label"}, licence="CC0-1.0")
    rows = read_manifest(path).rows
    assert [(row.path, row.label, row.licence, row.extra) for row in rows] == [
        ("img/1.png", "rust", "MIT", {"age": "3"}),
        ("img/2.png", None, "CC0-1.0", {"age": "4"}),
    ]
    assert rows[0].sha256 == hashlib.sha256((tmp_path / "img/1.png").read_bytes()).hexdigest()


def test_table_multilabel_and_image_root(tmp_path: Path) -> None:
    picture(tmp_path / "img/1.png", 1)
    table = tmp_path / "meta/labels.csv"
    table.parent.mkdir()
    table.write_text("path,Effusion\n1.png,1\n")
    path = import_data(
        table, tmp_path, columns={"Effusion": "label:effusion"}, image_root=tmp_path / "img", hash_files=False
    )
    assert read_manifest(path).rows[0].labels == {"effusion": 1}
    assert read_manifest(path).rows[0].path == "img/1.png"


@pytest.mark.parametrize(
    ("text", "columns", "error", "part"),
    [
        ("image\n1.png\n", {}, DataError, "no column path"),
        ("image\n1.png\n", {"img": "path"}, DataError, "no column img: expected one of image"),
        ("image\n1.png\n", {"path": "image"}, ConfigError, "write table column = manifest column"),
        (
            "path,a,b\n1.png,x,y\n",
            {"a": "label", "b": "label"},
            DataError,
            "two columns would be called label",
        ),
        ("path,a,label\n1.png,x,y\n", {"a": "label"}, DataError, "two columns would be called label"),
        ("path\n../1.png\n", {}, DataError, "row 2: unsafe file name"),
        ("path\n/etc/hosts\n", {}, DataError, "unsafe file name"),
        ("path\nnone.png\n", {}, DataError, r"1 of 1 images are not there \(row 2\)"),
        ("path,split\n1.png,dev\n", {}, DataError, "split of row 2"),
        (f"path,sha256\n1.png,{'0' * 64}\n", {}, DataError, "1.png has changed"),
    ],
)
def test_wrong_tables(tmp_path: Path, text: str, columns: dict[str, str], error: Any, part: str) -> None:
    picture(tmp_path / "1.png")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(error, match=part):
        import_data(tmp_path / "t.csv", tmp_path, columns=columns)
    assert not (tmp_path / "manifest.csv").exists()


# COCO

COCO: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "im/1.png", "width": 9, "height": 8},
        {"id": 2, "file_name": "im/2.png"},
    ],
    "annotations": [
        {"id": 5, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3.5, 4]},
        {"id": 6, "image_id": 1, "category_id": 7, "bbox": [0, 0, 2, 2]},
    ],
    "categories": [{"id": 7, "name": "rust"}, {"id": 9, "name": "blight"}],
}


def coco(folder: Path, **changes: Any) -> Path:
    for i in (1, 2):
        picture(folder / f"im/{i}.png", i)
    path = folder / "instances.json"
    path.write_text(json.dumps(COCO | changes))
    return path


def test_coco(tmp_path: Path) -> None:
    source = coco(tmp_path)
    manifest = read_manifest(import_data(source, tmp_path))
    assert [(row.path, row.labels) for row in manifest.rows] == [
        ("im/1.png", {"blight": 0, "rust": 1}),
        ("im/2.png", {"blight": 0, "rust": 0}),
    ]
    assert (tmp_path / "boxes.csv").read_text() == (
        "path,label,x0,y0,x1,y1\nim/1.png,rust,1,2,4.5,6\nim/1.png,rust,0,0,2,2\n"
    )
    categories = json.loads((tmp_path / "categories.json").read_text())
    assert categories == [{"id": 7, "name": "rust"}, {"id": 9, "name": "blight"}]


def test_coco_with_an_image_root_and_a_manifest_above(tmp_path: Path) -> None:
    source = coco(tmp_path / "set")
    annotations = tmp_path / "set/annotations/instances.json"
    annotations.parent.mkdir()
    source.rename(annotations)
    path = import_data(annotations, tmp_path, image_root=tmp_path / "set")
    assert read_manifest(path).rows[0].path == "set/im/1.png"
    assert "set/im/1.png,rust,1,2,4.5,6\n" in (tmp_path / "boxes.csv").read_text()


def test_coco_unknown_labels_crowds_and_no_boxes(tmp_path: Path) -> None:
    images = [dict(image, neg_category_ids=[9] * (image["id"] == 2)) for image in COCO["images"]]
    notes = [
        dict(COCO["annotations"][0], iscrowd=1),
        {"id": 8, "image_id": 1, "category_id": 7, "bbox": [1, 1, 0, 2]},
    ]
    with pytest.warns(UserWarning, match="left out 2 boxes"):
        path = import_data(coco(tmp_path, images=images, annotations=notes), tmp_path)
    rows = read_manifest(path).rows
    assert [row.labels for row in rows] == [{"blight": None, "rust": 1}, {"blight": 0, "rust": None}]
    assert (tmp_path / "boxes.csv").read_text() == "path,label,x0,y0,x1,y1\n"
    (tmp_path / "boxes.csv").unlink()
    import_data(coco(tmp_path, annotations=[{"id": 5, "image_id": 2, "category_id": 9}]), tmp_path)
    assert not (tmp_path / "boxes.csv").exists()


def note(**changes: Any) -> dict[str, Any]:
    return {"annotations": [COCO["annotations"][0] | changes]}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"images": []}, "is empty"),
        ({"images": [1]}, "images: a list of objects"),
        ({"images": [{"id": 1, "file_name": "im/1.png"}] * 2}, "an id of its own"),
        ({"images": [{"id": [1], "file_name": "im/1.png"}]}, "an id of its own"),
        ({"images": [{"id": i, "file_name": "im/1.png"} for i in (1, 2)]}, "names one file in two images"),
        ({"images": [{"id": 1, "file_name": "../../etc/passwd"}]}, "unsafe file name"),
        ({"images": [{"id": 1, "file_name": "/etc/passwd"}]}, "unsafe file name"),
        ({"images": [{"id": 1, "file_name": "..\\x.png"}]}, "unsafe file name"),
        ({"images": [{"id": 1, "file_name": "C:/x.png"}]}, "unsafe file name"),
        ({"images": [{"id": 1, "file_name": "a\nb.png"}]}, "unsafe file name"),
        ({"images": [{"id": 1, "file_name": 3}]}, "file_name of 1: expected text, got 3"),
        ({"images": [{"id": 1, "file_name": "im/9.png"}], "annotations": []}, "1 of 1 images are not there"),
        ({"images": [dict(COCO["images"][0], neg_category_ids=[77])], "annotations": []}, "neg_category_ids"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a "}]}, "a name of its own"),
        ({"categories": []}, "is empty"),
        (note(image_id=77), "expected the id of an image, got image_id 77"),
        (note(image_id=[1]), "expected the id of an image"),
        (note(category_id=77), "expected the id of a category"),
        (note(bbox=[1, 2, -3, 4]), "annotation 5: bbox"),
        (note(bbox=[1, 2, 3]), "bbox: expected"),
        (note(bbox=[1, 2, 3, float("nan")]), "bbox: expected"),
        (note(bbox="1234"), "bbox: expected"),
        (note(bbox=[True, 2, 3, 4]), "bbox: expected"),
    ],
)
def test_wrong_coco(tmp_path: Path, changes: dict[str, Any], part: str) -> None:
    source = coco(tmp_path, **changes)
    before = listing(tmp_path)
    with pytest.raises(DataError, match=part):
        import_data(source, tmp_path, kind="coco")
    assert listing(tmp_path) == before


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"images": []}'])
def test_damaged_json(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x.json").write_bytes(text)
    for kind in ("coco", None):
        with pytest.raises(DataError):
            import_data(tmp_path / "x.json", tmp_path, kind=kind)


# MedMNIST

RNG = np.random.default_rng(0)


def arrays(colour: bool = False, columns: int = 1, n: int = 3) -> dict[str, np.ndarray]:
    shape = (28, 28, 3) if colour else (28, 28)
    found: dict[str, np.ndarray] = {}
    for split, count in (("train", n), ("val", 2), ("test", 1)):
        found[f"{split}_images"] = RNG.integers(0, 256, (count, *shape), dtype=np.uint8)
        found[f"{split}_labels"] = RNG.integers(0, 2, (count, columns), dtype=np.uint8)
    return found


def archive(path: Path, found: dict[str, np.ndarray], packed: bool = True) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **found)
    return path


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_medmnist(tmp_path: Path, colour: bool, packed: bool) -> None:
    found = arrays(colour)
    source = archive(tmp_path / "bloodmnist.npz", found, packed)
    calls: list[tuple[int, int]] = []
    path = import_data(source, tmp_path / "out", licence="CC-BY-4.0", progress=lambda *c: calls.append(c))
    manifest = read_manifest(path)
    assert [row.split for row in manifest.rows] == ["train"] * 3 + ["val"] * 2 + ["test"]
    for split in ("train", "val", "test"):
        for i, row in enumerate(manifest.split(split).rows):
            assert row.path == f"images/{split}/{i:06d}.png"
            assert row.label == str(found[f"{split}_labels"][i, 0])
            np.testing.assert_array_equal(
                np.asarray(Image.open(manifest.file(row))), found[f"{split}_images"][i]
            )
    assert calls[:6] == [(i, 6) for i in range(1, 7)]
    assert check_manifest(manifest, near_duplicates=False).ok
    assert listing(tmp_path / "out") == sorted(["manifest.csv", *(row.path for row in manifest.rows)])


def test_medmnist_multilabel_and_names(tmp_path: Path) -> None:
    found = arrays(columns=3)
    source = archive(tmp_path / "chestmnist.npz", found)
    rows = read_manifest(import_data(source, tmp_path / "a")).rows
    expected = found["train_labels"].tolist()
    assert [row.labels for row in rows[:3]] == [dict(zip("012", values, strict=True)) for values in expected]
    rows = read_manifest(import_data(source, tmp_path / "b", labels=["x", "y", "z"])).rows
    assert rows[0].labels == dict(zip("xyz", expected[0], strict=True))
    with pytest.raises(ConfigError, match="labels: expected 3 different names, got x, y"):
        import_data(source, tmp_path / "c", labels=["x", "y"])
    assert not (tmp_path / "c" / "images").exists()


def test_medmnist_names_of_classes(tmp_path: Path) -> None:
    found = arrays()
    source = archive(tmp_path / "m.npz", found)
    rows = read_manifest(import_data(source, tmp_path / "b", labels=["normal", "ill", "unseen"])).rows
    assert [row.label for row in rows[:3]] == [["normal", "ill"][i] for i in found["train_labels"][:, 0]]


def test_medmnist_refuses_an_existing_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=r"images exists: .* choose an empty folder"):
        import_data(archive(tmp_path / "m.npz", arrays()), tmp_path)


def changed(**changes: np.ndarray) -> dict[str, np.ndarray]:
    return arrays() | changes


@pytest.mark.parametrize(
    ("found", "part"),
    [
        ({"x": np.zeros(3)}, "no MedMNIST archive"),
        (changed(train_images=np.zeros((3, 28, 28), np.float32)), r"expected uint8 \(N, H, W\)"),
        (changed(train_images=np.zeros((3, 28, 28, 28), np.uint8)), "volumes are not supported"),
        (changed(train_images=np.zeros((2, 28, 28), np.uint8)), "2 images, 3 labels"),
        (changed(train_images=np.zeros((3, 0, 28), np.uint8)), "expected uint8"),
        (changed(train_images=np.zeros((28, 28, 3), np.uint8).T), "C order"),
        (changed(train_labels=np.zeros((3, 1))), "train_labels: expected whole numbers"),
        (changed(train_labels=np.full((3, 1), -1)), "expected class indices"),
        (changed(train_labels=np.full((3, 1), 10**9)), "expected class indices"),
        (changed(val_labels=np.zeros((0, 1), int)), "expected one label or more"),
        (changed(train_labels=np.zeros((3, 2), int)), "as many columns in each split"),
        (changed(train_labels=np.array(["a", "b", "c"])), "expected whole numbers"),
    ],
)
def test_wrong_medmnist(tmp_path: Path, found: dict[str, np.ndarray], part: str) -> None:
    source = archive(tmp_path / "m.npz", found)
    with pytest.raises(DataError, match=part):
        import_data(source, tmp_path / "out", kind="medmnist")
    assert not (tmp_path / "out" / "images").exists()
    assert not (tmp_path / "out" / "manifest.csv").exists()
    assert not list(tmp_path.glob("out/.*"))


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pickled-code-ran"),)


def test_pickles_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train_labels", "train_images"):
        source = tmp_path / f"{name}.npz"
        archive(source, arrays() | {name: np.array([Evil(), Evil(), Evil()], dtype=object)})
        with pytest.raises(DataError, match="plain array"):
            import_data(source, tmp_path / "out", kind="medmnist")
    (tmp_path / "m.npz").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match=r"no \.npz archive"):
        import_data(tmp_path / "m.npz", tmp_path / "out", kind="medmnist")
    assert not (tmp_path / "pickled-code-ran").exists()


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    members = {name: npy(array) for name, array in arrays().items()}
    zeros = packed(tmp_path / "z.npz", members | {"train_images": npy(np.zeros((3, 2000, 2000), np.uint8))})
    with pytest.raises(DataError, match="looks like a decompression bomb"):
        import_data(zeros, tmp_path / "out", kind="medmnist")
    lying = packed(tmp_path / "l.npz", members | {"train_images": header((3, 10**6, 10**6)) + b"\0" * 100})
    with pytest.raises(DataError, match=r"train_images: expected .* bytes"):
        import_data(lying, tmp_path / "out", kind="medmnist")
    assert not list(tmp_path.glob("out/*"))


def test_an_interrupted_import_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = archive(tmp_path / "m.npz", arrays())

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_data(source, tmp_path / "out", progress=stop)
    assert list((tmp_path / "out").iterdir()) == []


@settings(max_examples=150, derandomize=True, deadline=None)
@given(data=st.data())
def test_damaged_archives_only_raise_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("npz")
    archive(folder / "m.npz", SOME, packed=data.draw(st.booleans()))
    raw = bytearray((folder / "m.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (folder / "m.npz").write_bytes(raw)
    try:
        path = import_data(folder / "m.npz", folder / "out", kind="medmnist")
    except VnvisionError:
        assert not (folder / "out/images").exists()
    else:
        assert len(read_manifest(path)) > 0


SOME = {name: array[:, :4, :4] if array.ndim == 3 else array for name, array in arrays().items()}


@settings(max_examples=100, derandomize=True, deadline=None)
@given(data=st.data())
def test_damaged_array_headers_only_raise_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("npy")
    members = {name: npy(array) for name, array in SOME.items()}
    name = data.draw(st.sampled_from(["train_images", "train_labels"]))
    raw = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 90))] = data.draw(
            st.integers(0, 255) | st.sampled_from(list(b"(){}[],:'O0"))
        )
    packed(folder / "m.npz", members | {name: bytes(raw)})
    try:
        import_data(folder / "m.npz", folder / "out", kind="medmnist", hash_files=False)
    except VnvisionError:
        assert not (folder / "out/images").exists()


# Kinds


def test_kind_is_told_only_where_it_is_clear(tmp_path: Path) -> None:
    picture(tmp_path / "set/a/1.png")
    (tmp_path / "set/labels.csv").write_text("path\na/1.png\n")
    with pytest.raises(DataError, match=r"could be a folder of classes, or described by labels\.csv"):
        import_data(tmp_path / "set", tmp_path / "set")
    assert rows_of(import_data(tmp_path / "set", tmp_path / "set", kind="imagefolder"))[0][1] == "a"
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "x.txt").write_text("")
    for name in ("x.npz", "x.json", "x.txt"):
        with pytest.raises(DataError, match=r"no known kind.*--kind"):
            import_data(tmp_path / name, tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        import_data(tmp_path / "none", tmp_path)


def test_options_that_do_not_apply(tmp_path: Path) -> None:
    picture(tmp_path / "set/a/1.png")
    with pytest.raises(ConfigError, match=r"kind: expected one of imagefolder, .*, dicom, got voc"):
        import_data(tmp_path / "set", tmp_path, kind="voc")
    with pytest.raises(ConfigError, match="columns does not apply to imagefolder: expected kind csv"):
        import_data(tmp_path / "set", tmp_path, columns={"path": "x"})
    with pytest.raises(ConfigError, match="labels does not apply"):
        import_data(tmp_path / "set", tmp_path, labels=["x"])


def test_coco_boxes_are_a_column_that_detection_reads(tmp_path: Path) -> None:
    for number in (1, 2):
        picture(tmp_path / f"im/{number}.png")
    value = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in (1, 2)],
        "categories": [{"id": 1, "name": "rust"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3.5, 4]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(value))
    path = import_data(tmp_path / "coco.json", tmp_path, image_root=tmp_path / "im")
    assert [row.extra["boxes"] for row in read_manifest(path).rows] == ["rust 1 2 4.5 6", "none"]
    value["categories"][0]["name"] = "leaf rust"
    (tmp_path / "coco.json").write_text(json.dumps(value))
    with pytest.warns(UserWarning, match="no column boxes was written: labels such as 'leaf rust'"):
        path = import_data(tmp_path / "coco.json", tmp_path / "out.csv", image_root=tmp_path / "im")
    assert "boxes" not in read_manifest(path).rows[0].extra
