"""The checker finds each kind of problem, with row numbers, in one pass."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data import Row, read_manifest, write_manifest
from vnvision.data.check import KINDS, CheckResult, check_manifest


def picture(path: Path, seed: int, quality: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = sum(cv2.GaussianBlur(rng.normal(size=(90, 110, 3)), (0, 0), s) * s for s in (2, 5, 15))
    cv2.imwrite(str(path), np.clip(128 + 60 * noise, 0, 255), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def good(tmp_path: Path) -> tuple[Path, list[Row]]:
    """A folder of eight pictures and rows for them without a fault."""
    root = tmp_path / "set"
    rows = []
    for i in range(8):
        path = picture(root / f"images/{i}.jpg", i)
        split = ("train", "train", "train", "train", "val", "val", "test", "test")[i]
        row = Row(i + 2, f"images/{i}.jpg", "ab"[i % 2], split=split, group_id=f"g{i}", licence="MIT")
        rows.append(replace(row, consent="public", sha256=digest(path)))
    return root, rows


def check(root: Path, rows: list[Row], **options: object) -> CheckResult:
    return check_manifest(read_manifest(write_manifest(rows, root / "manifest.csv")), **options)


def test_a_good_manifest_is_ok(good: tuple[Path, list[Row]]) -> None:
    root, rows = good
    calls: list[tuple[int, int]] = []
    result = check(root, rows, labels=("a", "b"), strict=True, progress=lambda *call: calls.append(call))
    assert result.ok
    assert result.counts() == {}
    assert result.problems == ()
    assert result.warnings == ()
    assert calls == [(i, 8) for i in range(1, 9)]
    assert json.loads(result.to_json()) == {
        "ok": True,
        "n_rows": 8,
        "counts": {},
        "problems": [],
        "warnings": [],
    }


def test_every_kind_is_found_in_one_pass(good: tuple[Path, list[Row]], tmp_path: Path) -> None:
    root, rows = good
    secret = picture(tmp_path / "secret.jpg", 99)
    (root / "images/link.jpg").symlink_to(secret)
    (root / "images/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a jpeg")
    picture(root / "images/again.jpg", 0, quality=40)
    (root / "images/copy.jpg").write_bytes((root / "images/1.jpg").read_bytes())
    bad = [
        *rows,
        Row(10, "/etc/hosts", "a"),
        Row(11, "../secret.jpg", "a"),
        Row(12, "images/link.jpg", "a"),
        Row(13, "images/none.jpg", "a"),
        Row(14, "images/broken.jpg", "a"),
        Row(15, "images/again.jpg", "a", split="test"),
        Row(16, "images/copy.jpg", "a", split="val"),
        replace(rows[2], group_id="g2", label="zebra"),
        replace(rows[3], sha256="0" * 64, label=None),
        replace(picture_row(root, "images/extra.jpg", 50), group_id="g4", split="train"),
    ]
    result = check(root, bad, labels=("a", "b"), strict=True)
    assert not result.ok
    by_kind: dict[str, list[tuple[int, ...]]] = {}
    for problem in result.problems:
        by_kind.setdefault(problem.kind, []).append(problem.row_lines)
    assert by_kind == {
        "outside root": [(10,), (11,), (12,)],
        "missing file": [(13,)],
        "wrong sha256": [(18,)],
        "unreadable image": [(14,)],
        "duplicate path": [(4, 17), (5, 18)],
        "same file, different labels": [(3, 16), (4, 17)],
        "same file across splits": [(3, 16)],
        "unknown label": [(17,)],
        "unlabelled training row": [(18,)],
        "group across splits": [(6, 19)],
        "near-duplicate across splits": [(2, 15)],
        "missing value": [(10, 11, 12, 13, 14, 15, 16, 19)] * 3,
    }
    assert set(by_kind) == set(KINDS) - {
        "wrong mask",
        "wrong mask values",
        "wrong boxes",
        "box outside the picture",
    }
    assert [kind for kind in KINDS if kind in by_kind] == list(by_kind)
    assert result.counts() == {kind: len(found) for kind, found in by_kind.items()}
    text = {problem.kind: problem.text for problem in result.problems}
    assert text["near-duplicate across splits"].startswith("rows 2, 15: near-duplicates in test, train")
    assert text["unknown label"] == "row 17: label 'zebra', expected one of a, b"
    assert text["group across splits"] == "rows 6, 19: group g4 is in train, val"
    assert str(root) not in result.to_json()
    assert json.loads(result.to_json())["problems"][0]["row_lines"] == [10]


def picture_row(root: Path, name: str, seed: int) -> Row:
    picture(root / name, seed)
    return Row(0, name, "a")


def test_warnings(good: tuple[Path, list[Row]]) -> None:
    root, rows = good
    picture(root / "images/again.jpg", 0, quality=40)
    twin = Row(0, "images/again.jpg", "b", split="train")
    result = check(root, [*rows, twin, replace(picture_row(root, "images/x.jpg", 7_000), group_id="q")])
    assert result.ok
    assert result.warnings == (
        "2 images are near-duplicates of others, in 1 clusters",
        "1 clusters of near-duplicates have different labels (rows 2, 10)",
        "2 of 10 rows have no sha256 (rows 10, 11)",
        "2 of 10 rows have no licence (rows 10, 11)",
        "2 of 10 rows have no consent (rows 10, 11)",
        "1 of 10 rows have no split (row 11)",
        "1 of 10 rows have no group_id (row 10)",
    )


def test_near_duplicates_can_be_left_out(good: tuple[Path, list[Row]]) -> None:
    root, rows = good
    picture(root / "images/again.jpg", 0, quality=40)
    rows.append(Row(0, "images/again.jpg", "a", split="test"))
    assert check(root, rows).counts() == {"near-duplicate across splits": 1}
    assert check(root, rows, near_duplicates=False).ok


def test_multilabel(tmp_path: Path) -> None:
    rows = [
        replace(picture_row(tmp_path, "0.jpg", 0), label=None, labels={"x": 1, "y": 0}, split="train"),
        replace(picture_row(tmp_path, "1.jpg", 1), label=None, labels={"x": None, "y": None}, split="train"),
        replace(picture_row(tmp_path, "2.jpg", 2), label=None, labels={"x": 0, "y": 1}, split="test"),
    ]
    result = check(tmp_path, rows, labels=("x",))
    assert {problem.kind: problem.row_lines for problem in result.problems} == {
        "unknown label": (4,),
        "unlabelled training row": (3,),
    }


def test_unlabelled_manifests_and_backslashes(tmp_path: Path) -> None:
    picture(tmp_path / "a/0.jpg", 0)
    result = check(tmp_path, [Row(0, "a/0.jpg", split="train"), Row(0, "a\\0.jpg", split="train")])
    assert "no row has a label" in result.warnings
    assert [problem.kind for problem in result.problems] == ["missing file"]
    assert "write / between folders" in result.problems[0].text


def test_names_too_long_for_the_file_system(tmp_path: Path) -> None:
    result = check(tmp_path, [Row(0, "x" * 5000)])
    assert result.counts() == {"missing file": 1}
