from __future__ import annotations

import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.faces.quality import LIMITS, Limits, Quality, QualityGate, Reason, Verdict
from vnvision.faces.quality.texts import TEXTS
from vnvision.records import Face

GOOD = {
    "bright_level": 0.8,
    "under_exposed": 0.0,
    "over_exposed": 0.0,
    "evenness": 0.9,
    "sharpness": 0.8,
    "contrast": 0.5,
    "inter_eye_distance_px": 90.0,
    "yaw_deg": 0.0,
    "pitch_deg": 0.0,
    "roll_deg": 0.0,
    "completeness": 1.0,
    "mouth_visibility": 1.0,
    "eye_visibility": 1.0,
    "detector_score": 0.95,
}
# Code -> the measures that alone bring it about, past both gates' limits.
BAD = {
    "too_dark": {"bright_level": 0.1},
    "too_bright": {"over_exposed": 0.5},
    "uneven_light": {"evenness": 0.2},
    "blurred": {"sharpness": 0.3},
    "low_contrast": {"contrast": 0.05},
    "too_small": {"inter_eye_distance_px": 12.0},
    "turned": {"yaw_deg": -50.0},
    "looking_up": {"pitch_deg": 45.0},
    "looking_down": {"pitch_deg": -45.0},
    "tilted": {"roll_deg": 60.0},
    "cut_off": {"completeness": 0.5},
    "mouth_covered": {"mouth_visibility": 0.2},
    "eyes_covered": {"eye_visibility": 0.1},
    "face_unclear": {"detector_score": 0.72},
}


def quality(score=90.0, **changes):
    return Quality(score=score, values=GOOD | changes)


def codes(verdict):
    return [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize("purpose", ["enrol", "verify"])
def test_a_good_picture_passes(purpose):
    assert QualityGate(purpose).check(quality()) == Verdict(accepted=True)


@pytest.mark.parametrize("purpose", ["enrol", "verify"])
@pytest.mark.parametrize("code", BAD)
def test_each_reason_alone(purpose, code):
    verdict = QualityGate(purpose).check(quality(**BAD[code]))
    assert not verdict.accepted
    assert codes(verdict) == [code]
    (measure,) = BAD[code]
    assert (verdict.reasons[0].measure, verdict.reasons[0].value) == (measure, BAD[code][measure])


def test_every_code_is_tested_and_has_every_text():
    assert set(TEXTS) == {*BAD, "poor_overall"}
    for code, texts in TEXTS.items():
        for part, text in texts._asdict().items():
            assert text.strip() == text != "", f"{code} has no {part}"
            assert text[0].islower(), f"{code} {part}: a phrase, not a sentence"
            assert not text.endswith("."), f"{code} {part}: a phrase, not a sentence"
        assert texts.vi != texts.en
        assert texts.advice_vi != texts.advice_en
        assert texts.advice_vi.startswith("hãy "), code
        assert not texts.en.isascii() or not texts.vi.isascii(), f"{code} lost its Vietnamese marks"
    for part in ("vi", "en"):
        assert len({getattr(texts, part) for texts in TEXTS.values()}) == len(TEXTS)


def test_texts_reach_the_reason():
    (reason,) = QualityGate().check(quality(roll_deg=60.0)).reasons
    assert (reason.text("vi"), reason.text("en")) == ("đầu bị nghiêng", "the head is tilted")
    assert reason.advice("vi") == "hãy giữ đầu thẳng, không nghiêng sang vai"
    assert reason.advice("en") == "hold the head upright, not towards a shoulder"
    (reason,) = QualityGate().check(quality(bright_level=0.05)).reasons
    assert (reason.text("vi"), reason.text("en")) == ("quá tối", "too dark")


def test_a_face_that_could_not_be_measured_is_unclear_and_no_error():
    face = Face(box_xyxy_px=(0, 0, 9, 9), landmarks_px=((1, 1),) * 5, score=0.9)
    verdict = QualityGate("enrol").check_face(face)
    assert not verdict.accepted
    assert codes(verdict) == ["face_unclear"]
    measured = face.model_copy(update={"quality": {"score": 90.0, **GOOD}})
    assert QualityGate("enrol").check_face(measured) == Verdict(accepted=True)


def test_a_low_score_alone_is_a_reason():
    verdict = QualityGate("verify").check(quality(score=10.0))
    assert codes(verdict) == ["poor_overall"]
    assert verdict.reasons[0].value == 10.0


def test_causes_come_before_the_overall_one_and_no_code_twice():
    verdict = QualityGate().check(quality(5.0, bright_level=0.1, under_exposed=0.9, yaw_deg=60.0))
    assert codes(verdict) == ["too_dark", "turned", "poor_overall"]


def test_in_bad_light_nobody_is_told_to_take_off_a_mask():
    for light in ({"bright_level": 0.1}, {"over_exposed": 0.6}, {"contrast": 0.01}):
        verdict = QualityGate().check(quality(mouth_visibility=0.0, eye_visibility=0.0, **light))
        assert len(verdict.reasons) == 1
        assert not verdict.accepted
    blurred = QualityGate().check(quality(mouth_visibility=0.0, sharpness=0.1))
    assert codes(blurred) == ["blurred", "mouth_covered"]


def test_a_dark_skin_in_good_light_is_not_too_dark():
    # No mean luminance, however low, is a reason.
    assert QualityGate("enrol").check(quality(mean_luminance=0.08)).accepted


@pytest.mark.parametrize("name", Limits.model_fields)
def test_enrolment_is_stricter_on_everything(name):
    strict, lax = getattr(LIMITS["enrol"], name), getattr(LIMITS["verify"], name)
    assert strict > lax if name.startswith("least_") else strict < lax


def test_limits_of_ones_own_count_and_the_limit_itself_passes():
    own = LIMITS["verify"].model_copy(update={"least_inter_eye_distance_px": 95.0})
    assert codes(QualityGate(limits=own).check(quality())) == ["too_small"]
    exact = own.model_copy(update={"least_inter_eye_distance_px": 90.0})
    assert QualityGate(limits=exact).check(quality()).accepted


def test_reasons_travel_as_json():
    verdict = QualityGate().check(quality(yaw_deg=70.0))
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert isinstance(verdict.reasons[0], Reason)


def test_an_unknown_purpose_and_a_missing_measure_are_refused():
    with pytest.raises(
        ConfigError, match="no such purpose of a quality gate: expected enrol or verify, got vip"
    ):
        QualityGate("vip")
    missing = Quality(score=90.0, values={k: v for k, v in GOOD.items() if k != "evenness"})
    with pytest.raises(DataError, match="a quality gate needs every measure: got no evenness"):
        QualityGate().check(missing)
