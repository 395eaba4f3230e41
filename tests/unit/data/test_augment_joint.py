"""Truth moves with the picture: planted squares stay where their masks and boxes say."""

import numpy as np
import pytest

from vnvision.data.augment import Augmenter, AugmentSpec
from vnvision.data.augment_joint import augment_joint
from vnvision.data.centres import centre_maps

SPEC = {
    "hflip": 0.5, "vflip": 0.5, "rot90": 0.5, "random_resized_crop_scale": (0.5, 1.0),
    "random_resized_crop_ratio": (0.8, 1.25),
}  # fmt: skip


def planted(seed):
    """A black picture with one white square, its mask and its box."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(60, 200, 2)
    x, y = rng.integers(5, width - 30), rng.integers(5, height - 30)
    box = np.array([[x, y, x + rng.integers(8, 24), y + rng.integers(8, 24)]], np.float32)
    mask = np.zeros((height, width), np.uint8)
    mask[y : int(box[0, 3]), x : int(box[0, 2])] = 1
    return np.repeat(mask[:, :, None] * np.uint8(255), 3, axis=2), mask, box


@pytest.mark.parametrize("rotate_deg", [0, 40])
def test_mask_follows_the_picture(rotate_deg):
    augmenter = Augmenter(AugmentSpec(**SPEC, rotate_deg=rotate_deg), (160, 128))
    for seed in range(40):
        image, mask, _ = planted(seed)
        done = augment_joint(augmenter, image, (seed,), mask=mask)
        np.testing.assert_array_equal(done.image, augmenter(image, (seed,)))
        assert set(np.unique(done.mask)) <= {0, 1}
        assert ((done.image[..., 0] > 127) == (done.mask == 1)).mean() > 0.985


def test_boxes_follow_the_picture():
    augmenter, left = Augmenter(AugmentSpec(**SPEC), (160, 128)), 0
    for seed in range(60):
        image, _, box = planted(seed)
        done = augment_joint(augmenter, image, (seed,), boxes_xyxy_px=box)
        rows, columns = np.nonzero(done.image[..., 0] > 127)
        if not done.kept[0]:
            continue
        left += 1
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(done.boxes_xyxy_px[0], seen, atol=2.5)
    assert left > 40


def test_a_box_cut_off_is_dropped_and_no_boxes_stay_none():
    image = np.zeros((100, 100, 3), np.uint8)
    narrow = Augmenter(AugmentSpec(random_resized_crop_scale=(0.04, 0.04)), 50)
    boxes = np.array([[0, 0, 4, 4], [96, 96, 100, 100]], np.float32)
    done = augment_joint(narrow, image, (1,), boxes_xyxy_px=boxes)
    assert done.kept.sum() <= 1
    assert len(done.boxes_xyxy_px) == done.kept.sum()
    assert augment_joint(narrow, image, (1,)).boxes_xyxy_px is None
    assert augment_joint(narrow, image, (1,), boxes_xyxy_px=np.empty((0, 4))).boxes_xyxy_px.shape == (0, 4)


def test_centres_peak_at_one_and_sides_give_the_box_back():
    boxes = np.array([[10, 20, 50, 44], [60, 8, 68, 16]], np.float32)
    maps = centre_maps(boxes, np.array([1, 0]), 2, (64, 96), 4)
    assert maps.shape == (7, 16, 24)
    for label, box in ((1, boxes[0]), (0, boxes[1])):
        row, column = np.unravel_index(maps[label].argmax(), (16, 24))
        assert maps[label, row, column] == 1
        assert maps[6, row, column] == 1
        left, top, right, bottom = maps[2:6, row, column] * 4
        x, y = (column + 0.5) * 4, (row + 0.5) * 4
        np.testing.assert_allclose([x - left, y - top, x + right, y + bottom], box, atol=1e-4)
    assert (maps[:2] <= 1).all()
    assert maps[1, 0, 20] == 0


def test_no_boxes_give_empty_maps():
    assert not centre_maps(np.empty((0, 4)), np.empty(0, np.int64), 3, (32, 32), 4).any()
