"""What is drawn: where, how lit, how sharp, and that equal seeds give equal bytes."""

import cv2
import numpy as np
import pytest

from vnvision.data.occlusion import KINDS, RegionalOcclusion, occlude
from vnvision.data.occlusion.pose import LANDMARKS_MM
from vnvision.errors import ConfigError, DataError

SCALE, EYES = 0.8, np.array([128.0, 100.0])
LANDMARKS = LANDMARKS_MM[:, :2] * SCALE + EYES
ON_THE_HEAD = ("surgical_mask", "motorbike_helmet", "non_la", "sunglasses", "glasses", "make_up")


def portrait(level=150, slope=0.0, grey=False, seed=0):
    """A head before a wall: skin-coloured oval with eyes and lips, brighter to the right by ``slope``."""
    rng = np.random.default_rng(seed)
    image = np.full((256, 256, 3), (90, 110, 130), np.float64)
    oval = np.zeros((256, 256), np.uint8)
    cv2.ellipse(oval, (128, 118), (62, 88), 0, 0, 360, 1, -1)
    x = np.arange(256)[None] - 128
    skin = np.clip(level + slope * x, 5, 250)[..., None] * np.array([1.0, 0.8, 0.68])
    image[oval > 0] = np.broadcast_to(skin, image.shape)[oval > 0]
    for eye in LANDMARKS[:2]:
        cv2.circle(image, tuple(int(v) for v in eye), 6, (40, 30, 30), -1)
    cv2.ellipse(image, (128, 151), (22, 7), 0, 0, 360, (150, 60, 60), -1)
    image = cv2.GaussianBlur(image, (0, 0), 1.0) + rng.normal(0, 1, image.shape)
    if grey:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def changed(image, kind, seed=0, by=12, **kwargs):
    return np.abs(occlude(image, LANDMARKS, kind, seed=seed, **kwargs).astype(int) - image).max(axis=2) > by


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_the_same_for_a_seed_and_leaves_its_input(kind):
    image = portrait()
    before = image.copy()
    first, again = (occlude(image, LANDMARKS, kind, seed=7) for _ in range(2))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(first, image)
    assert (first != image).any()
    other = occlude(image, LANDMARKS, kind, seed=8)
    assert (other != first).any()
    np.testing.assert_array_equal(occlude(image, LANDMARKS, kind, seed=7, strength=0), image)
    generator = np.random.Generator(np.random.PCG64(7))
    np.testing.assert_array_equal(occlude(image, LANDMARKS.tolist(), kind, seed=generator), first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "shift"), [((64, 48), (-100.0, -60.0)), ((40, 300), (0.0, -90.0)), ((256, 256), (110.0, 120.0))]
)
def test_faces_at_and_over_the_edge(kind, size, shift):
    image = portrait()[: size[0], : min(size[1], 256)]
    result = occlude(image, LANDMARKS + np.array(shift), kind, seed=1)
    assert result.shape == image.shape


@pytest.mark.parametrize("kind", KINDS)
def test_small_and_large_faces(kind):
    for size in (24, 700):
        factor = size / 256
        image = cv2.resize(portrait(), (size, size), interpolation=cv2.INTER_AREA)
        assert (occlude(image, LANDMARKS * factor, kind, seed=2) != image).any()


@pytest.mark.parametrize("kind", ON_THE_HEAD)
def test_what_is_worn_leaves_the_rest_of_the_picture_alone(kind):
    image = portrait()
    result = occlude(image, LANDMARKS, kind, seed=3)
    np.testing.assert_array_equal(result[-20:], image[-20:])  # below the chin
    assert changed(image, kind, seed=3).mean() > 0.001


