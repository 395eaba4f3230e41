from __future__ import annotations

import multiprocessing

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from vnvision.data.field import FIELD, FieldSpec, apply_field, drops, find_leaf, hand, phone, shade, soil
from vnvision.data.field.background import replace_background
from vnvision.data.field.spec import GROUNDS
from vnvision.data.synthetic import draw_leaf
from vnvision.errors import ConfigError, DataError

EFFECTS = ("background", "soil", "shade", "hand", "drops", "phone_blur")


def on_board(leaf, tone=215):
    """A drawn leaf cut out and laid on an even grey board."""
    cover = cv2.GaussianBlur(leaf.leaf_mask.astype(np.float32), (0, 0), 0.7)[..., None]
    return np.rint(leaf.image * cover + tone * (1 - cover)).astype(np.uint8)


@pytest.fixture(scope="module")
def leaf():
    return draw_leaf("spot", 5, 160)


@pytest.fixture(scope="module")
def away(leaf):
    """Pixels well outside the leaf, and pixels well inside it."""
    kernel = np.ones((9, 9), np.uint8)
    outside = cv2.dilate(leaf.leaf_mask, kernel) == 0
    return outside, cv2.erode(leaf.leaf_mask, kernel) == 1


def only(effect, **more):
    return FieldSpec(**{effect: 1.0}, **more)


def changed(a, b):
    return (a != b).any(axis=2)


def _digest(job):
    image, mask, spec, keys = job
    return [apply_field(image, spec, key, mask).tobytes() for key in keys]


def test_same_bytes_in_every_process_and_for_every_effect(leaf):
    keys = [(4, 1, i) for i in range(6)]
    jobs = [(leaf.image, leaf.leaf_mask, only(effect), keys) for effect in EFFECTS]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_digest, jobs) == [_digest(job) for job in jobs]


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_is_seen_keeps_the_shape_and_differs_by_key(leaf, effect):
    before = leaf.image.copy()
    drawn = [apply_field(leaf.image, only(effect), (0, i), leaf.leaf_mask) for i in range(6)]
    assert np.array_equal(leaf.image, before)
    for one in drawn:
        assert one.shape == leaf.image.shape
        assert one.dtype == np.uint8
        assert changed(one, leaf.image).mean() > 0.002
    assert len({one.tobytes() for one in drawn}) == 6


def test_probability_zero_changes_nothing(leaf):
    assert apply_field(leaf.image, FieldSpec(), (1, 2), leaf.leaf_mask) is leaf.image


def test_an_effect_happens_as_often_as_asked(leaf):
    small = cv2.resize(leaf.image, (32, 32), interpolation=cv2.INTER_AREA)
    happened = sum(apply_field(small, FieldSpec(shade=0.3), (9, i)) is not small for i in range(600))
    assert happened / 600 == pytest.approx(0.3, abs=0.06)  # three standard errors


def test_switching_one_effect_off_leaves_the_others_as_they_were(leaf):
    both = FieldSpec(shade=1.0, phone_blur=1.0)
    alone = apply_field(leaf.image, FieldSpec(shade=1.0), (3, 3))
    blurred = apply_field(alone, FieldSpec(phone_blur=1.0), (3, 3))
    assert np.array_equal(apply_field(leaf.image, both, (3, 3)), blurred)


@pytest.mark.parametrize("kind", GROUNDS)
def test_another_ground_changes_the_outside_and_keeps_the_leaf(leaf, away, kind):
    outside, inside = away
    result = replace_background(leaf.image, leaf.leaf_mask, kind, np.random.default_rng(1))
    assert np.array_equal(result[inside], leaf.image[inside])
    assert changed(result, leaf.image)[outside].mean() > 0.95


def test_every_pixel_two_inside_the_mask_keeps_its_value(leaf):
    result = replace_background(leaf.image, leaf.leaf_mask, "soil", np.random.default_rng(1))
    core = cv2.erode(leaf.leaf_mask, np.ones((5, 5), np.uint8)) == 1
    assert np.array_equal(result[core], leaf.image[core])


