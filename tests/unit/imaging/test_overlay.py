from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.imaging.overlay import COLOURS, overlay, overlay_mask

GREY = np.full((40, 60, 1), 120, np.uint8)


def test_no_heat_leaves_the_picture_and_full_heat_blends_by_alpha():
    heat = np.zeros((40, 60), np.float32)
    heat[:, 30:] = 1.0
    drawn = overlay(GREY, heat, alpha=0.5)
    assert drawn.shape == (40, 60, 3)
    assert drawn.dtype == np.uint8
    assert (drawn[:, :30] == 120).all()
    hottest = overlay(GREY, heat, alpha=1.0)[0, 59].astype(float)
    np.testing.assert_allclose(drawn[0, 59], (hottest + 120) / 2, atol=1)
    assert hottest[0] > hottest[2]  # inferno ends in yellow: red first, not blue


def test_labels_have_their_colours_and_an_outline():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:30], mask[5:9, 40:50] = 1, 2
    drawn = overlay_mask(GREY, mask, alpha=0.5)
    assert (drawn[mask == 0] == 120).all()
    np.testing.assert_allclose(drawn[20, 20], (np.array(COLOURS[0]) + 120) / 2, atol=1)
    assert tuple(drawn[10, 20]) == COLOURS[0]  # the outline is not mixed
    assert tuple(drawn[5, 45]) == COLOURS[1]
    np.testing.assert_array_equal(GREY, 120)


def test_16_bits_are_scaled():
    drawn = overlay(np.full((4, 4, 1), 65535, np.uint16), np.zeros((4, 4)))
    assert (drawn == 255).all()


def test_errors():
    heat = np.zeros((40, 60))
    with pytest.raises(DataError, match="the heatmap does not fit the picture: expected 40x60, got 10x10"):
        overlay(GREY, np.zeros((10, 10)))
    with pytest.raises(DataError, match="a heatmap cannot be drawn: expected heat and alpha from 0 to 1"):
        overlay(GREY, heat + 1.5)
    with pytest.raises(DataError, match="got alpha 2"):
        overlay(GREY, heat, alpha=2)
    with pytest.raises(
        DataError, match=r"the wrong shape: expected \(H, W, 3\) or \(H, W, 1\), got \(40, 60\)"
    ):
        overlay(GREY[..., 0], heat)
    with pytest.raises(DataError, match="a mask cannot be drawn: expected uint8 label indices"):
        overlay_mask(GREY, heat)
