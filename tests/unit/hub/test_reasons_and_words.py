"""Why there is no answer, and probabilities in words."""

from __future__ import annotations

import math
import re
import unicodedata

import pytest

from vnvision.errors import ConfigError
from vnvision.hub import probability_words, reason, scale_legend
from vnvision.hub.reasons import REASONS
from vnvision.hub.words import SCALE, SCALE_SOURCE

CODES = (
    "low_confidence",
    "out_of_scope",
    "no_expert",
    "too_blurred",
    "too_dark",
    "too_bright",
    "looks_healthy",
)


def test_the_codes_are_those_of_a_prediction() -> None:
    assert tuple(one.code for one in REASONS) == CODES
    assert reason("too_wet") is None


@pytest.mark.parametrize("code", CODES)
def test_a_reason_says_why_and_what_next(code: str) -> None:
    found = reason(code)
    for language, ask in (("vi", "cán bộ khuyến nông|chụp"), ("en", "extension officer|again")):
        assert found.why.text(language).endswith(".")
        assert re.search(ask, found.next_step("crop", language), re.I)
        assert re.search("bác sĩ|doctor", found.next_step("clinic", language), re.I)
    for line in (found.why, found.crop, found.clinic):
        assert line.vi == unicodedata.normalize("NFC", line.vi)
        assert line.vi != line.en


def test_picture_faults_tell_how_to_take_it_again() -> None:
    assert "ban ngày" in reason("too_dark").next_step("crop", "vi")
    assert "daylight" in reason("too_dark").next_step("crop", "en")
    assert "giữ chắc tay" in reason("too_blurred").next_step("crop", "vi")
    assert "hold still" in reason("too_blurred").next_step("crop", "en")
    assert "gần hơn" in reason("low_confidence").next_step("crop", "vi")


def test_no_answer_is_not_a_normal_result() -> None:
    assert "không có nghĩa là bình thường" in reason("low_confidence").next_step("clinic", "vi")
    assert "does not mean normal" in reason("low_confidence").next_step("clinic", "en")


def test_an_unknown_domain_or_language() -> None:
    with pytest.raises(ConfigError, match="unknown domain: expected crop or clinic, got 'face'"):
        reason("too_dark").next_step("face", "vi")
    with pytest.raises(ConfigError, match="unknown language: expected vi or en, got 'fr'"):
        reason("too_dark").why.text("fr")


@pytest.mark.parametrize(
    ("probability", "en", "vi"),
    [
        (0.0, "very unlikely", "rất ít khả năng"),
        (0.0999999, "very unlikely", "rất ít khả năng"),
        (0.10, "unlikely", "ít khả năng"),
        (0.3299999, "unlikely", "ít khả năng"),
        (0.33, "about as likely as not", "có thể có, có thể không"),
        (0.5, "about as likely as not", "có thể có, có thể không"),
        (0.6599999, "about as likely as not", "có thể có, có thể không"),
        (0.66, "likely", "nhiều khả năng"),
        (0.8999999, "likely", "nhiều khả năng"),
        (0.90, "very likely", "rất nhiều khả năng"),
        (1.0, "very likely", "rất nhiều khả năng"),
    ],
)
def test_words_at_the_borders(probability: float, en: str, vi: str) -> None:
    assert probability_words(probability, "en") == en
    assert probability_words(probability, "vi") == vi


@pytest.mark.parametrize("probability", [-0.001, 1.001, math.nan, math.inf])
def test_no_words_for_what_is_no_probability(probability: float) -> None:
    with pytest.raises(ConfigError, match=r"must lie between 0 and 1: expected 0\.\.1"):
        probability_words(probability, "en")


def test_no_words_in_another_language() -> None:
    with pytest.raises(ConfigError, match="unknown language"):
        probability_words(0.5, "fr")


def test_the_legend_states_every_cut_point_and_the_scale_its_source() -> None:
    assert scale_legend("en") == (
        "very unlikely 0–10%; unlikely 10–33%; about as likely as not 33–66%; "
        "likely 66–90%; very likely 90–100%"
    )
    assert scale_legend("vi").endswith("rất nhiều khả năng 90–100%")
    assert scale_legend("vi").count(";") == len(SCALE) - 1
    assert SCALE_SOURCE.year == 2010
    assert "adapted" in SCALE_SOURCE.title
