"""What a case says: the answer in words and number, or that there is none; advice; facts of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.hub import label_text, reason
from vnvision.records import Calibration, EmbeddingPrediction
from vnvision.report.cases import case_of

LANGUAGES = ("vi", "en")


def flat(case):
    """Every text of a case in one string."""
    verdict, advice = case.verdict, case.advice
    parts = [verdict.title, verdict.big, verdict.words, *verdict.lines, *verdict.alerts, *verdict.steps]
    parts += [text for bar in verdict.bars for text in (bar.name, bar.number)]
    parts += [advice.title, advice.review, *advice.sources]
    parts += [
        text for section in advice.sections for text in (section.title, *(s.text for s in section.said))
    ]
    parts += [text for fact in (*case.model.facts, *case.place) for text in (fact.name, fact.value)]
    parts += [case.model.notice, *case.model.warnings, case.picture.alt, case.picture.caption]
    parts += [case.drawn.alt, case.drawn.caption] if case.drawn else []
    return "\n".join([*parts, *(key.words for key in case.keys)])


def test_answer_has_its_probability_in_words_and_number(make, picture):
    facts = make.facts()
    answer = make.classes(facts, 0.93, 0.05, 0.02)
    vi, en = (case_of(picture, answer, facts, reference="1", language=one).verdict for one in LANGUAGES)
    assert (vi.big, vi.words) == ("Đốm góc lá", "Rất nhiều khả năng (93%)")
    assert (en.big, en.words) == ("Angular leaf spot", "Very likely (93%)")
    assert [(bar.name, bar.number, bar.strong) for bar in en.bars] == [
        ("angular leaf spot", "93%", True), ("bean rust", "5%", False), ("healthy", "2%", False),
    ]  # fmt: skip


@pytest.mark.parametrize(("share", "said"), [(0.9999, "over 99%"), (1.0, "over 99%"), (0.99, "99%")])
def test_no_page_claims_certainty(make, picture, share, said):
    facts = make.facts()
    case = case_of(picture, make.classes(facts, share, 1 - share, 0.0), facts, reference="1", language="en")
    assert said in case.verdict.words
    assert "100%" not in flat(case)
    assert case.verdict.bars[-1].number == "under 1%"


def test_many_labels_keep_their_sum(make, picture):
    from vnvision.spec import Label

    labels = tuple(Label(id=f"c{i}", en=f"class {i}") for i in range(9))
    facts = make.facts(labels=labels, texts=None)
    case = case_of(
        picture, make.classes(facts, 0.5, 0.1, 0.1, 0.1, 0.04, 0.04, 0.04, 0.04, 0.04), facts, reference="1",
        language="en",
    )  # fmt: skip
    assert len(case.verdict.bars) == 5
    assert (case.verdict.bars[-1].name, case.verdict.bars[-1].number) == ("5 other labels", "20%")


def test_thresholds_are_compared_and_an_overlooked_one_is_an_alert(make, picture):
    facts = make.malaria()
    over = case_of(picture, make.classes(facts, 0.02, 0.98), facts, reference="1", language="en").verdict
    assert over.lines == (
        "Parasitized 98.0%: at or above the threshold 9.6% (specificity 90%); at or above the threshold "
        "25.5% (specificity 95%).",
    )
    assert not over.alerts
    between = case_of(picture, make.classes(facts, 0.85, 0.15), facts, reference="1", language="vi").verdict
    assert between.big == "Không nhiễm"
    assert "đạt ngưỡng 9,6% (độ đặc hiệu 90%); dưới ngưỡng 25,5%" in between.lines[0]
    assert "nhiễm ký sinh trùng" in between.alerts[0]
    under = case_of(picture, make.classes(facts, 0.95, 0.05), facts, reference="1", language="vi").verdict
    assert not under.alerts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["low_confidence", "out_of_scope", "too_blurred", "too_dark", "too_bright"])
def test_a_clinic_sees_no_guess_and_is_told_what_to_do(make, picture, language, code):
    facts = make.malaria()
    heat = np.ones(picture.shape[:2], np.float32)
    answer = make.classes(facts, 0.04, 0.96, reasons=(code,))
    case = case_of(picture, answer, facts, reference="1", language=language, heatmap=heat)
    assert case.verdict.tone == "unsure"
    assert case.verdict.big == {"vi": "Không chắc chắn", "en": "Not sure"}[language]
    assert case.verdict.lines == (reason(code).why.text(language),)
    assert case.verdict.steps == (reason(code).next_step("clinic", language),)
    shown = flat(replace(case, model=replace(case.model, facts=())))
    assert not case.verdict.bars
    assert case.drawn is None
    assert not case.advice.sections
    for label in facts.task.labels:
        assert label.text(language) not in shown
    assert "96" not in shown
    assert (case.row.answer, case.row.probability, case.row.amounts) == ("", None, ())
    assert case.row.reasons == (code,)


@pytest.mark.parametrize(
    ("reasons", "guess"),
    [
        (("low_confidence",), True),
        (("out_of_scope",), False),
        (("too_dark", "low_confidence"), False),
        (("too_blurred",), False),
    ],
)
def test_a_farm_sees_a_guess_only_where_doubt_is_the_sole_reason(make, picture, reasons, guess):
    facts = make.facts()
    answer = make.classes(facts, 0.41, 0.36, 0.23, reasons=reasons)
    case = case_of(picture, answer, facts, reference="1", language="vi")
    assert bool(case.verdict.bars) == guess
    assert case.verdict.big == "Không chắc chắn"
    assert not any(bar.strong for bar in case.verdict.bars)
    assert not case.advice.sections
    if guess:
        assert "không phải câu trả lời" in case.verdict.bars_title
    assert not case.row.amounts


def test_a_reason_without_texts_shows_its_code(make, picture):
    facts = make.facts()
    case = case_of(picture, make.classes(facts, 1, 0, 0, reasons=("cosmic_ray",)), facts, reference="1")
    assert case.verdict.lines == ("cosmic_ray",)
    assert case.verdict.steps == ()


def test_an_unknown_domain_is_treated_as_a_clinic(make, picture):
    facts = make.facts(domain="other", texts=None)
    case = case_of(picture, make.classes(facts, 0.5, 0.3, 0.2), facts, reference="1", language="en")
    assert case.model.domain == "clinic"
    assert case.model.notice == "Research use, not a medical device"
    named = make.facts(domain=None)
    assert case_of(picture, make.classes(named, 1, 0, 0), named, reference="1").model.domain == "crop"


def test_multilabel_counts_labels_from_one_half_on(make, picture):
    facts = make.facts("multilabel")
    answer = make.classes(facts, 0.5, 0.49, 0.8, kind="multilabel")
    case = case_of(picture, answer, facts, reference="1", language="en")
    assert case.verdict.big == "Healthy, angular leaf spot"
    assert "50%" in case.verdict.lines[0]
    assert case.row.answer == "healthy; angular_leaf_spot"
    none = case_of(
        picture, make.classes(facts, 0.1, 0.2, 0.3, kind="multilabel"), facts, reference="1", language="vi"
    )
    assert none.verdict.big == "Không thấy nhãn nào"
    assert not none.advice.sections


def test_severity_stands_with_its_measured_error(make, picture):
    facts = make.leaf()
    mask = np.zeros((60, 80), np.uint8)
    mask[:30], mask[:6] = 1, 2
    answer = make.areas(facts, mask, 0.2)
    vi, en = (case_of(picture, answer, facts, reference="1", language=one) for one in LANGUAGES)
    assert vi.verdict.big == "20,0% diện tích bị bệnh"
    assert en.verdict.big == "20.0% of the area is diseased"
    assert "1.6 (1.3–2.0) percentage points" in en.verdict.lines[0]
    assert "Dice 0.93" in en.verdict.lines[1]
    assert [(bar.name, bar.number) for bar in en.verdict.bars] == [("leaf", "40.0%"), ("lesion", "10.0%")]
    assert en.row.severity == pytest.approx(0.2)
    unmeasured = make.leaf(report=False)
    told = case_of(picture, make.areas(unmeasured, mask, 0.2), unmeasured, reference="1", language="en")
    assert "has not been measured" in told.verdict.lines[0]


def test_nothing_found_is_not_called_healthy(make, picture):
    facts = make.leaf()
    empty = make.areas(facts, np.zeros((60, 80), np.uint8), None)
    case = case_of(picture, empty, facts, reference="1", language="en")
    assert case.verdict.big == "Lesion: not found"
    assert "Not found does not mean that there is none." in case.verdict.lines
    assert not case.advice.sections
    assert case.drawn is None
    cells = make.cells()
    none = case_of(picture, make.boxes(cells, []), cells, reference="1", language="vi")
    assert none.verdict.big == "Không tìm thấy hồng cầu, bạch cầu, tiểu cầu"
    assert "Không tìm thấy không có nghĩa là không có." in none.verdict.lines


def test_counts_stand_with_their_measured_error(make, picture):
    facts = make.cells()
    found = [("RBC", (1, 1, 20, 20)), ("RBC", (30, 30, 50, 55)), ("WBC", (40, 2, 70, 30))]
    case = case_of(picture, make.boxes(facts, found), facts, reference="1", language="vi")
    assert case.verdict.big == "2 hồng cầu, 1 bạch cầu"
    assert [bar.number for bar in case.verdict.bars] == [f"{n} (lệch trung bình 1,4)" for n in (2, 1, 0)]
    assert dict(case.row.amounts) == {"RBC": 2, "WBC": 1, "Platelets": 0}
    assert [key.words for key in case.keys] == ["hồng cầu", "bạch cầu"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_is_the_hubs_own_with_numbered_sources(make, picture, language):
    facts = make.malaria()
    case = case_of(picture, make.classes(facts, 0.02, 0.98), facts, reference="1", language=language)
    known = label_text("med/malaria", "parasitized")
    said = [one for section in case.advice.sections for one in section.said]
    wanted = [*known.what, *known.look_for, *known.care, *known.call_for_help]
    assert [one.text for one in said] == [one.text(language) for one in wanted]
    assert {n for one in said for n in one.sources} == set(range(1, len(case.advice.sources) + 1))
    institutions = {source.split(",")[0] for source in case.advice.sources}
    assert "World Health Organization" in institutions
    assert case.advice.review
    assert "Plasmodium" in case.advice.title


def test_a_label_without_texts_says_so(make, picture):
    facts = make.facts(texts=None)
    case = case_of(picture, make.classes(facts, 1, 0, 0), facts, reference="1", language="en")
    assert case.advice.sections[0].said[0].text == "There are no texts on this label."


def test_facts_of_the_model(make, picture):
    calibration = Calibration(n=300, fitted_on="val", abstain_below=0.8, abstention=make.rule)
    facts = make.malaria(calibration=calibration)
    told = case_of(picture, make.classes(facts, 0.02, 0.98), facts, reference="1", language="en").model
    by_name = {fact.name: fact.value for fact in told.facts}
    assert by_name["Version"] == "c0ffeeababab · commit 0123456789ab"
    assert by_name["Trained on"] == "med/malaria; source: Makerere; region: Uganda"
    assert by_name["Licences"] == "data: CC-BY-4.0; weights: Apache-2.0"
    assert (
        by_name["Measured quality"] == "Accuracy 95.0% (90.9–97.7%) on the test set (423 pictures, 30 groups)"
    )
    assert by_name["When it gives no answer"] == (
        "when the highest probability is below 80.0%; chosen so that at most 5.0% of answers are wrong, "
        "with 95% confidence"
    )
    assert "parasitized from 9.6% (specificity 90%; measured 90.0% (85.0–94.0%))" in by_name["Thresholds"]
    vi = case_of(picture, make.classes(facts, 0.02, 0.98), facts, reference="1", language="vi").model
    assert {fact.name: fact.value for fact in vi.facts}["Chất lượng đo được"].startswith("Tỉ lệ đúng 95,0%")


def test_warnings_of_drawn_data_and_raw_probabilities(make, picture):
    facts = make.facts(synthetic=True, calibration=Calibration(), report=False)
    told = case_of(picture, make.classes(facts, 1, 0, 0), facts, reference="1", language="en").model
    assert "drawn by a program" in told.warnings[0]
    assert "not calibrated" in told.warnings[1]
    assert "no evaluation report" in {fact.name: fact.value for fact in told.facts}["Measured quality"]
    sound = make.facts()
    assert not case_of(picture, make.classes(sound, 1, 0, 0), sound, reference="1").model.warnings


def test_the_heat_is_drawn_where_it_is_and_leaves_the_rest(make, picture):
    from io import BytesIO

    from PIL import Image

    facts = make.facts()
    heat = np.zeros(picture.shape[:2], np.float32)
    heat[10:30, 10:30] = 1
    case = case_of(picture, make.classes(facts, 1, 0, 0), facts, reference="1", heatmap=heat)
    plain, drawn = (np.asarray(Image.open(BytesIO(x.jpeg)), int) for x in (case.picture, case.drawn))
    scale = plain.shape[0] / picture.shape[0]
    off = np.abs(plain - drawn).max(axis=2)
    assert off[round(20 * scale), round(20 * scale)] > 60
    assert off[round(50 * scale), round(60 * scale)] < 12
    assert case.keys[0].colour is None


def test_deep_and_grey_pictures_are_shown_like_their_eight_bit_twins(make, picture):
    from vnvision.report.cases.drawn import visible

    facts, grey = make.facts(), picture[..., :1]
    wide = visible(grey.astype(np.uint16) * 257, facts.task.preprocess)
    unit = visible(grey.astype(np.float32), facts.task.preprocess)
    shown = visible(grey, facts.task.preprocess)
    assert shown.shape[2] == 3
    assert np.abs(wide.astype(int) - shown).max() <= 1
    assert np.abs(unit.astype(int) - shown).max() <= 1


def test_what_does_not_belong_together_is_refused(make, picture):
    facts, leaf = make.facts(), make.leaf()
    answer = make.classes(facts, 1, 0, 0)
    with pytest.raises(ConfigError, match="embedding has no report"):
        case_of(picture, EmbeddingPrediction(embedding=(1.0,)), facts, reference="1")
    with pytest.raises(ConfigError, match=r"unknown language.*vi or en"):
        case_of(picture, answer, facts, reference="1", language="fr")
    with pytest.raises(ConfigError, match=r"of another model.*segmentation"):
        case_of(picture, answer, leaf, reference="1")
    with pytest.raises(ConfigError, match="bean has no label 'uninfected'"):
        case_of(picture, make.classes(make.malaria(), 0, 1), facts, reference="1")
    with pytest.raises(ConfigError, match="mask is of another picture"):
        case_of(picture, make.areas(leaf, np.zeros((8, 8), np.uint8), None), leaf, reference="1")
    with pytest.raises(DataError, match="heatmap is of another picture"):
        case_of(picture, answer, facts, reference="1", heatmap=np.ones((3, 3), np.float32))
    with pytest.raises(DataError, match="cannot be shown"):
        case_of(np.full((4, 4, 3), np.nan, np.float32), answer, facts, reference="1")


def test_both_languages_fill_in_the_same_fields():
    import string

    from vnvision.report.cases.texts import TEXTS

    for key, texts in TEXTS.items():
        vi, en = ({field for _, field, *_ in string.Formatter().parse(text) if field} for text in texts)
        assert vi == en, key
        assert all(text == text.strip() for text in texts)
