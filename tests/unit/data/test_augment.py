import colorsys
import multiprocessing
import pickle
import random

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from vnvision.data.augment import PRESETS, Augmenter, AugmentSpec
from vnvision.errors import ConfigError, DataError
from vnvision.imaging import Preprocessor
from vnvision.spec import PreprocessSpec


@pytest.fixture(scope="module")
def picture():
    """Smooth colours with an off-centre mark, 90 x 120."""
    y, x = np.mgrid[0:90, 0:120]
    image = np.stack([40 + x, 60 + y, 200 - x // 2 - y // 2], 2).astype(np.uint8)
    image[10:25, 15:40] = (250, 20, 30)
    return image


def _digests(job):
    preset, image, keys = job
    augmenter = Augmenter(PRESETS[preset], (32, 48))
    return {key: augmenter(image, key).tobytes() for key in keys}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_same_bytes_in_every_process_and_order(picture, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    keys = [(3, epoch, index) for epoch in range(2) for index in range(12)]
    here = _digests(("crops", picture, keys))
    halves = [("crops", picture, keys[::-2]), ("crops", picture, keys[-2::-2])]
    with multiprocessing.get_context(method).Pool(2) as pool:
        there = {key: value for part in pool.map(_digests, halves) for key, value in part.items()}
    assert there == here


def test_same_bytes_after_pickling_and_with_other_opencv_threads(picture):
    augmenter = Augmenter(PRESETS["crops"], 64)
    first = [augmenter(picture, (0, 0, i)) for i in range(20)]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    again = [pickle.loads(pickle.dumps(augmenter))(picture, (0, 0, i)) for i in range(20)]
    cv2.setNumThreads(threads)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("preset", ["light", "crops", "clinic", "cells"])
def test_different_keys_give_different_pictures(picture, preset):
    augmenter = Augmenter(PRESETS[preset], 32)
    keys = [(s, e, i) for s in range(3) for e in range(3) for i in range(3)]
    assert len({augmenter(picture, key).tobytes() for key in keys}) == len(keys)


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("shape", [(90, 120, 3), (300, 200, 3), (64, 64, 1), (7, 5, 3)])
def test_size_dtype_and_own_memory(preset, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    before = image.copy()
    for index in range(12):
        result = Augmenter(PRESETS[preset], (40, 24))(image, (0, 0, index))
        assert result.shape == (40, 24, shape[2])
        assert result.dtype == np.uint8
        assert result.flags.c_contiguous
        assert not np.shares_memory(result, image)
    assert np.array_equal(image, before)


def test_nothing_global_moves(picture):
    np.random.seed(1)
    random.seed(1)
    cv2.setRNGSeed(1)
    numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()
    expected = cv2.randu(np.zeros(4, np.float32), 0, 1).copy()
    cv2.setRNGSeed(1)
    for index in range(30):
        Augmenter(PRESETS["crops"], 32)(picture, (0, 0, index))
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert random.getstate() == python_state
    assert np.array_equal(cv2.randu(np.zeros(4, np.float32), 0, 1), expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "area", "nearest"])
def test_none_is_the_preprocessor_bit_for_bit(picture, interpolation):
    spec = PreprocessSpec(size_px=(33, 47), interpolation=interpolation)
    augmenter = Augmenter(PRESETS["none"], (33, 47), interpolation=interpolation)
    assert np.array_equal(augmenter(picture, (1, 2, 3)), Preprocessor(spec).geometry(picture))
    same_size = Augmenter(PRESETS["none"], (90, 120))(picture, (1,))
    assert np.array_equal(same_size, picture)


@pytest.mark.parametrize(("option", "axis"), [("hflip", 1), ("vflip", 0)])
def test_flips_are_exact_and_as_frequent_as_asked(picture, option, axis):
    sure = Augmenter(AugmentSpec(**{option: 1.0}), (90, 120))
    assert np.array_equal(sure(picture, (0,)), np.flip(picture, axis))
    some = Augmenter(AugmentSpec(**{option: 0.3}), (90, 120))
    flipped = sum(not np.array_equal(some(picture, (5, 0, i)), picture) for i in range(1000))
    assert abs(flipped - 300) < 4 * np.sqrt(1000 * 0.3 * 0.7)


def test_quarter_turns_are_the_four_rotations():
    # a blurred picture: a quarter turn by interpolation may be off by a rounding, not by a pixel
    square = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8), (0, 0), 2)
    turns = [np.rot90(square, k).astype(int) for k in range(4)]
    seen = set()
    for index in range(60):
        result = Augmenter(AugmentSpec(rot90=1.0), 32)(square, (0, 0, index)).astype(int)
        errors = [np.abs(result - turn).max() for turn in turns]
        assert min(errors) <= 1
        seen.add(int(np.argmin(errors)))
    assert seen == {0, 1, 2, 3}


def test_a_quarter_turn_keeps_the_whole_of_an_oblong(picture):
    for index in range(20):
        result = Augmenter(AugmentSpec(rot90=1.0), (120, 90))(picture, (0, 0, index)).astype(int)
        wanted = [
            cv2.resize(np.ascontiguousarray(np.rot90(picture, k)), (90, 120)).astype(int) for k in range(4)
        ]
        assert min(np.abs(result - one).mean() for one in wanted) < 1


def test_a_turn_matches_opencv_rotation(picture):
    spec = AugmentSpec(rotate_deg=30)
    result = Augmenter(spec, (90, 120))(picture, (7, 0, 1))
    errors = []
    for angle in np.arange(-30, 30.01, 0.1):
        matrix = cv2.getRotationMatrix2D((59.5, 44.5), angle, 1)
        turned = cv2.warpAffine(picture, matrix, (120, 90), borderMode=cv2.BORDER_REFLECT_101)
        errors.append(np.abs(turned.astype(int) - result).mean())
    assert min(errors) < 0.5
    assert np.median(errors) > 3


@pytest.mark.parametrize("rotate_deg", [0, 20])
def test_area_averages_where_a_turned_picture_shrinks(rotate_deg):
    fine = np.zeros((400, 400, 3), np.uint8)
    fine[::2, ::2] = fine[1::2, 1::2] = 255  # a chequerboard of single pixels: its average is 127.5
    spec = AugmentSpec(rotate_deg=rotate_deg, random_resized_crop_scale=(0.6, 0.8))
    smooth = Augmenter(spec, 50, interpolation="area")(fine, (0, 0, 1))
    assert np.abs(smooth[5:-5, 5:-5].astype(float) - 127.5).max() < 30


def test_crop_keeps_the_share_and_stays_inside():
    y, x = np.mgrid[0:200, 0:200]
    ramp = np.stack([x, y, np.zeros_like(x)], 2).astype(np.uint8)
    for index in range(40):
        result = Augmenter(AugmentSpec(random_resized_crop_scale=(0.25, 0.25)), 50)(ramp, (0, 0, index))
        spans = [int(np.ptp(result[..., c])) for c in (0, 1)]
        assert spans == pytest.approx([98, 98], abs=3)


def test_crop_geometry_keeps_the_aspect(picture):
    disc = np.zeros((100, 200, 3), np.uint8)
    cv2.circle(disc, (100, 50), 30, (255, 255, 255), -1)
    extents = {}
    for geometry in ("crop", "squash"):
        mask = Augmenter(PRESETS["none"], 80, geometry=geometry)(disc, (0,))[..., 0] > 127
        extents[geometry] = np.ptp(np.flatnonzero(mask.any(0))) / np.ptp(np.flatnonzero(mask.any(1)))
    assert extents["crop"] == pytest.approx(1, abs=0.05)
    assert extents["squash"] == pytest.approx(0.5, abs=0.05)


def test_colour_factors_match_the_formulas(picture):
    key = (4, 0, 2)
    grey = Augmenter(AugmentSpec(grey=1.0), (90, 120))(picture, key)
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(grey.astype(int) - luma[..., None]).max() <= 1
    bright = Augmenter(AugmentSpec(brightness=0.2), (90, 120))(picture, key).astype(float)
    inside = (bright > 0).all(2) & (bright < 255).all(2)
    factor = (bright[inside] / picture[inside]).mean()
    assert 0.8 <= factor <= 1.2
    assert np.abs(bright - np.clip(picture * factor, 0, 255)).max() <= 1
    contrast = Augmenter(AugmentSpec(contrast=0.3), (90, 120))(picture, key)
    assert cv2.cvtColor(contrast, cv2.COLOR_RGB2GRAY).mean() == pytest.approx(luma.mean(), abs=1)


def test_hue_keeps_luma_and_turns_both_ways_within_its_limit():
    plain, angles = np.full((8, 8, 3), (180, 100, 90), np.uint8), []
    y0, i0, q0 = colorsys.rgb_to_yiq(*(plain[0, 0] / 255))
    for index in range(60):
        turned = Augmenter(AugmentSpec(hue=0.1), 8)(plain, (0, 0, index))
        y, i, q = colorsys.rgb_to_yiq(*(turned[0, 0] / 255))
        assert y == pytest.approx(y0, abs=0.02)
        assert np.hypot(i, q) == pytest.approx(np.hypot(i0, q0), rel=0.06)
        angles.append(np.degrees(np.arctan2(q, i) - np.arctan2(q0, i0)))
    assert -38 < min(angles) < -28
    assert 28 < max(angles) < 38


def test_stain_scales_optical_density(picture):
    result = Augmenter(AugmentSpec(stain=0.2), (90, 120))(picture, (0, 0, 3)).astype(float)
    for channel in range(3):
        dark = (picture[..., channel] < 200) & (picture[..., channel] > 40)
        ratio = np.log(result[..., channel][dark] / 255) / np.log(picture[..., channel][dark] / 255)
        assert ratio.std() < 0.02
        assert 0.79 < ratio.mean() < 1.21


def test_changing_one_option_leaves_the_other_draws(picture):
    base = AugmentSpec(random_resized_crop_scale=(0.4, 0.9), hflip=0.5)
    more = base.model_copy(update={"jpeg": 1.0, "jpeg_quality": (100, 100)})
    for index in range(10):
        a, b = (Augmenter(spec, 60)(picture, (0, 0, index)).astype(int) for spec in (base, more))
        assert np.abs(a - b).mean() < 4


@pytest.mark.parametrize("option", ["shadow", "blur", "noise", "jpeg", "cutout"])
def test_each_spoiler_acts_alone(picture, option):
    result = Augmenter(AugmentSpec(**{option: 1.0}), (90, 120))(picture, (0, 0, 1))
    assert not np.array_equal(result, picture)
    if option == "shadow":
        assert (result <= picture).all()
    if option == "cutout":
        assert 0.01 < (result != picture).any(2).mean() < 0.2


def test_specs_are_strict_and_round_trip():
    for spec in PRESETS.values():
        assert AugmentSpec.from_json(spec.to_json()) == spec
    assert set(PRESETS) == {"none", "light", "crops", "clinic", "cells", "field"}
    assert PRESETS["clinic"].hue == PRESETS["clinic"].hflip == 0
    with pytest.raises(
        ConfigError, match=r"blur: Input should be less than or equal to 1 \(got 2\); flip: unknown key"
    ) as error:
        AugmentSpec.from_json('{"blur": 2, "flip": 0.5}')
    assert "\n" not in str(error.value)
    with pytest.raises(ValidationError, match=r"random_resized_crop_scale must be \(low, high\) within"):
        AugmentSpec(random_resized_crop_scale=(0.9, 0.5))


def test_bad_pictures_keys_and_sizes_are_refused(picture):
    augmenter = Augmenter(PRESETS["none"], 32)
    for bad in (picture.astype(np.float32), picture[..., 0], picture[..., :2], picture[:0]):
        with pytest.raises(DataError, match=r"cannot augment: expected .* uint8, got"):
            augmenter(bad, (0,))
    with pytest.raises(ConfigError, match="an augmentation key is negative"):
        augmenter(picture, (0, -1))
    with pytest.raises(ConfigError, match="expected 1 pixel or more, got 0"):
        Augmenter(PRESETS["none"], 0)


def test_the_field_preset_adds_to_crops_and_keeps_its_draws():
    image = np.full((96, 128, 3), 200, np.uint8)
    image[20:70, 30:100] = (40, 140, 30)
    crops, field = Augmenter(PRESETS["crops"], 64), Augmenter(PRESETS["field"], 64)
    quiet = PRESETS["field"].field.model_copy(
        update=dict.fromkeys(("background", "soil", "drops", "hand", "shade", "phone_blur"), 0.0)
    )
    same = Augmenter(PRESETS["crops"].model_copy(update={"field": quiet}), 64)
    changed = 0
    for index in range(20):
        key = (3, 1, index)
        np.testing.assert_array_equal(field(image, key), field(image, key))
        np.testing.assert_array_equal(crops(image, key), same(image, key))
        changed += not np.array_equal(crops(image, key), field(image, key))
    assert changed > 5
