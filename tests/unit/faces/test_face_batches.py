"""The face engine over a detector and an embedder whose answers are known: order, batches, answers."""

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from planted import PlantedDetector, planted_engine, save, shot, template

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.faces.engine import area, largest
from vnvision.faces.gallery import Consent, Gallery, GalleryKey
from vnvision.records import Face, Metric, OperatingPoint


def cosine(first, second):
    return float(template(*first).astype(np.float64) @ template(*second))


def point(threshold, population="here", target="fmr=1e-4"):
    return OperatingPoint(
        threshold=threshold,
        scale="cosine",
        target=target,
        achieved=Metric(value=1e-4, n=30_000),
        population=population,
        n=30_000,
        manifest_sha256="0" * 64,
    )


def test_errors_keep_their_place_among_the_answers(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    good = save(tmp_path / "good.png", shot(3, 4))
    pictures = [
        broken,
        shot(1),
        np.zeros((4, 4, 3), np.float32),
        good,
        shot(),
        b"GIF89a",
        tmp_path / "missing.png",
        shot(2),
        broken,
    ]
    answers = list(planted_engine().found(pictures))
    assert [isinstance(answer, DataError) for answer in answers] == [
        True, False, True, False, False, True, True, False, True,
    ]  # fmt: skip
    assert "broken.jpg" in str(answers[0])
    assert "wrong dtype" in str(answers[2])
    assert "missing.png" in str(answers[6])
    assert [len(answers[i]) for i in (1, 3, 4, 7)] == [1, 2, 0, 1]
    for place, people in ((1, [1]), (3, [3, 4]), (7, [2])):
        for found, person in zip(answers[place], people, strict=True):
            np.testing.assert_allclose(found.embedding, template(person), atol=1e-6)


def test_nothing_but_errors_and_nothing_at_all_are_answered():
    engine = planted_engine()
    (only,) = engine.found([b"no picture"])
    assert isinstance(only, DataError)
    assert list(engine.found([])) == []
    assert engine.represent([]) == []
    with pytest.raises(DataError):
        engine.represent([shot(1), b"no picture"])


def test_a_batch_holds_64_pictures_and_all_their_faces():
    engine = planted_engine()
    answers = list(engine.found([shot(i % 200, (i + 1) % 200) for i in range(150)]))
    assert len(answers) == 150
    assert [len(batch) for batch in engine.detector.batches] == [64, 64, 22]
    assert engine.embedder.batches == [128, 128, 44]
    for i in (0, 63, 64, 149):
        np.testing.assert_allclose(answers[i][0].embedding, template(i % 200), atol=1e-6)


def test_large_pictures_come_fewer_at_once():
    """All pixels of a batch together stay below 64 million, unless one picture alone has more."""
    large = np.broadcast_to(np.uint8(0), (5000, 5000, 3))
    huge = np.broadcast_to(np.uint8(0), (9000, 9000, 3))
    engine = planted_engine()
    answers = list(engine.found([large] * 5 + [huge] + [shot(1)] * 3 + [large], embed=False))
    assert len(answers) == 10
    pixels = [[height * width for height, width in batch] for batch in engine.detector.batches]
    assert sum(len(batch) for batch in pixels) == 10
    assert all(sum(batch) <= 64_000_000 or len(batch) == 1 for batch in pixels)
    assert max(len(batch) for batch in pixels) >= 2


def test_pictures_are_taken_only_as_far_as_needed():
    taken, lock = [], threading.Lock()

    def endless():
        number = 0
        while True:
            with lock:
                taken.append(number)
            yield shot(number % 200)
            number += 1

    stream = planted_engine().found(endless())
    for number in range(100):
        (found,) = next(stream)
        np.testing.assert_allclose(found.embedding, template(number), atol=1e-6)
        assert len(taken) <= 2 * 64 + 16, "two batches and what is read ahead"
    stream.close()


def test_the_largest_face_is_compared_and_the_cosine_is_its_own():
    engine = planted_engine()
    answer = engine.verify(shot((1, 0, 20), (2, 0, 40), (3, 0, 39)), shot((2, 1)), threshold=0.5)
    assert answer.similarity == pytest.approx(cosine((2, 0), (2, 1)), abs=1e-6)
    assert [area(one) for one in answer.faces] == [1600, 900]
    assert (answer.same, answer.threshold, answer.point) == (True, 0.5, None)
    other = engine.verify(shot(1), shot(2), threshold=0.5)
    assert other.similarity == pytest.approx(cosine((1,), (2,)), abs=1e-6)
    assert not other.same


def test_a_similarity_at_the_threshold_is_the_same_person():
    engine = planted_engine()
    exact = engine.verify(shot(1), shot((1, 1)), threshold=0.5).similarity
    assert engine.verify(shot(1), shot((1, 1)), threshold=exact).same
    assert not engine.verify(shot(1), shot((1, 1)), threshold=np.nextafter(exact, 2)).same


def test_many_pairs_are_answered_like_one_by_one_in_one_batch():
    engine = planted_engine(points=[point(0.6)])
    pairs = [(shot(i), shot((i + j, 1))) for i, j in ((1, 0), (2, 1), (3, 0), (4, 2))]
    together = engine.verify_many(pairs)
    assert [len(batch) for batch in engine.detector.batches] == [8]
    assert together == [engine.verify(*pair) for pair in pairs]
    assert [answer.same for answer in together] == [cosine((i,), (i + j, 1)) >= 0.6 for i, j in
                                                    ((1, 0), (2, 1), (3, 0), (4, 2))]  # fmt: skip
    assert all(answer.point == point(0.6) for answer in together)
    assert engine.verify_many([]) == []


def test_a_pair_without_a_face_names_the_picture(tmp_path):
    wall = save(tmp_path / "wall.png", shot())
    with pytest.raises(DataError, match=r"no face found in .*wall\.png"):
        planted_engine().verify_many([(shot(1), shot(1)), (shot(1), wall)], threshold=0.5)


def test_the_points_given_are_the_only_ones():
    engine = planted_engine(points=[point(0.6), point(0.7, "there"), point(0.3, "there", "fmr=1e-2")])
    assert engine.threshold().value == 0.7
    assert engine.threshold("fmr=1e-4@here").value == 0.6
    assert engine.threshold("fmr=1e-2", "there").value == 0.3
    assert engine.threshold(0.1).value == 0.1
    with pytest.raises(ConfigError, match="this model has no threshold for fmr=1e-4"):
        planted_engine(points=()).verify(shot(1), shot(1))


@pytest.fixture
def gallery(tmp_path):
    pytest.importorskip("cryptography")
    engine = planted_engine()
    opened = Gallery.open(
        tmp_path / "g.db",
        key=GalleryKey(bytes(32)),
        model=engine.embedder.fingerprint,
        dim=engine.embedder.size,
        create=True,
    )
    now = datetime.now(UTC)
    for number in (1, 2, 3):
        opened.enroll(
            f"p{number}",
            np.stack([template(number, photo) for photo in range(2)]),
            consent=Consent(given_by="x", given_at=now, text="yes"),
            purpose="door",
            expires=now + timedelta(days=1),
        )
    yield opened
    opened.close()


def test_identify_answers_each_face_of_each_picture(gallery):
    engine = planted_engine(points=[point(0.8)])
    pictures = [shot((2, 7), (9, 0)), shot(), shot((1, 7), (3, 7))]
    answers = engine.identify(pictures, gallery)
    assert [[m.answer.person for m in some] for some in answers] == [["p2", None], [], ["p1", "p3"]]
    assert [len(some) for some in answers] == [2, 0, 2]
    found = engine.represent(pictures)
    assert [[m.face for m in some] for some in answers] == [list(some) for some in found]
    assert engine.who(found, gallery, 0.8) == answers
    assert engine.identify([shot(), shot()], gallery) == [(), ()]
    assert engine.identify([], gallery) == []


def test_k_candidates_come_best_first(gallery):
    engine = planted_engine()
    (match,) = engine.identify([shot((2, 7))], gallery, threshold=-1, k=3)[0]
    best = {f"p{n}": max(cosine((2, 7), (n, photo)) for photo in range(2)) for n in (1, 2, 3)}
    assert [c.person for c in match.answer.candidates] == sorted(best, key=best.get, reverse=True)
    assert [c.score for c in match.answer.candidates] == pytest.approx(sorted(best.values())[::-1], abs=1e-5)


def test_a_gallery_of_another_model_is_not_searched(tmp_path, gallery):
    from vnvision.errors import ModelError

    gallery.close()
    with pytest.raises(ModelError):
        Gallery.open(tmp_path / "g.db", key=GalleryKey(bytes(32)), model="planted-v2", dim=16)


def test_closing_frees_both_models():
    engine = planted_engine()
    engine.close()
    assert engine.detector.closed
    assert engine.embedder.closed


def test_the_largest_of_none_is_an_error_that_says_what_to_do():
    box = Face(box_xyxy_px=(0, 0, 3, 5), landmarks_px=((0, 0),) * 5, score=1)
    assert area(box) == 15
    assert largest([box], "a.png") is box
    with pytest.raises(DataError) as caught:
        largest([], "a.png")
    assert str(caught.value) == (
        "no face found in a.png: expected a face looking towards the camera, eyes and mouth visible; "
        "take another picture, nearer and brighter"
    )
    assert caught.value.in_both().endswith("; hãy chụp lại gần hơn, sáng hơn, nhìn thẳng vào máy")


def test_errors_speak_vietnamese_only_where_they_can():
    assert DataError("a", vietnamese="á").in_both() == "a | á"
    assert DataError("a\nb", vietnamese="á\n b").in_both() == "a b | á b", (
        "one line, whatever a file is called"
    )
    assert DataError("a", expected="b", got="c", fix="d").in_both() == "a: expected b, got c; d"
    assert MissingExtraError("x", "faces").in_both() == (
        "x is not installed; install it with: pip install 'vnvision[faces]' | "
        "chưa cài x; hãy cài bằng lệnh: pip install 'vnvision[faces]'"
    )


def test_a_picture_is_detected_once():
    detector = PlantedDetector()
    engine = planted_engine()
    engine.detector = detector
    engine.represent([shot(1)])
    assert len(detector.batches) == 1
