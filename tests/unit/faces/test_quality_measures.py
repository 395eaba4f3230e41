"""Each measure moves the right way on controlled degradations of a drawn face."""

from __future__ import annotations

import cv2
import drawing
import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.faces.quality import Quality, QualityGate, assess, measure, with_quality
from vnvision.faces.quality.score import PARTS, combined_score
from vnvision.records import Face

SIZE = 256
# Eyes, nose tip and mouth corners as the drawing has them, in shares of its side.
PLACES = np.array([[0.405, 0.458], [0.595, 0.458], [0.5, 0.575], [0.435, 0.68], [0.565, 0.68]])


def face_at(size=SIZE, shift=(0, 0), score=0.94):
    points = PLACES * size + np.array(shift)
    x0, y0 = np.array([0.275, 0.2]) * size + shift
    x1, y1 = np.array([0.725, 0.8]) * size + shift
    return Face(box_xyxy_px=(x0, y0, x1, y1), landmarks_px=tuple(map(tuple, points.tolist())), score=score)


@pytest.fixture(scope="module")
def picture():
    return drawing.face(SIZE)


def value(image, name, face=None):
    return measure(image, face or face_at()).values[name]


def gain(image, by):
    return np.clip(image * float(by), 0, 255).astype(np.uint8)


def test_a_clean_face_scores_high_and_every_value_is_in_range(picture):
    quality = measure(picture, face_at())
    assert quality.score > 70
    for name in ("mean_luminance", "under_exposed", "over_exposed", "bright_level", "contrast", "evenness"):
        assert 0 <= quality.values[name] <= 1
    assert quality.values["completeness"] == 1
    assert quality.values["detector_score"] == 0.94
    assert quality.values["inter_eye_distance_px"] == pytest.approx(0.19 * SIZE)
    assert max(abs(quality.values[name]) for name in ("yaw_deg", "roll_deg")) < 1
    assert quality.values["grey"] == 0
    assert Quality.from_json(quality.to_json()) == quality
    known = with_quality(picture, face_at()).quality
    assert known == {"score": quality.score, **quality.values}


def test_sharpness_falls_with_blur_and_with_scaling_up_and_not_with_light(picture):
    blurred = [value(cv2.GaussianBlur(picture, (0, 0), s), "sharpness") for s in (0.01, 1, 2, 4)]
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[-1] < 0.8 * blurred[0]
    small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    up = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    assert value(up, "sharpness") < 0.85 * blurred[0]
    assert value(gain(picture, 0.6), "sharpness") == pytest.approx(blurred[0], rel=0.1)


def test_sharpness_does_not_depend_on_the_size_of_a_large_face():
    # The same scene, photographed with more and more pixels.
    scene = drawing.face(1024)
    sizes = {
        size: cv2.resize(scene, (size, size), interpolation=cv2.INTER_AREA) for size in (1024, 683, 512, 341)
    }
    found = [value(image, "sharpness", face_at(size)) for size, image in sizes.items()]
    assert max(found) < 1.25 * min(found)


def test_exposure_moves_with_light(picture):
    dark, bright = gain(picture, 0.04), gain(picture, 2.5)
    assert value(dark, "under_exposed") > 0.2 > value(picture, "under_exposed")
    assert value(bright, "over_exposed") > 0.5 > value(picture, "over_exposed")
    assert value(dark, "bright_level") < 0.1 < value(picture, "bright_level")
    levels = [value(gain(picture, by), "mean_luminance") for by in (0.2, 0.5, 1.0)]
    assert levels == sorted(levels)
    assert value(gain(picture, 0.5), "mean_luminance") == pytest.approx(levels[2] / 2, abs=0.01)


