"""Truth in a manifest's cells: boxes and masks, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from vnvision.data.boxes import format_boxes, parse_boxes, row_boxes
from vnvision.data.linked import link_folders, stays_inside
from vnvision.data.manifest import Manifest, Row
from vnvision.data.masks import load_mask, read_mask
from vnvision.data.splits import without_leaks
from vnvision.errors import DataError


def test_boxes_go_into_a_cell_and_back():
    corners = np.array([[1, 2.5, 30, 40], [0, 0, 5, 6]])
    cell = format_boxes(["RBC", "WBC"], corners)
    assert cell == "RBC 1 2.5 30 40; WBC 0 0 5 6"
    boxes = parse_boxes(cell)
    assert boxes.labels == ("RBC", "WBC")
    np.testing.assert_array_equal(boxes.boxes_xyxy_px, corners)


def test_empty_is_unknown_and_none_is_nothing():
    assert parse_boxes("  ") is None
    assert len(parse_boxes("none")) == 0
    assert format_boxes([], np.empty((0, 4))) == "none"


@pytest.mark.parametrize(
    "cell", ["RBC 1 2 3", "RBC 1 2 x 4", "RBC 5 2 5 4", "RBC 1 9 5 4", "RBC 1 2 nan 4", "1 2 3 4"]
)
def test_a_wrong_box_is_named(cell):
    with pytest.raises(DataError, match="a box is wrong: expected label xmin ymin xmax ymax"):
        parse_boxes(cell)


def test_the_row_of_a_wrong_box_is_named():
    with pytest.raises(DataError, match=r"m\.csv: row 7: a box is wrong"):
        row_boxes(Row(7, "a.png", extra={"boxes": "RBC 1"}), "m.csv")


@pytest.mark.parametrize("label", ["red cell", "a;b", ""])
def test_a_label_a_cell_cannot_hold(label):
    with pytest.raises(DataError, match="cannot stand in a boxes cell"):
        format_boxes([label], np.ones((1, 4)))


def manifest(tmp_path, **extra):
    rows = (Row(2, "a.png", extra=extra),)
    return Manifest(rows, tmp_path, tmp_path / "m.csv", "0" * 64)


def saved(path, array, mode=None):
    Image.fromarray(array).convert(mode).save(path) if mode else Image.fromarray(array).save(path)
    return path


def test_one_bit_indices_and_255_with_two_labels(tmp_path):
    truth = np.zeros((4, 6), np.uint8)
    truth[1:3, 2:5] = 1
    for name, array, mode in (("bit", truth * 255, "1"), ("index", truth, None), ("full", truth * 255, None)):
        path = saved(tmp_path / f"{name}.png", array, mode)
        np.testing.assert_array_equal(load_mask(path, 2, (4, 6)), truth)


def test_unknown_none_and_a_file(tmp_path):
    saved(tmp_path / "m.png", np.full((2, 3), 2, np.uint8))
    assert read_mask(manifest(tmp_path, mask=""), manifest(tmp_path, mask="").rows[0], 3, (2, 3)) is None
    empty = manifest(tmp_path, mask="none")
    assert not read_mask(empty, empty.rows[0], 3, (2, 3)).any()
    full = manifest(tmp_path, mask="m.png")
    assert (read_mask(full, full.rows[0], 3, (2, 3)) == 2).all()


def test_masks_that_do_not_fit(tmp_path):
    path = saved(tmp_path / "m.png", np.full((2, 3), 255, np.uint8))
    with pytest.raises(DataError, match="holds values that are no labels: expected 0 to 2, got 255"):
        load_mask(path, 3, (2, 3))
    with pytest.raises(DataError, match="has another size: expected 4 x 3, got 2 x 3"):
        load_mask(path, 2, (4, 3))
    colour = saved(tmp_path / "c.png", np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(DataError, match="has colours"):
        load_mask(colour, 2, (2, 3))
    with pytest.raises(DataError, match="does not exist"):
        load_mask(tmp_path / "gone.png", 2, (2, 3))
    (tmp_path / "bad.png").write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="cannot be read"):
        load_mask(tmp_path / "bad.png", 2, (2, 3))
    away = manifest(tmp_path, mask="../m.png")
    with pytest.raises(DataError, match="mask of row 2 leaves the root"):
        read_mask(away, away.rows[0], 2, (2, 3))


def test_leaks_are_taken_out_of_the_earlier_split(tmp_path):
    splits = ["train", "val", "test", "train", "val", "train"]
    rows = tuple(Row(i, f"{i}.png", split=split) for i, split in enumerate(splits))
    kept = without_leaks(Manifest(rows, tmp_path, tmp_path / "m.csv", "0" * 64), [0, 1, 0, 1, 2, 3])
    assert [row.path for row in kept] == ["1.png", "2.png", "4.png", "5.png"]


def test_pictures_are_linked_not_copied(tmp_path):
    (tmp_path / "there" / "images").mkdir(parents=True)
    (tmp_path / "there" / "images" / "a.txt").write_text("a")
    link_folders(tmp_path / "there", tmp_path / "here", ["images"])
    link_folders(tmp_path / "there", tmp_path / "here", ["images"])
    assert (tmp_path / "here" / "images").is_symlink()
    assert (tmp_path / "here" / "images" / "a.txt").read_text() == "a"
    assert stays_inside(tmp_path / "here", "images/a.txt")
    (tmp_path / "there" / "images" / "out.txt").symlink_to(tmp_path / "secret.txt")
    assert not stays_inside(tmp_path / "here", "images/out.txt")
    (tmp_path / "here" / "b.txt").symlink_to(tmp_path / "secret.txt")
    assert not stays_inside(tmp_path / "here", "b.txt")
    with pytest.raises(DataError, match="has no folder masks"):
        link_folders(tmp_path / "there", tmp_path / "here", ["masks"])
    (tmp_path / "other" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match="is in the way"):
        link_folders(tmp_path / "other", tmp_path / "here", ["images"])