@pytest.mark.parametrize("effect", ["soil", "drops"])
def test_mud_and_drops_stay_on_the_leaf(leaf, away, effect):
    for key in range(8):
        result = apply_field(leaf.image, only(effect), (key,), leaf.leaf_mask)
        assert np.array_equal(result[away[0]], leaf.image[away[0]])


def test_mud_covers_more_when_asked_for_more():
    grey = np.full((200, 200, 3), (90, 140, 60), np.uint8)
    mask = np.ones((200, 200), np.uint8)

    def muddy(cover):
        shares = []
        for seed in range(12):
            result = soil.splash_soil(grey, mask, cover, np.random.default_rng(seed)).astype(int)
            shares.append((np.abs(result - grey).max(axis=2) > 40).mean())
        return np.mean(shares)

    little, much = muddy(0.02), muddy(0.10)
    assert 0.004 < little < 0.06
    assert 0.04 < much < 0.25
    assert much > 2 * little


def test_shade_darkens_by_about_its_depth_and_leaves_sunny_parts():
    grey = np.full((200, 200, 3), 120, np.uint8)
    for seed in range(10):
        field = (shade.dapples if seed % 2 else shade.person)((200, 200), np.random.default_rng(seed))
        assert field.min() >= 0
        assert field.max() <= 1 + 1e-6
        dark = shade.cast_shade(grey, 0.5, np.random.default_rng(seed)).astype(float).mean(axis=2)
        assert dark.min() < 95
        assert dark.min() > 45


def test_a_hand_enters_from_an_edge_and_is_skin():
    green = np.full((200, 200, 3), (60, 140, 50), np.uint8)
    for seed in range(12):
        result = hand.hold_with_hand(green, None, 0.35, np.random.default_rng(seed))
        drawn = result[:, :, 0] > result[:, :, 1].astype(int) + 8
        assert 0.01 < drawn.mean() < 0.25
        frame = np.zeros((200, 200), bool)
        frame[[0, -1]] = frame[:, [0, -1]] = True
        assert (drawn & frame).any()
        assert cv2.connectedComponents(drawn.astype(np.uint8))[0] <= 3


def test_fingers_behind_the_leaf_stay_behind_it(leaf, away):
    finger = hand._Finger((80.0, 60.0), (0.0, 1.0), 14.0)
    free = 1 - (leaf.leaf_mask > 0).astype(np.float32)
    tone = np.array(hand.TONES[2], np.float32)
    result = hand._draw(leaf.image, finger, tone, np.random.default_rng(0), free, nail=False)
    assert np.array_equal(result[away[1]], leaf.image[away[1]])


def test_a_flat_drop_magnifies_and_a_tall_one_turns_over():
    """Of a ramp from left to right, a flat drop shows a gentler slope, a tall one a falling one."""
    ramp = np.repeat(np.arange(201, dtype=np.float32)[None], 201, axis=0)
    y, x = np.mgrid[0:201, 0:201].astype(np.float32)
    for power, low, high in ((0.55, 0.3, 0.8), (-0.9, -1.3, -0.6)):
        fields = (x.copy(), y.copy(), np.ones((201, 201), np.float32), np.zeros((201, 201), np.float32))
        drops._bead(fields, (100.0, 100.0, 40.0), 1.0, 0.0, power, (0.0, -1.0))
        seen = cv2.remap(ramp, fields[0], fields[1], cv2.INTER_LINEAR)
        slope = (seen[100, 110] - seen[100, 90]) / 20
        assert low < slope < high
        assert np.array_equal(seen[:, :50], ramp[:, :50])
        gain, glow = fields[2:]
        assert gain[100 - 37, 100] < 0.75  # dark towards the light, which is above
        assert gain[100 + 20, 100] > 1.0
        assert glow[100 - 18, 100] > 0.8  # the gleam


def test_blurs_keep_brightness_and_lose_detail():
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), (0, 0), 0.8)
    for blur in (phone.defocus, phone.shake):
        result = blur(image, 3.0, np.random.default_rng(1))
        assert result.mean() == pytest.approx(image.mean(), abs=1.5)
        assert cv2.Laplacian(result, cv2.CV_32F).var() < 0.3 * cv2.Laplacian(image, cv2.CV_32F).var()
    step = np.zeros((64, 64, 3), np.uint8)
    step[:, 32:] = 200
    smeared = phone.smear(step, 2.0, np.random.default_rng(1)).astype(int)
    assert smeared[:, 36:44].mean() > smeared[:, 50:60].mean()  # a sharpening halo beside the edge


