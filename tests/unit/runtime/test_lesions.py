"""The share of a leaf that is not its own green, on planted lesions, and what a predictor makes of it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from vnvision.hub import reason
from vnvision.imaging import Preprocessor
from vnvision.records import BundleManifest, Calibration, LesionRule
from vnvision.runtime import load_bundle
from vnvision.runtime.lesions import LOOKS_HEALTHY, lesion_share, with_healthy
from vnvision.spec import PreprocessSpec

SPEC = PreprocessSpec(size_px=(224, 224))
PAPER, GREEN, BROWN, STRAW, BLACK = (
    (236, 232, 226),
    (104, 148, 34),
    (112, 62, 38),
    (212, 188, 140),
    (44, 36, 38),
)


def blade(green=GREEN, light=1.0, seed=0):
    """A blade across the crop, 90 of 224 rows high, lit from above: (224, 224, 3) float."""
    rng = np.random.default_rng(seed)
    picture = np.tile(np.array(PAPER, float), (224, 224, 1))
    ribs = 1 + 0.07 * np.sin(np.arange(90) / 2.5) - np.linspace(0, 0.2, 90)
    picture[70:160] = np.array(green) * ribs[:, None, None]
    return picture * light + rng.normal(0, 2, (224, 224, 1))


def spots(picture, colour, count, radius, light=1.0):
    """Round lesions apart from each other, inside the blade; gives their area over the blade's."""
    mask = np.zeros((224, 224), np.uint8)
    for index in range(count):
        cv2.circle(mask, (20 + (index * 37) % 185, 85 + (index * 23) % 60), radius, 1, cv2.FILLED)
    picture[mask > 0] = np.array(colour) * light
    return picture, mask.sum() / (90 * 224)


def taken(picture):
    return np.clip(picture, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("green", [(104, 148, 34), (60, 110, 40), (150, 170, 50), (120, 150, 90)])
@pytest.mark.parametrize("light", [0.6, 1.0])
def test_a_clean_blade_has_no_lesion_whatever_its_green_and_light(green, light):
    assert lesion_share(taken(blade(green, light)), SPEC) < 0.001


@pytest.mark.parametrize("colour", [BROWN, STRAW, BLACK], ids=["brown", "straw", "black"])
@pytest.mark.parametrize(("count", "radius"), [(3, 4), (6, 6), (4, 12)])
@pytest.mark.parametrize("light", [0.7, 1.0])
def test_planted_lesions_are_measured(colour, count, radius, light):
    picture, planted = spots(blade(light=light), colour, count, radius, light)
    assert lesion_share(taken(picture), SPEC) == pytest.approx(planted, rel=0.35)


@pytest.mark.parametrize("glint", [(190, 205, 230), (100, 180, 170), (120, 160, 220)])
def test_a_glint_of_the_sky_is_no_lesion(glint):
    picture, _ = spots(blade(), glint, 5, 6)
    assert lesion_share(taken(picture), SPEC) < 0.001


def test_a_purple_spot_is_one():
    picture, planted = spots(blade(), (96, 40, 84), 5, 6)
    assert lesion_share(taken(picture), SPEC) == pytest.approx(planted, rel=0.35)


def test_white_balance_and_compression_change_little():
    picture, planted = spots(blade(), BROWN, 5, 7)
    warm = taken(picture * [1.06, 1.0, 0.92])
    jpeg = cv2.imdecode(cv2.imencode(".jpg", taken(picture), [1, 60])[1], 1)
    cold = taken(picture * [0.92, 1.0, 1.06])
    for other in (warm, cold, jpeg):
        assert lesion_share(other, SPEC) == pytest.approx(planted, rel=0.4)
    for tint in ([1.06, 1.0, 0.92], [0.92, 1.0, 1.06]):
        assert lesion_share(taken(blade() * tint), SPEC) < 0.001
    clean = cv2.imdecode(cv2.imencode(".jpg", taken(blade()), [1, 60])[1], 1)
    assert lesion_share(clean, SPEC) < 0.001


def test_the_order_of_colours_and_the_range_do_not_matter():
    picture = taken(spots(blade(), BROWN, 5, 7)[0])
    right = lesion_share(picture, SPEC)
    bgr = SPEC.model_copy(update={"colour": "bgr"})
    assert lesion_share(picture[..., ::-1], bgr) == right
    unit = PreprocessSpec(size_px=(224, 224), input_dtype="float32", input_range=(0, 1))
    assert lesion_share(picture.astype(np.float32) / 255, unit) == pytest.approx(right, abs=1e-4)


def test_without_green_there_is_nothing_to_compare_with():
    straw = blade(STRAW)
    assert lesion_share(taken(straw), SPEC) is None
    assert lesion_share(np.full((224, 224, 3), 240, np.uint8), SPEC) is None
    grey = PreprocessSpec(size_px=(224, 224), colour="grey", mean=(0.0,), std=(1.0,))
    assert lesion_share(taken(blade())[..., :1], grey) is None


def test_a_leaf_that_lost_most_of_its_green_does_not_look_healthy():
    picture = blade()
    picture[70:160, 60:] = STRAW
    assert lesion_share(taken(picture), SPEC) > 0.5


def test_what_is_refused_already_is_not_called_healthy():
    clean, sick = taken(blade()), taken(spots(blade(), BROWN, 5, 7)[0])
    rule = LesionRule(least_share=0.002)
    assert with_healthy(None, [clean, sick], SPEC, rule) == [(LOOKS_HEALTHY,), ()]
    gate = [("out_of_scope",), ("too_dark",)]
    assert with_healthy(gate, [clean, sick], SPEC, rule) == gate
    assert gate == [("out_of_scope",), ("too_dark",)]


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_limit_is_a_share(share):
    with pytest.raises(ValidationError, match="least_share"):
        LesionRule(least_share=share)


def test_a_predictor_abstains_and_still_tells_the_probabilities(make_bundle):
    rule = LesionRule(least_share=0.002, fitted_on="drawn blades")
    with_rule = load_bundle(make_bundle(calibration=Calibration(lesions=rule), geometry="strips"))
    without = load_bundle(make_bundle(geometry="strips"))
    assert (
        BundleManifest.load(make_bundle(calibration=Calibration(lesions=rule)) / "manifest.json")
        .targets["onnx"]
        .calibration.lesions
        == rule
    )
    clean = cv2.resize(taken(blade()), (700, 224))
    sick = cv2.resize(taken(spots(blade(), STRAW, 4, 20)[0]), (700, 224))
    # The crop of this small model is 8 x 6 pixels: the measure is of what the model takes in.
    crop = Preprocessor(with_rule.task.preprocess).geometry(sick)
    assert lesion_share(crop, with_rule.task.preprocess) > 0.002
    answer, plain = with_rule.predict(clean), without.predict(clean)
    assert (answer.abstained, answer.reasons) == (True, (LOOKS_HEALTHY,))
    assert not plain.abstained
    assert answer.probabilities == plain.probabilities
    assert with_rule.predict(sick).reasons == ()
    assert [one.reasons for one in with_rule.predict_many([clean, sick])] == [(LOOKS_HEALTHY,), ()]
    assert reason(LOOKS_HEALTHY).why.en.startswith("Hardly a lesion is seen")


def test_a_bundle_from_before_loads(make_bundle, reseal):
    folder = make_bundle()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for target in manifest["targets"].values():
        assert target["calibration"].pop("lesions") is None
    reseal(folder, manifest)
    assert load_bundle(folder).calibration.lesions is None
