"""HD95 against distances written out, and scipy's distance transform."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from vnvision.errors import DataError, MissingExtraError
from vnvision.metrics.surface import hd95, surface


def blobs(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 60, 2)
    noise = [cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 4) for _ in range(2)]
    return [side > rng.uniform(-0.02, 0.05) for side in noise]


def by_distance_transform(truth, answer, spacing):
    edges = [mask & ~binary_erosion(mask) for mask in (truth, answer)]
    far = [distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return max(np.percentile(far[1][edges[0]], 95), np.percentile(far[0][edges[1]], 95))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.3, 0.7), (2.5, 0.5)])
@pytest.mark.parametrize("seed", range(8))
def test_equals_the_distance_transform(seed, spacing):
    truth, answer = blobs(seed)
    assert hd95(truth, answer, spacing) == pytest.approx(by_distance_transform(truth, answer, spacing))
    assert hd95(answer, truth, spacing) == hd95(truth, answer, spacing)


def test_two_points_and_a_shift():
    truth, answer = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    truth[5, 5], answer[8, 9] = True, True
    assert hd95(truth, answer) == pytest.approx(5.0)
    assert hd95(truth, answer, (2.0, 0.5)) == pytest.approx(np.hypot(3 * 2.0, 4 * 0.5))
    assert hd95(truth, truth) == 0.0
    square = np.zeros((40, 40), bool)
    square[10:20, 10:20] = True
    assert hd95(square, np.roll(square, 7, axis=1)) == pytest.approx(7.0)


def test_it_is_the_larger_directed_percentile_and_not_the_pooled_one():
    truth = np.zeros((80, 80), bool)
    truth[5:65, 5:65] = True
    answer = truth.copy()
    answer[70:75, 70:75] = True  # 16 of the answer's 252 surface points, a fifteenth, but a thirtieth of all
    edges = [surface(mask) for mask in (truth, answer)]
    forth = distance_transform_edt(~edges[1])[edges[0]]
    back = distance_transform_edt(~edges[0])[edges[1]]
    assert np.percentile(np.concatenate([forth, back]), 95) == 0
    assert hd95(truth, answer) == pytest.approx(np.percentile(back, 95))
    assert hd95(truth, answer) > 5


def test_surface_has_four_neighbours_and_ends_at_the_picture():
    mask = np.ones((4, 5), bool)
    assert surface(mask).sum() == 14
    cross = np.zeros((5, 5), bool)
    cross[2, 1:4] = cross[1:4, 2] = True
    assert not surface(cross)[2, 2]
    assert surface(cross).sum() == 4


def test_empty_masks_have_no_distance():
    full, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    assert hd95(full, empty) is None
    assert hd95(empty, full) is None
    assert hd95(empty, empty) is None


def test_errors(monkeypatch):
    mask = np.ones((4, 4), bool)
    with pytest.raises(DataError, match=r"masks differ in size: expected \(4, 4\), got \(4, 5\)"):
        hd95(mask, np.ones((4, 5), bool))
    with pytest.raises(DataError, match="pixel spacing: expected two positive numbers"):
        hd95(mask, mask, (1.0, 0.0))
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(MissingExtraError, match=r"scipy is not installed.*vnvision\[eval\]"):
        hd95(mask, mask)
