"""The verdict on a photo: what it is good for, why not, and what to do, in both languages."""

import csv
import io

import pytest
from planted import GOOD, planted_engine, save, shot

from vnvision.errors import ConfigError
from vnvision.faces import face_quality
from vnvision.faces.photo_quality import quality_table
from vnvision.faces.quality import LIMITS
from vnvision.faces.quality.texts import TEXTS


@pytest.fixture
def measures(monkeypatch):
    """The measures of each face, set by the test; None is a face that could not be measured."""
    values = {}

    def measured(image, face):
        return face if values.get("none") else face.model_copy(update={"quality": GOOD | values})

    monkeypatch.setattr("vnvision.faces.engine.with_quality", measured)
    return values


def judged(picture):
    (one,) = face_quality(picture, engine=planted_engine())
    return one


def test_a_good_photo_is_good_for_both(measures):
    photo = judged(shot(1))
    assert (photo.use, photo.reasons, photo.faces, photo.score) == ("enrol", (), 1, 90.0)
    assert photo.box_xyxy_px == (0, 0, 30, 30)
    assert photo.measures["sharpness"] == GOOD["sharpness"]
    assert photo.verdict("vi") == "dùng được để đăng ký và để xác minh"


@pytest.mark.parametrize(
    ("measure", "between", "beyond", "code"),
    [
        ("bright_level", 0.3, 0.1, "too_dark"),
        ("sharpness", 0.4, 0.2, "blurred"),
        ("inter_eye_distance_px", 30, 10, "too_small"),
        ("yaw_deg", 30, 60, "turned"),
        ("mouth_visibility", 0.57, 0.2, "mouth_covered"),
    ],
)
def test_between_the_gates_it_may_verify_and_beyond_both_nothing(measures, measure, between, beyond, code):
    measures[measure] = between
    photo = judged(shot(1))
    assert photo.use == "verify"
    assert [(one.code, one.for_verify) for one in photo.reasons] == [(code, False)]
    measures[measure] = beyond
    photo = judged(shot(1))
    assert photo.use == "none"
    assert [(one.code, one.for_verify) for one in photo.reasons] == [(code, True)]
    for language, parts in (("vi", (TEXTS[code].vi, TEXTS[code].advice_vi)), ("en", (TEXTS[code].en,))):
        assert all(part in photo.advice(language)[0] for part in parts)


def test_the_worst_reasons_come_first_and_the_sum_of_all_is_not_one_more(measures):
    measures |= {"bright_level": 0.3, "yaw_deg": 60.0, "score": 10.0}
    photo = judged(shot(1))
    assert [one.code for one in photo.reasons] == ["turned", "too_dark"]
    measures.clear()
    measures["score"] = LIMITS["enrol"].least_score - 1
    assert [one.code for one in judged(shot(1)).reasons] == ["poor_overall"]


def test_two_people_of_like_size_are_refused_and_a_small_one_behind_is_not(measures):
    photo = judged(shot((1, 0, 30), (2, 0, 25)))
    assert (photo.use, photo.faces) == ("none", 2)
    assert [one.code for one in photo.reasons] == ["several_people"]
    assert "có nhiều người" in photo.advice("vi")[0]
    assert "several people" in photo.advice("en")[0]
    assert judged(shot((1, 0, 30), (2, 0, 20))).use == "enrol"  # 900 against 400: more than twice


def test_no_face_an_unclear_one_and_an_unreadable_file(measures, tmp_path):
    photo = judged(shot())
    assert (photo.use, photo.faces, photo.score) == ("none", 0, None)
    assert "không thấy khuôn mặt" in photo.advice("vi")[0]
    measures["none"] = True
    assert [one.code for one in judged(shot(1)).reasons] == ["face_unclear"]
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    photo = judged(tmp_path / "broken.jpg")
    assert photo.use == "unreadable"
    assert "broken.jpg" in photo.problem
    assert "none.png does not exist" in judged(tmp_path / "none.png").problem


def test_many_photos_keep_their_order_and_report_progress(measures, tmp_path):
    files = [save(tmp_path / "a.png", shot(1)), tmp_path / "none.png", save(tmp_path / "b.png", shot())]
    steps = []
    photos = face_quality(files, engine=planted_engine(), progress=lambda *step: steps.append(step))
    assert [photo.path for photo in photos] == [str(file) for file in files]
    assert [photo.use for photo in photos] == ["enrol", "unreadable", "none"]
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_nothing_to_judge_is_an_error():
    with pytest.raises(ConfigError, match="no photos to judge") as caught:
        face_quality([], engine=planted_engine())
    assert "chưa có ảnh" in caught.value.vietnamese


def test_the_table_has_a_row_a_photo_in_one_language(measures, tmp_path):
    measures["yaw_deg"] = 60.0
    photos = face_quality(
        [save(tmp_path / "=a.png", shot(1)), tmp_path / "none.png"], engine=planted_engine()
    )
    table = quality_table(photos, "vi")
    assert table.startswith("\ufeffpath,use,verdict")
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert [(row["use"], row["codes"], row["faces"]) for row in rows] == [
        ("none", "turned", "1"),
        ("unreadable", "", "0"),
    ]
    assert rows[0]["verdict"] == "không dùng được"
    assert TEXTS["turned"].advice_vi in rows[0]["advice"]
    assert "does not exist" in rows[1]["advice"]
    assert "not usable" in quality_table(photos, "en")