def test_values_of_a_plain_picture_are_the_written_out_ones():
    plain = np.full((SIZE, SIZE, 3), 128, np.uint8)
    values = measure(plain, face_at()).values
    assert values["mean_luminance"] == pytest.approx(128 / 255)
    assert values["bright_level"] == pytest.approx(128 / 255)
    assert (values["dynamic_range"], values["contrast"], values["evenness"]) == (0, 0, 1)
    assert (values["grey"], values["colourfulness"], values["sharpness"]) == (1, 0, 0)
    half = plain.copy()
    half[:, SIZE // 2 :] = 64
    values = measure(half, face_at()).values
    assert values["evenness"] == pytest.approx(65 / 129, abs=0.02)
    assert values["dynamic_range"] == pytest.approx(1, abs=0.15)
    assert values["contrast"] == pytest.approx((128 - 64) / (128 + 64), abs=0.01)
    red = np.zeros((SIZE, SIZE, 3), np.uint8)
    red[:, :, 0] = 100
    # No spread; mean of red - green is 100, of (red + green) / 2 - blue 50.
    assert measure(red, face_at()).values["colourfulness"] == pytest.approx(0.3 * np.hypot(100, 50), rel=1e-4)


def test_haze_lowers_contrast_and_dynamic_range_and_a_gain_leaves_contrast(picture):
    hazy = (picture * 0.2 + 150).astype(np.uint8)
    assert value(hazy, "contrast") < 0.5 * value(picture, "contrast")
    assert value(hazy, "dynamic_range") < value(picture, "dynamic_range") - 1
    assert value(gain(picture, 0.5), "contrast") == pytest.approx(value(picture, "contrast"), abs=0.03)


def test_light_from_one_side_is_uneven(picture):
    found = []
    for least in (1.0, 0.6, 0.2):
        side = np.linspace(least, 1, SIZE)[None, :, None]
        found.append(value((picture[:, ::-1] * side).astype(np.uint8), "evenness"))
    assert found == sorted(found, reverse=True)
    mirrored = gain(picture[:, ::-1], 1)
    assert value(mirrored, "evenness") == pytest.approx(value(picture, "evenness"), abs=0.02)


def test_a_dark_skin_in_good_light_loses_nothing_by_its_tone():
    light, dark = drawing.face(SIZE), drawing.face(SIZE, tone=(92, 62, 46))
    first, other = measure(light, face_at()), measure(dark, face_at())
    assert other.values["mean_luminance"] < 0.6 * first.values["mean_luminance"]
    assert other.values["under_exposed"] < 0.02
    assert other.values["bright_level"] > 0.6
    assert other.score > first.score - 3
    assert "too_dark" not in [reason.code for reason in QualityGate("enrol").check(other).reasons]
    dim = measure(gain(light, 0.15), face_at())
    assert "too_dark" in [reason.code for reason in QualityGate("enrol").check(dim).reasons]


def test_completeness_is_the_share_of_the_head_in_the_picture(picture):
    whole = value(picture, "completeness")
    half = value(picture[:, SIZE // 2 :], "completeness", face_at(shift=(-SIZE // 2, 0)))
    assert whole == 1
    assert half == pytest.approx(0.5, abs=0.03)
    shares = [value(picture[: SIZE - cut], "completeness") for cut in (0, 60, 80, 100)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.9


def test_pose_of_a_tilted_drawing_is_its_tilt(picture):
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), -20, 1.0)  # clockwise
    points = PLACES * SIZE @ turn[:, :2].T + turn[:, 2]
    tilted = face_at().model_copy(update={"landmarks_px": tuple(map(tuple, points.tolist()))})
    image = cv2.warpAffine(picture, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    assert value(image, "roll_deg", tilted) == pytest.approx(20, abs=0.5)
    assert measure(image, tilted).score < measure(picture, face_at()).score


@pytest.mark.parametrize("colour", [(250, 250, 250), (20, 20, 24), (90, 140, 200), (60, 110, 90)])
def test_a_cover_over_the_mouth_lowers_its_visibility(picture, colour):
    covered = picture.copy()
    cv2.ellipse(covered, (128, 176), (56, 42), 0, 0, 360, colour, -1)
    assert value(picture, "mouth_visibility") == 1
    assert value(covered, "mouth_visibility") < 0.5
    assert value(covered, "eye_visibility") == value(picture, "eye_visibility")
    grey = cv2.cvtColor(covered, cv2.COLOR_RGB2GRAY)
    assert value(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), "mouth_visibility") > 0.8
    assert value(grey, "mouth_visibility") < 0.5


def test_sunglasses_and_a_band_over_the_eyes_lower_their_visibility(picture):
    dark, band = picture.copy(), picture.copy()
    for x in PLACES[:2, 0] * SIZE:
        cv2.ellipse(dark, (int(x), int(0.458 * SIZE)), (26, 21), 0, 0, 360, (8, 8, 9), -1)
    cv2.rectangle(band, (60, 95), (196, 140), (210, 176, 146), -1)
    assert value(picture, "eye_visibility") > 0.8
    assert value(dark, "eye_visibility") < 0.25
    assert value(band, "eye_visibility") < 0.25
    assert value(dark, "mouth_visibility") == value(picture, "mouth_visibility")


@pytest.mark.parametrize("shape", ["two", "one"])
def test_grey_pictures_of_either_shape_are_measured(picture, shape):
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    values = measure(grey if shape == "two" else grey[:, :, None], face_at()).values
    three = measure(np.repeat(grey[:, :, None], 3, axis=2), face_at()).values
    assert values == three
    assert values["grey"] == 1
    assert values["colourfulness"] == 0


def test_tiny_pictures_and_faces_over_the_border_are_measured():
    tiny = cv2.resize(drawing.face(SIZE), (12, 12), interpolation=cv2.INTER_AREA)
    small = measure(tiny, face_at(12))
    assert small.score < 60
    assert small.values["inter_eye_distance_px"] == pytest.approx(0.19 * 12)
    corner = drawing.face(SIZE)[150:, 150:]
    quality = measure(corner, face_at(shift=(-150, -150)))
    assert np.isfinite(list(quality.values.values())).all()
    assert quality.values["completeness"] < 0.5
    black = measure(np.zeros((64, 64, 3), np.uint8), face_at(64))
    assert black.values["under_exposed"] == 1
    assert 0 <= black.score < 30
    white = measure(np.full((64, 64, 3), 255, np.uint8), face_at(64))
    assert white.values["over_exposed"] == 1
    assert np.isfinite(list(white.values.values())).all()


def test_a_picture_is_not_written_to(picture):
    before = picture.copy()
    measure(picture, face_at())
    np.testing.assert_array_equal(picture, before)


def test_many_at_once_in_order(picture):
    dark = gain(picture, 0.1)
    found = assess([picture, picture, dark], [(face_at(), face_at(score=0.8)), (), (face_at(),)])
    assert [len(some) for some in found] == [2, 0, 1]
    assert found[0][0] == measure(picture, face_at())
    assert found[2][0] == measure(dark, face_at())
    with pytest.raises(DataError, match="faces do not fit the images: expected 1, got 2"):
        assess([picture], [(), ()])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros(8),
    ],
)
def test_other_arrays_are_refused(image):
    with pytest.raises(DataError, match=r"cannot be measured on this array: expected \(H, W\)"):
        measure(image, face_at())