def test_defocus_is_a_disc():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    spread = phone.defocus(point, 5.0, np.random.default_rng(0))[:, :, 0]
    y, x = np.mgrid[-20:21, -20:21]
    away_px = np.hypot(x, y)
    assert (spread[away_px > 6.1] == 0).all()
    assert np.ptp(spread[away_px < 4.4]) == 0


def test_the_leaf_is_found_on_a_board_with_all_of_its_disease():
    for i, kind in enumerate(("healthy", "spot", "blight", "rust") * 5):
        leaf = draw_leaf(kind, 300 + i, 160)
        found = find_leaf(on_board(leaf))
        truth = leaf.leaf_mask > 0
        assert found.confidence >= 0.6
        assert (found.mask > 0)[truth].mean() > 0.93  # recall: no diseased part may be cut away
        assert (found.mask[~truth] > 0).mean() < 0.05


def test_nothing_is_found_in_texture_or_in_one_colour():
    rng = np.random.default_rng(0)
    busy = rng.integers(0, 256, (120, 120, 3), dtype=np.uint8)
    plain = np.full((120, 120, 3), 200, np.uint8)
    assert find_leaf(busy).confidence == 0
    assert find_leaf(plain).confidence == 0
    straw = draw_leaf("blight", 4, 160, region="delta")
    assert find_leaf(straw.image).confidence < 0.6 or straw.background not in ("straw", "soil")


def test_background_changes_only_where_a_leaf_is_sure(leaf):
    spec = only("background")
    board = on_board(leaf)
    assert changed(apply_field(board, spec, (1,)), board).mean() > 0.3
    busy = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    assert np.array_equal(apply_field(busy, spec, (1,)), busy)
    sure = only("background", least_confidence=1.0)
    less = draw_leaf("healthy", 11, 160).image
    assert np.array_equal(apply_field(less, sure, (1,)), less) or find_leaf(less).confidence == 1.0


def test_a_mask_of_nothing_or_everything_keeps_the_background(leaf):
    for mask in (np.zeros((160, 160), np.uint8), np.ones((160, 160), np.uint8)):
        assert np.array_equal(apply_field(leaf.image, only("background"), (1,), mask), leaf.image)


@pytest.mark.parametrize("shape", [(60, 200, 3), (201, 77, 3), (64, 64, 1), (9, 9, 3), (1, 1, 3)])
def test_any_shape_and_grey(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    everything = FieldSpec(**dict.fromkeys(EFFECTS, 1.0))
    mask = np.zeros(shape[:2], np.uint8)
    mask[shape[0] // 4 : 3 * shape[0] // 4 + 1, shape[1] // 4 : 3 * shape[1] // 4 + 1] = 1
    for key in range(4):
        for given in (None, mask):
            result = apply_field(image, everything, (key,), given)
            assert result.shape == shape
            assert result.dtype == np.uint8


def test_the_preset_draws_every_effect():
    assert all(0 < getattr(FIELD, effect) < 1 for effect in EFFECTS)
    assert FieldSpec.from_json(FIELD.to_json()) == FIELD


def test_wrong_input_is_named(leaf):
    with pytest.raises(
        DataError, match=r"cannot draw the field: expected .* uint8, got \(160, 160, 3\) float64"
    ):
        apply_field(leaf.image / 255, FIELD, (0,))
    with pytest.raises(
        DataError, match=r"mask does not fit the picture: expected \(160, 160\), got \(3, 3\)"
    ):
        apply_field(leaf.image, FIELD, (0,), np.zeros((3, 3), np.uint8))
    with pytest.raises(ConfigError, match=r"key is negative: expected numbers from 0, got \(0, -1\)"):
        apply_field(leaf.image, FIELD, (0, -1))
    with pytest.raises(ValidationError, match=r"shade_depth must be \(low, high\) within 0..0.95"):
        FieldSpec(shade_depth=(0.9, 0.1))
    with pytest.raises(ValidationError, match="grounds"):
        FieldSpec(grounds=("lava",))
