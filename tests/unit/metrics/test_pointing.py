from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.metrics.pointing import centre_hit, heat_inside, pointing_hit


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((10, 20), bool)
    mask[2:6, 3:8] = True  # a tenth of the picture
    return mask


def test_the_hottest_pixel_decides(mask):
    heat = np.zeros(mask.shape, np.float32)
    heat[3, 4], heat[9, 19] = 0.9, 0.8
    assert pointing_hit(heat, mask) == 1.0
    heat[9, 19] = 1.0
    assert pointing_hit(heat, mask) == 0.0
    heat[3, 4] = 1.0
    assert pointing_hit(heat, mask) == 0.5  # two hottest pixels, one inside


def test_an_empty_heatmap_is_worth_a_blind_guess(mask):
    nothing = np.zeros(mask.shape)
    assert pointing_hit(nothing, mask) == pytest.approx(0.1)
    assert heat_inside(nothing, mask) == pytest.approx(0.1)


def test_random_points_hit_by_the_share_of_the_area(mask):
    rng = np.random.default_rng(0)
    hits = [pointing_hit(rng.random(mask.shape), mask) for _ in range(4000)]
    assert np.mean(hits) == pytest.approx(0.1, abs=0.02)


def test_share_of_the_heat(mask):
    heat = np.ones(mask.shape)
    heat[mask] = 4.0
    assert heat_inside(heat, mask) == pytest.approx(4 * 20 / (4 * 20 + 180))


def test_centre(mask):
    assert centre_hit(mask) == 0.0
    mask[5, 10] = True
    assert centre_hit(mask) == 1.0


@pytest.mark.parametrize("spoil", [lambda m: m[:5], lambda m: m & False, lambda m: m.astype(np.uint8)])
def test_what_cannot_be_played(mask, spoil):
    with pytest.raises(DataError, match="the pointing game cannot be played: expected a heatmap and a mask"):
        pointing_hit(np.zeros(mask.shape), spoil(mask))
