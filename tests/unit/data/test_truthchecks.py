"""The checker on masks and boxes: each kind of fault, with its row, and likely slips as warnings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data import Row, read_manifest, write_manifest
from vnvision.data.check import CheckResult, check_manifest

SIZE = (40, 60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures of 40 x 60, and a folder for masks."""
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for i in range(6):
        noise = np.random.default_rng(i).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(root / f"images/{i}.png"), noise)
    return root


def check(root: Path, column: str, cells: list[str], **options: object) -> CheckResult:
    rows = [Row(i + 2, f"images/{i}.png", split="train", extra={column: c}) for i, c in enumerate(cells)]
    manifest = read_manifest(write_manifest(rows, root / "manifest.csv"))
    return check_manifest(manifest, near_duplicates=False, **options)


def put(root: Path, name: str, mask: np.ndarray) -> str:
    cv2.imwrite(str(root / "masks" / name), mask)
    return f"masks/{name}"


def test_good_masks_and_boxes_are_ok(folder: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[5:9, 5:9] = 1
    names = [put(folder, "a.png", mask), put(folder, "b.png", 255 * mask), "none"]
    result = check(folder, "mask", names, mask_labels=2)
    assert result.problems == ()
    assert not [text for text in result.warnings if "label" in text or "mask" in text]
    boxes = ["WBC 0 0 60 40; RBC 3 4 5.5 6", "none", "RBC 1 1 2 2"]
    result = check(folder, "boxes", boxes, box_labels=("RBC", "WBC"))
    assert result.problems == ()


def test_faults_of_masks(folder: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    smooth = np.tile(np.arange(60, dtype=np.uint8), (40, 1))
    odd = mask.copy()
    odd[3, 3], odd[4, 4] = 255, 1
    cells = [
        "masks/gone.png",
        put(folder, "small.png", mask[:30]),
        put(folder, "colour.png", np.dstack([mask] * 3)),
        put(folder, "smooth.png", smooth),
        put(folder, "odd.png", odd),
        "../secret.png",
    ]
    result = check(folder, "mask", cells)
    assert [(problem.kind, problem.row_lines) for problem in result.problems] == [
        ("outside root", (7,)),
        ("wrong mask", (2,)),
        ("wrong mask", (3,)),
        ("wrong mask", (4,)),
        ("wrong mask values", (5,)),
        ("wrong mask values", (6,)),
    ]
    texts = [problem.text for problem in result.problems]
    assert texts == [
        "row 7: mask ../secret.png is not relative to the root, or climbs out of it",
        "row 2: mask masks/gone.png does not exist",
        "row 3: mask masks/small.png has another size, expected 40 x 60, got 30 x 60",
        "row 4: mask masks/colour.png has colours, expected 1-bit or 8-bit indices, got RGB",
        "row 5: mask masks/smooth.png holds 60 values: saved as JPEG, or smoothed when resized?",
        "row 6: mask masks/odd.png holds 0, 1, 255: 255 beside other values is no label",
    ]
    assert str(folder) not in result.to_json()


def test_a_mask_is_measured_against_the_picture_as_read(folder: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the picture reads as 60 x 40
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(folder / "images/0.png", exif=exif)
    standing = put(folder, "standing.png", np.zeros((60, 40), np.uint8))
    lying = put(folder, "lying.png", np.zeros(SIZE, np.uint8))
    assert check(folder, "mask", [standing]).ok
    assert "expected 60 x 40, got 40 x 60" in check(folder, "mask", [lying]).problems[0].text


def test_mask_values_beyond_the_labels(folder: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[0, 0], mask[1, 1] = 2, 7
    cell = put(folder, "a.png", mask)
    assert check(folder, "mask", [cell]).ok
    assert check(folder, "mask", [cell], mask_labels=8).ok
    assert [problem.text for problem in check(folder, "mask", [cell], mask_labels=3).problems] == [
        "row 2: mask masks/a.png holds 0, 2, 7, expected label indices from 0 to 2"
    ]
    white = put(folder, "white.png", 255 * (mask > 0).astype(np.uint8))
    assert check(folder, "mask", [white], mask_labels=2).ok
    assert check(folder, "mask", [white], mask_labels=3).counts() == {"wrong mask values": 1}


def test_damaged_and_linked_masks(folder: Path, tmp_path: Path) -> None:
    (folder / "masks/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    cv2.imwrite(str(tmp_path / "outside.png"), np.zeros(SIZE, np.uint8))
    (folder / "masks/link.png").symlink_to(tmp_path / "outside.png")
    result = check(folder, "mask", ["masks/broken.png", "masks/link.png"])
    assert result.counts() == {"outside root": 1, "wrong mask": 1}
    assert "row 2: mask masks/broken.png cannot be read" in result.problems[1].text
    assert result.problems[0].text == "row 3: mask masks/link.png links to a place outside the root"


def test_faults_of_boxes(folder: Path) -> None:
    cells = ["WBC 1 1 5", "WBC 1 1 61 20; RBC 2 2 9 9", "RBC -1 0 5 5", "zebra 1 1 2 2", "RBC 5 5 5 9"]
    result = check(folder, "boxes", cells, box_labels=("RBC", "WBC"))
    wrong = "a box is wrong: expected label xmin ymin xmax ymax with xmin < xmax, ymin < ymax"
    assert [problem.text for problem in result.problems] == [
        "row 5: boxes of zebra, expected one of RBC, WBC",
        f"row 2: {wrong}, got WBC 1 1 5",
        f"row 6: {wrong}, got RBC 5 5 5 9",
        "row 3: 1 of 2 boxes reach outside the 60 x 40 picture (WBC 1 1 61 20)",
        "row 4: 1 of 1 boxes reach outside the 60 x 40 picture (RBC -1 0 5 5)",
    ]
    assert result.counts() == {"unknown label": 1, "wrong boxes": 2, "box outside the picture": 2}


def test_empty_cells_are_unknown_and_said_so(folder: Path) -> None:
    result = check(folder, "boxes", ["RBC 1 1 2 2", "", ""])
    assert result.ok
    assert (
        "2 of 3 rows leave boxes empty, which means unknown (rows 3, 4): write 'none' where there is nothing"
        in result.warnings
    )
    assert "no row has a label" not in result.warnings
    assert "no row has a label" in check(folder, "mask", ["", ""]).warnings


def test_truth_of_an_unreadable_picture_is_not_judged_by_its_size(folder: Path) -> None:
    (folder / "images/0.png").write_bytes(b"no picture")
    cell = put(folder, "a.png", np.zeros((3, 3), np.uint8))
    assert check(folder, "mask", [cell]).counts() == {"unreadable image": 1}
    assert check(folder, "mask", ["masks/gone.png"]).counts() == {"unreadable image": 1, "wrong mask": 1}
    assert check(folder, "boxes", ["RBC 900 900 901 901"]).counts() == {"unreadable image": 1}
