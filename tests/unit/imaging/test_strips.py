"""Long pictures as strips: the number, the cut, the way back, and everything that uses them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from vnvision.data.augment import PRESETS, Augmenter, AugmentSpec
from vnvision.errors import DataError
from vnvision.export.kits.common import placed_picture
from vnvision.imaging import Preprocessor
from vnvision.imaging.strips import stack_strips, strips_of
from vnvision.runtime.heatmap import to_picture
from vnvision.spec import Label, PreprocessSpec, TaskSpec

SIZES = [
    (897, 3081), (3081, 897), (1, 1), (1, 2), (7, 16), (4, 9), (9, 4), (5, 31), (31, 5), (3, 100), (100, 3),
    (64, 400), (11, 69), (1, 97),
]  # fmt: skip


def noise(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def by_columns(picture):
    """The stack, written out column by column from the definition."""
    lying = picture if picture.shape[1] >= picture.shape[0] else picture.swapaxes(0, 1)[::-1]
    short, long = lying.shape[:2]
    count = math.floor(math.sqrt(long / short) + 0.5)
    if count == 1:
        return picture
    side = math.ceil(long / count)
    stacked = np.zeros((count * short, side, *picture.shape[2:]), picture.dtype)
    for strip in range(count):
        first = math.floor(strip * (long - side) / (count - 1))
        for column in range(side):
            stacked[strip * short : (strip + 1) * short, column] = lying[:, first + column]
    return stacked


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ((100, 100), 1), ((100, 200), 1), ((100, 224), 1), ((100, 225), 2), ((225, 100), 2),
        ((897, 3081), 2), ((100, 624), 2), ((100, 625), 3), ((100, 1224), 3), ((100, 1225), 4),
        ((1, 10000), 100),
    ],
)  # fmt: skip
def test_the_number_of_strips_is_the_rounded_root_of_the_aspect(size, count):
    assert len(strips_of(size).starts_px) == count


@pytest.mark.parametrize("size", SIZES)
def test_a_stack_is_cut_as_defined_and_goes_back_whole(size):
    picture = noise(*size)
    strips = strips_of(size)
    stacked = strips.stack(picture)
    np.testing.assert_array_equal(stacked, by_columns(picture))
    assert stacked.shape[:2] == strips.stacked_px
    np.testing.assert_array_equal(strips.unstack(stacked), picture)
    plane = picture[..., 0].astype(np.float32)
    np.testing.assert_array_equal(strips.unstack(strips.stack(plane)), plane)
    # Neighbours share a column at most, and the last strip ends where the picture does.
    steps = np.diff(strips.starts_px)
    assert all(step in (strips.width_px, strips.width_px - 1) for step in steps)
    assert strips.starts_px[-1] + strips.width_px == (max(size) if len(steps) else size[1])


def test_an_upright_leaf_is_its_lying_turn():
    lying = noise(30, 200)
    upright = np.rot90(lying, -1)  # its left end is now the top
    np.testing.assert_array_equal(stack_strips(upright), stack_strips(lying))


def test_what_is_not_long_is_squashed_and_a_stack_is_nearly_square():
    for size in (*SIZES[:2], (64, 400), (100, 1225), (225, 100), (1000, 40)):
        height, width = strips_of(size).stacked_px
        assert 0.5 < height / width < 2.3, size
    picture = noise(70, 157)  # 2.24
    assert stack_strips(picture) is picture
    squash, strips = (
        Preprocessor(PreprocessSpec(size_px=(24, 20), geometry=how)) for how in ("squash", "strips")
    )
    np.testing.assert_array_equal(strips.geometry(picture), squash.geometry(picture))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area"])
def test_the_preprocessor_resizes_the_stack(interpolation):
    spec = PreprocessSpec(size_px=(32, 28), geometry="strips", interpolation=interpolation, colour="bgr")
    flag = {"nearest": cv2.INTER_NEAREST_EXACT, "bilinear": 1, "bicubic": 2, "area": 3}[interpolation]
    picture = noise(40, 301)
    right = cv2.resize(by_columns(picture), (28, 32), interpolation=flag)[..., ::-1]
    np.testing.assert_array_equal(Preprocessor(spec).geometry(picture), right)
    grey = spec.model_copy(update={"colour": "grey", "mean": (0.0,), "std": (1.0,)})
    assert Preprocessor(grey).geometry(noise(300, 20, 1)).shape == (32, 28, 1)


def test_a_map_comes_back_to_its_own_place():
    spec = PreprocessSpec(size_px=(60, 40), geometry="strips")
    for size, spot in (((40, 360), (12, 301)), ((360, 40), (35, 9)), ((40, 360), (20, 60))):
        picture = np.zeros((*size, 1), np.float32)
        picture[spot[0] - 5 : spot[0] + 6, spot[1] - 5 : spot[1] + 6] = 1
        seen = Preprocessor(
            spec.model_copy(
                update={"colour": "grey", "mean": (0.0,), "std": (1.0,), "input_dtype": "float32"}
            )
        ).geometry(picture)[..., 0]
        back = to_picture(seen, size, spec)
        assert back.shape == size
        assert np.unravel_index(back.argmax(), size) == pytest.approx(spot, abs=6)
        assert back[picture[..., 0] == 1].mean() > 0.7
        far = cv2.dilate(picture[..., 0], np.ones((41, 41))) == 0
        assert back[far].max() == 0


def test_augmentation_acts_on_the_stack():
    picture = noise(30, 200)
    plain = Augmenter(AugmentSpec(), (24, 20), geometry="strips")
    spec = PreprocessSpec(size_px=(24, 20), geometry="strips")
    np.testing.assert_array_equal(plain(picture, (0,)), Preprocessor(spec).geometry(picture))
    for key in range(4):
        strips = Augmenter(PRESETS["crops"], 24, geometry="strips")
        squash = Augmenter(PRESETS["crops"], 24, geometry="squash")
        np.testing.assert_array_equal(strips(picture, (1, key)), squash(by_columns(picture), (1, key)))
    field = Augmenter(PRESETS["field"], 24, geometry="strips")
    leaf = np.zeros((30, 200), np.uint8)
    leaf[10:20] = 1
    assert field.sample(picture, (1, 1), leaf)[0].shape == (24, 24, 3)


def test_the_self_test_of_a_kit_shows_a_long_upright_picture():
    spec = PreprocessSpec(size_px=(24, 36), geometry="strips")
    shown = placed_picture(spec)
    height, width = shown["picture"].shape[:2]
    assert height > 3 * width
    np.testing.assert_array_equal(shown["placed"], Preprocessor(spec).geometry(shown["picture"]))


def test_strips_of_another_picture_and_dense_tasks_are_refused():
    with pytest.raises(
        DataError, match=r"these strips are of another picture: expected \(30, 200\), got \(30, 201, 3\)"
    ):
        strips_of((30, 200)).stack(noise(30, 201))
    with pytest.raises(DataError, match="these strips are of another picture"):
        strips_of((30, 200)).unstack(noise(30, 200))
    spec = PreprocessSpec(size_px=(24, 24), geometry="strips")
    labels = (Label(id="leaf"), Label(id="lesion"))
    with pytest.raises(ValidationError, match="geometry strips cuts objects in two: not for segmentation"):
        TaskSpec(kind="segmentation", preprocess=spec, labels=labels)
    assert TaskSpec(kind="classification", preprocess=spec, labels=labels).preprocess.geometry == "strips"


def test_the_geometry_travels():
    spec = PreprocessSpec(size_px=(24, 24), geometry="strips")
    assert PreprocessSpec.from_json(spec.to_json()) == spec
