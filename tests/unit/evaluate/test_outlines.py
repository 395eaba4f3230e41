"""Outlines as one line of text, and back."""

from __future__ import annotations

import numpy as np

from vnvision.evaluate.outlines import Shape, box_outlines, mask_outlines, parse_outlines
from vnvision.records import Detections


def test_boxes_there_and_back():
    found = Detections(
        np.array([[1, 2, 30.25, 40], [5, 6, 7, 8]], np.float32), np.array([1, 0]), np.array([0.9, 0.8])
    )
    text = box_outlines(found, ("WBC", "red; old cell"))
    assert text == "red%3B%20old%20cell 1 2 30.2 40; WBC 5 6 7 8"
    assert parse_outlines(text) == (
        Shape("red; old cell", ((1.0, 2.0), (30.2, 2.0), (30.2, 40.0), (1.0, 40.0))),
        Shape("WBC", ((5.0, 6.0), (7.0, 6.0), (7.0, 8.0), (5.0, 8.0))),
    )


def test_outlines_of_a_mask_hold_holes_and_single_pixels():
    mask = np.zeros((40, 50), np.uint8)
    mask[5:30, 5:30] = 1
    mask[12:20, 12:20] = 0
    mask[35, 45] = 2
    shapes = parse_outlines(mask_outlines(mask, ("background", "leaf", "spot")))
    assert [shape.label for shape in shapes] == ["leaf", "leaf", "spot"]
    assert shapes[0].points == ((5.0, 5.0), (5.0, 29.0), (29.0, 29.0), (29.0, 5.0))
    assert shapes[2].points == ((45.0, 35.0), (46.0, 35.0), (46.0, 36.0), (45.0, 36.0))
    assert mask_outlines(np.zeros_like(mask), ("background", "leaf", "spot")) == ""


def test_only_the_largest_of_very_many():
    mask = np.zeros((300, 300), np.uint8)
    mask[::6, ::6] = 1
    mask[100:140, 100:140] = 1
    shapes = parse_outlines(mask_outlines(mask, ("background", "spot")))
    assert len(shapes) == 80
    assert max(x for x, _ in shapes[0].points) == 139


def test_other_text_is_no_outline():
    assert parse_outlines("") == ()
    for text in ("rust", "rust 1 2", "rust 1 2 3 4 5", "rust 1 2 x 4", "a 1 2 3 4; b 5"):
        assert parse_outlines(text) is None