def test_each_thing_lies_where_it_is_worn():
    image = portrait()
    rows = {kind: np.flatnonzero(changed(image, kind).any(axis=1)) for kind in ON_THE_HEAD}
    middle = {kind: np.nonzero(changed(image, kind))[0].mean() for kind in ON_THE_HEAD}
    eyes, nose, mouth = LANDMARKS[0, 1], LANDMARKS[2, 1], LANDMARKS[3, 1]
    assert nose < middle["surgical_mask"] < mouth + 20 * SCALE
    assert eyes < rows["surgical_mask"].min() + 8
    assert abs(middle["sunglasses"] - eyes) < 10 * SCALE
    assert middle["motorbike_helmet"] < eyes
    assert middle["non_la"] < eyes
    for side in (0, 1):
        x, y = (int(v) for v in LANDMARKS[side])
        assert changed(image, "sunglasses")[y, x]
        assert not changed(image, "surgical_mask")[y, x]
    x, y = (int(v) for v in LANDMARKS[2])
    assert changed(image, "surgical_mask")[y, x]


def mask_seed(least, most):
    """A seed whose mask on an evenly lit face has a mean level in this range."""
    image = portrait()
    for seed in range(40):
        level = occlude(image, LANDMARKS, "surgical_mask", seed=seed)[125:150, 115:141].mean()
        if least < level < most:
            return seed
    raise AssertionError("no such mask in 40 seeds")


def test_light_of_the_face_falls_on_the_mask():
    seed = mask_seed(165, 200)
    means = []
    for slope in (-0.7, 0.7):
        mask = occlude(portrait(110, slope), LANDMARKS, "surgical_mask", seed=seed)[125:150].mean(axis=(0, 2))
        means.append(mask[150:165].mean() / mask[92:107].mean())
    assert means[0] < 0.92
    assert means[1] > 1.08
    dim, bright = (
        occlude(portrait(level), LANDMARKS, "surgical_mask", seed=seed)[130:145, 118:138].mean()
        for level in (60, 140)
    )
    assert dim < 0.6 * bright


def test_things_in_a_grey_picture_are_grey():
    image = portrait(grey=True)
    for kind in ("surgical_mask", "motorbike_helmet", "non_la", "sunglasses"):
        for seed in range(3):
            assert np.ptp(occlude(image, LANDMARKS, kind, seed=seed).astype(int), axis=2).max() <= 3


def test_a_blurred_picture_gets_a_blurred_mask():
    seed = mask_seed(0, 70)
    sharp = portrait()
    steepest = []
    for image in (sharp, cv2.GaussianBlur(sharp, (0, 0), 3)):
        result = occlude(image, LANDMARKS, "surgical_mask", seed=seed).astype(float).mean(axis=2)
        steepest.append(np.abs(np.diff(result[100:125, 128])).max())
    assert steepest[1] < 0.6 * steepest[0]


def test_a_shadow_lies_under_the_brim():
    image = portrait()
    result = occlude(image, LANDMARKS, "non_la", seed=0).astype(float)
    forehead, chin = (np.s_[row : row + 6, 118:138] for row in (92, 175))
    assert result[forehead].mean() < 0.9 * image[forehead].mean()
    assert result[chin].mean() > 0.93 * image[chin].mean()


def test_night_is_grey_and_backlight_parts_face_and_background():
    image = portrait()
    night = occlude(image, LANDMARKS, "night_infrared", seed=0)
    assert np.ptp(night.astype(int), axis=2).max() <= 1
    backlit = occlude(image, LANDMARKS, "backlight", seed=0).astype(float)
    face, wall = np.s_[80:160, 100:156], np.s_[10:120, 5:40]
    assert backlit[face].mean() < 0.8 * image[face].mean()
    assert backlit[wall].mean() > 1.5 * image[wall].mean()


