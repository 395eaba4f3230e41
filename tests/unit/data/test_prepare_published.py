"""The prepare scripts of published crop sets, on a drawn stand-in of each layout."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from rice_drawing import blade, draw_folders, draw_paddy_doctor, save

from vnvision.data.manifest import read_manifest
from vnvision.data.published import (
    check_archive,
    labelled_pictures,
    plain_name,
    unpack,
    without_contradictions,
)
from vnvision.data.rows import Row
from vnvision.errors import DataError

DATASETS = Path(__file__).parents[3] / "datasets"
PADDY = (
    "bacterial_leaf_blight", "bacterial_leaf_streak", "bacterial_panicle_blight", "blast", "brown_spot",
    "dead_heart", "downy_mildew", "hispa", "normal", "tungro",
)  # fmt: skip
SAMPLES = {
    "Bacterialblight": "bacterial_leaf_blight",
    "Blast": "blast",
    "Brownspot": "brown_spot",
    "Tungro": "tungro",
}
DHAN = {
    "Browon Spot": "brown_spot", "Leaf Scaled": "leaf_scald", "Rice Blast": "blast", "Rice Turgro": "tungro",
    "Shath Blight": "sheath_blight",
}  # fmt: skip


def run(name, *words):
    command = [sys.executable, DATASETS / name / "prepare.py", *words]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=env)


def manifest_of(out):
    manifest = read_manifest(out / "manifest.csv", strict=True)
    assert all(manifest.file(row).is_file() for row in manifest.rows)
    splits = {}
    for row in manifest.rows:
        splits.setdefault(row.group_id, set()).add(row.split)
    assert {len(found) for found in splits.values()} == {1}
    return manifest


def test_paddy_doctor(tmp_path):
    draw_paddy_doctor(tmp_path / "d", PADDY, 4)
    twin = tmp_path / "d/train_images/blast"
    first = sorted(twin.iterdir())[0]
    picture = cv2.imread(str(first))
    cv2.imwrite(str(twin / "100999.jpg"), cv2.convertScaleAbs(picture, alpha=1.04))
    with open(tmp_path / "d/train.csv", "a", encoding="utf-8") as file:
        file.write("100999.jpg,blast,ADT45,50\n")
    done = run("paddy_doctor", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "the download's hash was not compared" in done.stderr
    manifest = manifest_of(tmp_path / "out")
    assert manifest.label_ids() == PADDY
    assert Counter(row.label for row in manifest.rows)["blast"] == 5
    rows = {Path(row.path).name: row for row in manifest.rows}
    assert "200001.jpg" not in rows
    assert (rows["100001.jpg"].extra["variety"], rows["100002.jpg"].extra["age_days"]) == ("ADT45", "46")
    assert rows[first.name].group_id == rows["100999.jpg"].group_id != rows["100001.jpg"].group_id
    assert {row.region for row in manifest.rows} == {"India (Tamil Nadu)"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,label,variety,age\n100001.jpg,blast,ADT45,45\n", "disagrees with train_images"),
        ("image_id,label,variety,age\n", "has no line for train_images"),
        ("image_id,label\n", "has other columns: expected age, image_id, label, variety"),
        ("image_id,label,variety,age\n100001.jpg,blast\n", "train.csv, line 2 is too short"),
        ("image_id,label,variety,age\n100001.jpg,blast,Caf\xe9,45\n", "train.csv is not UTF-8: got"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, text, message):
    draw_paddy_doctor(tmp_path / "d", PADDY, 1)
    (tmp_path / "d/train.csv").write_text(text, encoding="latin-1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.csv").write_text("of an earlier run")
    done = run("paddy_doctor", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 2  # one says that the hash was not compared
    assert not (tmp_path / "out/manifest.csv").exists()


def test_rice_leaf_samples_from_an_archive(tmp_path):
    draw_folders(tmp_path / "Rice Leaf Disease Images", SAMPLES, 4)
    archive = tmp_path / "samples.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((tmp_path / "Rice Leaf Disease Images").rglob("*.jpg")):
            packed.write(path, path.relative_to(tmp_path))
    done = run("rice_leaf_samples", archive, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert f"states no archive_sha256 yet; this file's is {digest}" in done.stderr
    manifest = manifest_of(tmp_path / "out")
    assert manifest.label_ids() == tuple(sorted(SAMPLES.values()))
    assert {row.split for row in manifest.rows} == {"train", "val", "test"}
    strict = run("rice_leaf_samples", archive, "--out", tmp_path / "strict", "--strict")
    assert strict.returncode == 1
    assert "states no archive_sha256 yet" in strict.stderr
    assert not (tmp_path / "strict/manifest.csv").exists()
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr("Rice Leaf Disease Images/read me.txt", "a second edition")
    second = run("rice_leaf_samples", archive, "--out", tmp_path / "out")
    assert second.returncode == 1
    assert f"out/download was not unpacked from {archive}: expected sha256" in second.stderr
    assert f"got {digest}; give another --out" in second.stderr
    assert not (tmp_path / "out/manifest.csv").exists()


def test_dhan_shomadhan_keeps_the_background_and_its_spelling_is_mended(tmp_path):
    root = tmp_path / "d/Dhan-Shomadhan"
    draw_folders(root / "White Background", DHAN, 3)
    draw_folders(root / "Field Background", DHAN, 3, start=50, field=True)
    done = run("dhan_shomadhan", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(tmp_path / "out")
    assert manifest.label_ids() == ("blast", "brown_spot", "leaf_scald", "sheath_blight", "tungro")
    assert Counter(row.extra["background"] for row in manifest.rows) == {"white": 15, "field": 15}
    assert all(("White" in row.path) == (row.extra["background"] == "white") for row in manifest.rows)


def test_chilli_leaves_out_a_file_under_two_labels(tmp_path):
    names = ("cercospora", "healthy", "murda complex", "nutritional deficiency", "powdery mildew")
    labels = ("leaf_smut", "normal", "tungro", "dead_heart", "hispa")
    for name, label in zip(names, labels, strict=True):
        draw_folders(tmp_path / "d", {f"{name}/images": label}, 4)
    save(tmp_path / "d/cercospora/images/x.jpg", blade("blast", 7))
    (tmp_path / "d/healthy/images/y.jpg").write_bytes((tmp_path / "d/cercospora/images/x.jpg").read_bytes())
    done = run("chilli", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "left out 2 rows: the same file lies under two labels (cercospora/images/x.jpg" in done.stdout
    manifest = manifest_of(tmp_path / "out")
    assert len(manifest) == 20
    assert manifest.label_ids() == (
        "cercospora", "healthy", "murda_complex_mites_trips", "nutritional", "powdery_mildew",
    )  # fmt: skip


def ready(folder, rows):
    """A folder that has a manifest, as the shared sets have."""
    for path, label, _, _, _ in rows:
        save(folder / path, blade("blast", len(path) + sum(map(ord, path)) + len(label)))
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split", "group", "capture"), *rows])


def test_uci_rice_takes_the_studio_pictures_and_deals_folds(tmp_path):
    rows = []
    for label in ("bacterial_leaf_blight", "brown_spot", "leaf_smut"):
        for number in range(12):
            capture = "cutout_or_other" if number > 9 else "white_bg_leaf_3081x897"
            rows.append((f"images/{label}/{number}.jpg", label, "test", f"{label}{number // 2}", capture))
    ready(tmp_path / "d", rows)
    done = run("uci_rice", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "took 30 of 36 rows" in done.stdout
    manifest = manifest_of(tmp_path / "out")
    assert {row.extra["capture"] for row in manifest.rows} == {"white_bg_leaf_3081x897"}
    assert {row.split for row in manifest.rows} == {"train", "val"}
    assert Counter(row.split for row in manifest.rows)["val"] == 6
    again = run("uci_rice", tmp_path / "d", "--out", tmp_path / "again")
    assert again.returncode == 0
    assert (tmp_path / "again/manifest.csv").read_bytes() == (tmp_path / "out/manifest.csv").read_bytes()


def test_uci_rice_as_downloaded_knows_studio_pictures_by_their_size(tmp_path):
    for name in ("Bacterial leaf blight", "Brown spot", "Leaf smut"):
        label = plain_name(name)
        for number in range(6):
            save(tmp_path / "d" / name / f"{number}.jpg", cv2.resize(blade(label, number), (3081, 897)))
        save(tmp_path / "d" / name / "web.jpg", blade(label, 77))
    done = run("uci_rice", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(tmp_path / "out")
    assert len(manifest) == 18
    assert not any("web" in row.path for row in manifest.rows)


def test_mango_and_other_classes(tmp_path):
    classes = {
        "Anthracnose": "blast", "Bacterial Canker": "leaf_smut", "Cutting Weevil": "hispa",
        "Die Back": "dead_heart", "Gall Midge": "brown_spot", "Healthy": "normal",
        "Powdery Mildew": "downy_mildew", "Sooty Mould": "tungro",
    }  # fmt: skip
    draw_folders(tmp_path / "d/MangoLeafBD Dataset", classes, 4)
    done = run("mango_bd", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert manifest_of(tmp_path / "out").label_ids() == tuple(sorted(plain_name(name) for name in classes))
    (tmp_path / "d/MangoLeafBD Dataset/Healthy").rename(tmp_path / "d/MangoLeafBD Dataset/Rust")
    wrong = run("mango_bd", tmp_path / "d", "--out", tmp_path / "wrong")
    assert wrong.returncode == 1
    assert "4 pictures in 'MangoLeafBD Dataset/Rust', no picture of healthy" in wrong.stderr
    assert not (tmp_path / "wrong/manifest.csv").exists()


def test_red_cells_are_cut_out_of_smears(tmp_path):
    rng = np.random.default_rng(0)
    for smear in range(6):
        picture = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (640, 480))
        save(tmp_path / f"d/Dataset/{smear}.jpg", picture)
        kinds = [kind for kind in range(13) if smear != 3 or kind != 12]
        lines = [f"{40 + 40 * kind} {5 if kind == 0 else 200} {kind}" for kind in kinds]
        (tmp_path / "d/Label").mkdir(exist_ok=True)
        (tmp_path / f"d/Label/{smear}.txt").write_text("\n".join(lines) + "\n")
    done = run("chula_rbc12", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(tmp_path / "out")
    assert Counter(row.label for row in manifest.rows) == dict.fromkeys(manifest.label_ids(), 6) | {
        "elliptocyte": 5
    }
    assert len(manifest.label_ids()) == 12
    row = next(row for row in manifest.rows if row.label == "macrocyte")
    smear = cv2.imread(str(tmp_path / "d" / row.extra["source_path"]))
    x, y = int(row.extra["x"]), int(row.extra["y"])
    np.testing.assert_array_equal(
        cv2.imread(str(manifest.file(row))), smear[y - 36 : y + 36, x - 36 : x + 36]
    )
    (tmp_path / "d/Label/0.txt").write_text("1 2\n")
    wrong = run("chula_rbc12", tmp_path / "d", "--out", tmp_path / "wrong")
    assert wrong.returncode == 1
    assert "0.txt, line 1: expected x y type, got '1 2'" in wrong.stderr


def test_chest_radiographs_by_patient(tmp_path):
    lines = [("Image Index", "Finding Labels", "Follow-up #", "Patient ID")]
    for number in range(30):
        finding = ("Pneumonia", "No Finding", "Mass|Pneumonia", "No Finding", "Mass", "No Finding")[
            number % 6
        ]
        lines.append((f"{number:08d}_000.png", finding, "0", str(number // 2)))
        if number != 29:
            save(tmp_path / f"d/images_001/images/{number:08d}_000.png", blade("blast", number, (40, 60)))
    with open(tmp_path / "d/Data_Entry_2017.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    done = run("cxr_nih", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(tmp_path / "out")
    assert Counter(row.label for row in manifest.rows) == {"pneumonia": 10, "no_findings": 10}
    assert all(row.group_id == f"NIH{int(Path(row.path).name[:8]) // 2:08d}" for row in manifest.rows)
    (tmp_path / "d/Data_Entry_2017.csv").unlink()
    wrong = run("cxr_nih", tmp_path / "d", "--out", tmp_path / "wrong")
    assert "has no table: expected Data_Entry_2017*.csv" in wrong.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,Pneumonia,0,P1", "line 2: Patient ID: expected a whole number, got 'P1'"),
        ("a.png,,0,1", "line 2: Finding Labels: expected No Finding, Pneumonia or others, got none"),
        (
            "a.png",
            "line 2 is too short: expected Image Index, Finding Labels, Patient ID, got no Finding Labels",
        ),
    ],
)
def test_a_wrong_line_of_the_radiographs_is_named(tmp_path, line, message):
    save(tmp_path / "d/images_001/a.png", blade("blast", 1, (40, 60)))
    table = tmp_path / "d/Data_Entry_2017.csv"
    table.write_text(f"Image Index,Finding Labels,Follow-up #,Patient ID,\n{line}\n")  # NIH's header ends so
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.csv").write_text("of an earlier run")
    done = run("cxr_nih", tmp_path / "d", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == f"prepare: {table}, {message}\n"
    assert not (tmp_path / "out/manifest.csv").exists()


@pytest.mark.parametrize("name", ["cxr_nih", "mango_bd", "router"])
def test_an_out_that_is_a_file_is_one_line(tmp_path, name):
    (tmp_path / "d").mkdir()
    (tmp_path / "out").write_text("x")
    words = ["a=a.csv", "b=b.csv"] if name == "router" else [tmp_path / "d"]
    done = run(name, *words, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, f"prepare: {tmp_path / 'out'}: File exists\n")


def test_the_router_leaves_no_old_manifest_but_what_it_reads(tmp_path):
    for name in ("a", "out"):
        save(tmp_path / name / "1.png", blade("blast", 1))
        (tmp_path / name / "manifest.csv").write_text("path,label,split\n1.png,blast,train\n")
    words = [f"{name}={tmp_path / name / 'manifest.csv'}" for name in ("a", "out")]
    done = run("router", *words, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "manifest.csv has no rows of split val" in done.stderr
    assert (tmp_path / "out/manifest.csv").exists()  # it was one of those to join
    assert (
        run("router", words[0], f"b={tmp_path / 'a/manifest.csv'}", "--out", tmp_path / "out").returncode == 1
    )
    assert not (tmp_path / "out/manifest.csv").exists()


def test_the_nearest_class_folder_counts(tmp_path):
    for path in (
        "healthy/rust/a.jpg",
        "rust/b.PNG",
        "Healthy Leaves/c.jpg",
        "rust/.hidden.jpg",
        "__MACOSX/rust/d.jpg",
    ):
        save(tmp_path / path, blade("blast", 1))
    classes = {"healthy": "healthy", "healthy_leaves": "healthy", "rust": "rust"}
    found = {row.path: row.label for row in labelled_pictures(tmp_path, classes)}
    assert found == {"Healthy Leaves/c.jpg": "healthy", "healthy/rust/a.jpg": "rust", "rust/b.PNG": "rust"}
    with pytest.raises(DataError, match="is no folder"):
        labelled_pictures(tmp_path / "missing", classes)


def test_equal_files_under_one_label_stay(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save(tmp_path / f"{name}.png", blade("blast", seed))
    rows = [Row(0, "a.png", label="x"), Row(0, "b.png", label="x"), Row(0, "c.png", label="y")]
    assert without_contradictions(rows, tmp_path) == (rows, [])
    other = [*rows, Row(0, "b.png", label="y")]
    assert without_contradictions(other, tmp_path) == ([rows[2]], [rows[0], rows[1], other[3]])
    with pytest.raises(DataError, match=r"cannot read d\.png"):
        without_contradictions([Row(0, "d.png", label="x")], tmp_path)


def test_the_hash_of_a_download(tmp_path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(b"not really a zip")
    right = hashlib.sha256(b"not really a zip").hexdigest()
    assert check_archive(archive, right.upper(), tmp_path / "source.toml") is None
    with pytest.raises(DataError, match="is another file than the one described: expected sha256 00"):
        check_archive(archive, "0" * 64, tmp_path / "source.toml")
    with pytest.raises(DataError, match=r"cannot read .*none\.zip"):
        check_archive(tmp_path / "none.zip", right, tmp_path / "source.toml")
    with pytest.raises(DataError, match=r"cannot unpack .*unpack it yourself and give the folder"):
        unpack(archive, tmp_path / "out")
    with pytest.raises(DataError, match=r"cannot read .*none\.zip"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../evil.jpg", b"x")
    with pytest.raises(DataError, match="holds a name that leaves its folder"):
        unpack(archive, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip"]


def test_what_was_unpacked_is_kept_for_the_same_archive_only(tmp_path):
    for name in ("one", "other"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as packed:
            packed.writestr("rust/a.jpg", name)
    folder = unpack(tmp_path / "one.zip", tmp_path / "out")
    (folder / "mark").write_text("")
    assert (unpack(tmp_path / "one.zip", folder) / "mark").is_file()
    with pytest.raises(
        DataError, match=r"out was not unpacked from .*other\.zip: expected sha256 \w+, got \w+; give"
    ):
        unpack(tmp_path / "other.zip", folder)
    assert (folder / "rust/a.jpg").read_text() == "one"
    (folder / ".archive_sha256").unlink()
    with pytest.raises(DataError, match="got no hash; give another --out, or remove that folder"):
        unpack(tmp_path / "one.zip", folder)


NAMES = (
    "paddy_doctor",
    "rice_leaf_samples",
    "dhan_shomadhan",
    "uci_rice",
    "mango_bd",
    "chilli",
    "chula_rbc12",
    "cxr_nih",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_states_origin_and_checksum(name):
    import tomllib

    facts = tomllib.loads((DATASETS / name / "source.toml").read_text("utf-8"))
    assert facts["name"] == name
    assert facts["archive_sha256"] == "" or len(facts["archive_sha256"]) == 64
    card = (DATASETS / name / "card.md").read_text("utf-8")
    assert facts["country"].split(" (")[0] in card
    assert "## Tiếng Việt" in card
    assert "Nguồn gốc" in card.partition("## Tiếng Việt")[2]
    assert facts.get("doi", "") in card