def test_faces_of_another_picture_are_refused(picture):
    with pytest.raises(
        DataError, match="the face lies outside its picture: expected landmarks within 256 x 256"
    ):
        measure(picture, face_at(shift=(2000, 0)))
    point = Face(box_xyxy_px=(0, 0, 9, 9), landmarks_px=((5, 5),) * 5, score=0.9)
    with pytest.raises(DataError, match="landmarks do not span a face"):
        measure(picture, point)


def best_values():
    return {name: part.best for name, part in PARTS.items()}


def test_the_score_is_the_weighted_geometric_mean_of_ramps():
    assert combined_score(best_values()) == pytest.approx(100)
    total = sum(part.weight for part in PARTS.values())
    for name, part in PARTS.items():
        middle = best_values() | {name: (part.worst + part.best) / 2}
        assert combined_score(middle) == pytest.approx(100 * 0.5 ** (part.weight / total))
        assert combined_score(best_values() | {name: part.worst}) == pytest.approx(
            100 * 0.01 ** (part.weight / total)
        )
        beyond = part.best + (part.best - part.worst)
        if not name.endswith("_deg"):
            assert combined_score(best_values() | {name: beyond}) == pytest.approx(100)
    turned = best_values() | {"yaw_deg": -30.0}
    assert combined_score(turned) == combined_score(best_values() | {"yaw_deg": 30.0}) < 100
    with pytest.raises(DataError, match=r"a quality score needs every measure: .*got no \['sharpness'\]"):
        combined_score({name: v for name, v in best_values().items() if name != "sharpness"})


@pytest.mark.parametrize("worse", ["blur", "dark", "bright", "small", "side", "mouth", "detector"])
def test_every_degradation_lowers_the_score(picture, worse):
    image, face = picture, face_at()
    if worse == "blur":
        image = cv2.GaussianBlur(picture, (0, 0), 5)
    elif worse in ("dark", "bright"):
        image = gain(picture, 0.06 if worse == "dark" else 3)
    elif worse == "small":
        image, face = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA), face_at(64)
    elif worse == "side":
        image = (picture * np.linspace(0, 1, SIZE)[None, ::-1, None] ** 2).astype(np.uint8)
    elif worse == "mouth":
        image = picture.copy()
        cv2.ellipse(image, (128, 176), (56, 42), 0, 0, 360, (240, 240, 250), -1)
    else:
        face = face_at(score=0.88)
    assert measure(image, face).score < measure(picture, face_at()).score - 1