def test_cctv_has_few_pixels_and_rain_little_contrast():
    rng = np.random.default_rng(0)
    image = np.clip(portrait() + rng.normal(0, 25, (256, 256, 1)), 0, 255).astype(np.uint8)
    coarse = occlude(image, LANDMARKS, "cctv", seed=0).astype(float)
    # Nothing finer than the few pixels is left.
    fine = coarse - cv2.GaussianBlur(coarse, (0, 0), 1.5)
    assert fine.std() < 0.35 * (image - cv2.GaussianBlur(image.astype(float), (0, 0), 1.5)).std()
    wet = occlude(portrait(), LANDMARKS, "rain", seed=0).astype(float)
    assert wet.std() < portrait().astype(float).std()


@pytest.mark.parametrize("kind", ["make_up", "night_infrared", "backlight", "rain", "sunglasses"])
def test_half_the_strength_changes_less(kind):
    image = portrait()
    half, full = (
        np.abs(occlude(image, LANDMARKS, kind, seed=4, strength=s).astype(float) - image).mean()
        for s in (0.4, 1)
    )
    assert half < full


def test_a_mask_worn_low_leaves_the_nose_free():
    x, y = (int(v) for v in LANDMARKS[2])
    assert not changed(portrait(), "surgical_mask", strength=0.2)[y - 6, x]
    assert changed(portrait(), "surgical_mask", strength=1.0)[y - 6, x]


def test_wrong_arguments_are_named():
    image = portrait()
    with pytest.raises(
        ConfigError, match=r"unknown kind of occlusion: expected surgical_mask, .*, got scarf"
    ):
        occlude(image, LANDMARKS, "scarf", seed=0)
    with pytest.raises(ConfigError, match=r"strength of an occlusion is wrong: expected 0 to 1, got 1\.5"):
        occlude(image, LANDMARKS, "rain", seed=0, strength=1.5)
    with pytest.raises(DataError, match=r"cannot draw on a picture: expected \(H, W, 3\) uint8, got .*float"):
        occlude(image.astype(np.float32), LANDMARKS, "rain", seed=0)
    with pytest.raises(DataError, match="landmarks have the wrong shape"):
        occlude(image, LANDMARKS[:3], "rain", seed=0, strength=0)


def test_augmentation_is_decided_by_its_key():
    image = portrait()
    always, never = RegionalOcclusion(p=1.0), RegionalOcclusion(p=0.0)
    np.testing.assert_array_equal(never(image, LANDMARKS, (1, 2, 3)), image)
    first = always(image, LANDMARKS, (0, 1, 5))
    np.testing.assert_array_equal(first, RegionalOcclusion(p=1.0)(image, LANDMARKS, (0, 1, 5)))
    assert (always(image, LANDMARKS, (0, 2, 5)) != first).any()


def test_augmentation_keeps_its_share_and_weights():
    image = cv2.resize(portrait(), (48, 48), interpolation=cv2.INTER_AREA)
    some = RegionalOcclusion({"night_infrared": 3.0, "cctv": 1.0}, p=0.5)
    results = [some(image, LANDMARKS * 48 / 256, (0, 0, i)) for i in range(240)]
    drawn = [r for r in results if (r != image).any()]
    night = sum(np.ptp(r.astype(int), axis=2).mean() < 25 for r in drawn)
    assert len(drawn) / 240 == pytest.approx(0.5, abs=0.1)
    assert night / len(drawn) == pytest.approx(0.75, abs=0.12)


def test_wrong_augmentations_are_named():
    with pytest.raises(ConfigError, match="unknown kind of occlusion"):
        RegionalOcclusion(["rain", "snow"])
    with pytest.raises(ConfigError, match="the kinds of occlusion have no weights"):
        RegionalOcclusion([])
    with pytest.raises(ConfigError, match="the kinds of occlusion have no weights"):
        RegionalOcclusion({"rain": -1.0})
    with pytest.raises(ConfigError, match="the limits of an occlusion are wrong: expected p from 0 to 1"):
        RegionalOcclusion(p=1.2)
    with pytest.raises(ConfigError, match="an augmentation key is negative"):
        RegionalOcclusion()(portrait(), LANDMARKS, (0, -1))
