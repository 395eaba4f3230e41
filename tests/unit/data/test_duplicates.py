"""Groups of near-duplicates by path, against copies that are planted here."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import sys

import cv2
import numpy as np
import pytest

import vnvision as vv
from vnvision.data.duplicates import find_duplicates, write_duplicates
from vnvision.errors import ConfigError, DataError


def picture(seed, side=160):
    """A picture with detail at several scales."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side, side, 3))
    for cells in (5, 11, 23):
        noise = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) / 3
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """a: with a copy of its bytes, a smaller one and one mirrored; b: with one saved again; c and d alone."""
    root = tmp_path / "set"
    (root / "sub").mkdir(parents=True)
    for name, seed in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        cv2.imwrite(str(root / f"{name}.png"), picture(seed))
    shutil.copy(root / "a.png", root / "sub" / "a_again.png")
    cv2.imwrite(
        str(root / "sub" / "a_small.png"), cv2.resize(picture(1), (90, 90), interpolation=cv2.INTER_AREA)
    )
    cv2.imwrite(str(root / "sub" / "a_mirror.png"), picture(1)[:, ::-1])
    cv2.imwrite(str(root / "b.jpg"), picture(2), [cv2.IMWRITE_JPEG_QUALITY, 40])
    return root


A = ["a.png", "sub/a_again.png", "sub/a_mirror.png", "sub/a_small.png"]


def paths(found):
    return [[one.path for one in group] for group in found.groups]


def test_planted_copies_are_found_and_nothing_else(folder):
    found = find_duplicates(folder)
    assert paths(found) == [A, ["b.jpg", "b.png"]]
    assert (found.n, found.unreadable) == (8, ())
    assert [one.identical for one in found.groups[0]] == [True, True, False, False]
    assert found.groups[1][0].sha256 == hashlib.sha256((folder / "b.jpg").read_bytes()).hexdigest()
    assert vv.find_duplicates(folder, threads=1) == found


def test_mirrored_copies_can_be_left_out(folder):
    assert paths(find_duplicates(folder, mirrored=False))[0] == [A[0], A[1], A[3]]


def test_linked_folders_are_looked_into_once(folder, tmp_path):
    """Also where links lead back up, to each other's folders, or to one that has a name here already."""
    there = tmp_path / "there"
    (there / "deep").mkdir(parents=True)
    cv2.imwrite(str(there / "deep" / "c_again.jpg"), picture(3), [cv2.IMWRITE_JPEG_QUALITY, 50])
    (there / "up").symlink_to(folder)
    for name, target in (
        ("also", there),
        ("all", there),
        ("alias", folder / "sub"),
        ("deep", there / "deep"),
    ):
        (folder / name).symlink_to(target, target_is_directory=True)
    found = find_duplicates(folder)
    assert sorted(paths(found)) == [A, ["all/deep/c_again.jpg", "c.png"], ["b.jpg", "b.png"]]
    assert found.n == 9
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "set").symlink_to(folder / "sub")
    assert paths(find_duplicates(tmp_path / "links")) == [[f"set/{one.partition('/')[2]}" for one in A[1:]]]


def test_a_manifest_names_its_own_pictures(folder):
    listed = folder / "m.csv"
    listed.write_text("path,label\nsub/a_small.png,x\na.png,x\nc.png,y\n")
    assert paths(find_duplicates(listed)) == [["sub/a_small.png", "a.png"]]


def test_a_picture_that_cannot_be_read_is_told_and_passed_over(folder):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    found = find_duplicates(folder)
    assert paths(found) == [A, ["b.jpg", "b.png"]]
    ((path, why),) = found.unreadable
    assert (path, found.n) == ("broken.jpg", 8)
    assert "broken.jpg" in why


def test_what_holds_no_pictures(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt").write_text("words")
    (tmp_path / "all.csv").write_text("path,label\nnone.png,x\n")
    for source, said in (
        ("none", "none is not there: expected a folder of pictures or a manifest"),
        ("empty", "no pictures in .*empty: expected files ending in .bmp"),
        ("words.txt", "words.txt is neither a folder nor a manifest"),
        ("all.csv", "no picture of .*all.csv can be read: got cannot be read"),
    ):
        with pytest.raises(DataError, match=said):
            find_duplicates(tmp_path / source)
    with pytest.raises(ConfigError, match="threads: expected 1 or more, got 0"):
        find_duplicates(tmp_path, threads=0)


def test_progress_counts_to_the_end(folder):
    seen = []
    find_duplicates(folder, threads=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 8) for i in range(1, 9)]


def test_the_table(folder, tmp_path):
    found = find_duplicates(folder)
    with write_duplicates(found, tmp_path / "out" / "d.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["cluster"], row["path"], row["identical"]) for row in table] == [
        ("1", "a.png", "1"), ("1", "sub/a_again.png", "1"), ("1", "sub/a_mirror.png", "0"),
        ("1", "sub/a_small.png", "0"), ("2", "b.jpg", "0"), ("2", "b.png", "0"),
    ]  # fmt: skip
    with pytest.raises(DataError, match="cannot write"):
        write_duplicates(found, folder / "a.png" / "d.csv")


@pytest.fixture
def run(monkeypatch, capsys):
    from vnvision.cli.main import main

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["vnvision", "data", "duplicates", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_the_command(folder, tmp_path, run):
    code, out, err = run(folder, "--out", tmp_path / "d.csv")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "1: a.png (same bytes)  sub/a_again.png (same bytes)  sub/a_mirror.png  sub/a_small.png",
        "2: b.jpg  b.png",
        f"{folder}: 8 pictures, 2 groups, 4 that are copies of another",
        f"table  {tmp_path / 'd.csv'}",
    ]
    code, out, _ = run(folder, "--json", "--no-mirrored")
    assert (code, [len(group) for group in json.loads(out)["groups"]]) == (1, [3, 2])


def test_exit_codes(folder, tmp_path, run):
    (tmp_path / "clean").mkdir()
    shutil.copy(folder / "c.png", tmp_path / "clean")
    assert run(tmp_path / "clean")[0] == 0
    (tmp_path / "clean" / "x.png").write_bytes(b"nothing")
    code, _, err = run(tmp_path / "clean")
    assert (code, err.count("\n")) == (1, 1)
    assert "x.png" in err
    code, out, err = run(tmp_path / "none")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "none is not there" in err
