from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.imaging.align import align, similarity, template


def by_least_squares(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """x' = a x - b y + s, y' = b x + a y + t, a linear system that holds similarities only."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        wanted += [u, v]
    a, b, s, t = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return np.array([[a, -b, s], [b, a, t]])


@pytest.mark.parametrize("seed", range(20))
def test_similarity_is_the_least_squares_one(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 50, (5, 2)) + 300, rng.normal(0, 30, (5, 2))
    np.testing.assert_allclose(similarity(source, target), by_least_squares(source, target), atol=1e-9)


def test_a_mirrored_face_is_not_reflected():
    mirrored = template() * [-1, 1]
    matrix = similarity(mirrored, template())
    assert np.linalg.det(matrix[:, :2]) > 0
    np.testing.assert_allclose(matrix, by_least_squares(mirrored, template()), atol=1e-9)


def test_similarity_recovers_a_known_motion():
    turn, scale, shift = 0.4, 2.5, np.array([7.0, -3.0])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = scale * template() @ rotation.T + shift
    np.testing.assert_allclose(similarity(template(), moved), np.column_stack([scale * rotation, shift]))


def test_template_is_the_112_px_one_and_scales():
    assert template().shape == (5, 2)
    np.testing.assert_allclose(template()[2], [56.0252, 71.7366])
    np.testing.assert_allclose(template((224, 224)), template() * 2)
    np.testing.assert_allclose(template((112, 132)), template() + np.array([10, 0]))
    # Eyes above the nose above the mouth; left points left of right points.
    assert (np.diff(template()[[0, 2, 3], 1]) > 0).all()
    assert template()[0, 0] < template()[1, 0]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_puts_the_landmarks_on_the_template(dtype, channels):
    image = np.zeros((300, 400, channels), dtype)
    points = np.rint(template() @ np.array([[1.7, 0.3], [-0.3, 1.7]]) + [60, 40])
    for x, y in points.astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 200
    crop = align(image, points)
    assert (crop.shape, crop.dtype) == ((112, 112, channels), np.dtype(dtype))
    for x, y in template():
        assert crop[round(y), round(x)].max() >= 100


def test_outside_the_image_is_the_pad_value():
    crop = align(np.full((50, 50, 3), 9, np.uint8), template() - 60, pad_value=77)
    assert set(np.unique(crop)) <= set(range(9, 78))
    assert (crop[:50, :50] == 77).all()


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (np.ones((5, 2)), "landmarks do not span a face: expected five different points"),
        (np.full((5, 2), np.nan), "landmarks do not span a face"),
        (np.ones((5, 3)), r"wrong shape: expected \(5, 2\), got \(5, 3\)"),
        (np.ones((4, 2)), r"got \(4, 2\)"),
    ],
)
def test_impossible_landmarks(points, text):
    with pytest.raises(DataError, match=text):
        align(np.zeros((9, 9, 3), np.uint8), points)


def test_an_image_too_wide_for_the_warp_is_an_error_and_not_a_crash():
    with pytest.raises(DataError, match="expected sides below 32,767 pixels, got 40 x 40,000"):
        align(np.zeros((40, 40_000, 1), np.uint8), template())
