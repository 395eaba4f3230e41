import importlib.util

import cv2
import numpy as np
import onnxruntime
import pytest
from drawing import face

from vnvision.engines import open_engine
from vnvision.errors import ConfigError, DataError
from vnvision.faces.detector import YuNet
from vnvision.faces.engine import FaceEngine
from vnvision.faces.graph import prepared
from vnvision.faces.weights import find_weights
from vnvision.imaging.depth import to_uint8


@pytest.fixture(scope="module")
def engine(weights):
    with_one = FaceEngine(engine="onnxruntime", threads=1)
    yield with_one
    with_one.close()


def test_opened_sface_computes_what_the_published_file_does(weights):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    published = onnxruntime.InferenceSession(str(find_weights("sface")), options)
    crop = np.random.default_rng(0).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    # Its dequantised weights are listed as inputs too; what is fed for them is not used.
    fed = {item.name: np.zeros(item.shape, np.float32) for item in published.get_inputs()} | {"data": crop}
    expected = published.run(None, fed)[0]
    engines = ["onnxruntime"] + (["openvino"] if importlib.util.find_spec("openvino") else [])
    for name in engines:
        opened = open_engine(prepared("sface"), name)
        got = opened.run(np.concatenate([crop, crop[:, :, ::-1]]))[0]
        assert got.shape == (2, 128)
        np.testing.assert_allclose(got[:1], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_detections_are_those_of_opencv(engine):
    reference = cv2.FaceDetectorYN.create(str(find_weights("yunet")), "", (320, 320), 0.7, 0.3, 5000)
    for picture in (face(256), face(200, tilt_deg=25), face(333, tone=(150, 110, 80))):
        reference.setInputSize(picture.shape[1::-1])
        expected = reference.detect(np.ascontiguousarray(picture[:, :, ::-1]))[1][0]
        (found,) = engine.detect([picture])[0]
        x0, y0, x1, y1 = found.box_xyxy_px
        np.testing.assert_allclose([x0, y0, x1 - x0, y1 - y0], expected[:4], atol=0.05)
        np.testing.assert_allclose(np.ravel(found.landmarks_px), expected[4:14], atol=0.05)
        assert found.score == pytest.approx(float(expected[14]), abs=1e-3)


def test_a_batch_of_mixed_sizes_answers_like_one_by_one(engine):
    empty = np.full((180, 240, 3), 127, np.uint8)
    two = np.concatenate([face(200), face(200, tone=(150, 110, 80))], axis=1)
    pictures = [face(256), empty, two, face(97), face(256, seed=2)]
    together = engine.represent(pictures)
    alone = [engine.represent([picture])[0] for picture in pictures]
    assert [len(faces) for faces in together] == [1, 0, 2, 1, 1]
    for several, single in zip(together, alone, strict=True):
        for a, b in zip(several, single, strict=True):
            np.testing.assert_allclose(a.box_xyxy_px, b.box_xyxy_px, atol=1e-2)
            assert float(np.dot(a.embedding, b.embedding)) > 0.9999
            assert np.linalg.norm(a.embedding) == pytest.approx(1, abs=1e-5)


def test_a_huge_picture_gives_places_in_its_own_pixels(engine):
    large = cv2.resize(face(512), (3001, 2003), interpolation=cv2.INTER_CUBIC)
    (found,) = engine.detect([large])[0]
    eye = np.array(found.landmarks_px[0])
    assert abs(eye - np.array([0.405 * 3001, 0.458 * 2003])).max() < 0.02 * 3001


def test_a_face_that_fills_its_picture_is_found_at_the_second_look(weights):
    tight = face(1024)[312:932, 336:688]
    assert YuNet(engine="onnxruntime", second_look=False).detect([tight])[0] == ()
    (found,) = YuNet(engine="onnxruntime").detect([tight])[0]
    eye = np.array(found.landmarks_px[0]) + np.array([336, 312])
    assert np.abs(eye - np.array([0.405, 0.458]) * 1024).max() < 30


def test_grey_16_bit_and_four_channels_are_understood(engine):
    picture = face(256)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    alpha = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    deep = picture.astype(np.uint16) * 257
    plain, flat, four, wide = engine.represent([picture, grey, alpha, deep])
    assert plain == four == wide
    assert len(flat) == 1


def test_embeddings_need_red_first(engine):
    (found,) = engine.detect([face(256)])[0]
    crop = engine.embedder.align(face(256), [found])
    right = engine.embedder.embed(crop)[0]
    swapped = engine.embedder.embed(np.ascontiguousarray(crop[..., ::-1]))[0]
    assert right @ swapped < 0.99, "channel order must matter, or a swap would go unseen"


def test_aligned_landmarks_lie_on_the_template(engine):
    from vnvision.imaging.align import similarity, template

    (found,) = engine.detect([face(256, tilt_deg=20)])[0]
    points = np.array(found.landmarks_px)
    matrix = similarity(points, template())
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(moved - template()).max() < 8


def test_verify_compares_the_largest_faces(engine):
    small_beside = np.full((256, 384, 3), 190, np.uint8)
    small_beside[:, :256] = face(256, seed=5)
    answer = engine.verify(face(256), small_beside, threshold=0.8)
    assert answer.same
    assert answer.similarity > 0.9
    assert not engine.verify(face(256), face(256, tone=(150, 110, 80)), threshold=0.99).same


def test_a_picture_without_a_face_is_one_clear_line(engine, tmp_path):
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(DataError, match=r"no face found in .*wall\.png"):
        engine.verify(path, face(128), threshold=0.5)


def test_wrong_arrays_and_limits_are_refused(engine):
    with pytest.raises(
        DataError, match=r"a picture has the wrong dtype: expected uint8 or uint16, got float32"
    ):
        engine.detect([face(96), np.zeros((8, 8, 3), np.float32)])
    for shape in ((8,), (8, 8, 2), (8, 8, 5), (0, 8, 3), (1, 8, 8, 3)):
        with pytest.raises(DataError) as caught:
            engine.detect([np.zeros(shape, np.uint8)])
        assert "a picture has the wrong shape: expected (H, W), (H, W, 1)" in str(caught.value)
        assert f"got {shape}" in str(caught.value)
    with pytest.raises(ConfigError, match="limits are wrong"):
        YuNet(engine="onnxruntime", min_score=1.5)


def test_files_bytes_and_arrays_of_one_picture_agree(engine, tmp_path):
    picture = face(160)
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture[:, :, ::-1])
    answers = engine.represent([picture, path, str(path), path.read_bytes()])
    assert len(answers[0]) == 1
    assert all(answer == answers[0] for answer in answers)


def test_transparency_is_laid_on_white_at_any_depth(engine):
    picture = face(200)
    alpha = np.full((200, 200, 1), 255, np.uint8)
    alpha[:, :40] = 0
    expected = picture.copy()
    expected[:, :40] = 255
    four = np.concatenate([picture, alpha], axis=2)
    assert engine.represent([four]) == engine.represent([expected])
    deep = four.astype(np.uint16) * 257
    assert engine.represent([deep]) == engine.represent([expected])


def test_detect_leaves_embeddings_out_and_represent_adds_them(engine):
    (plain,) = engine.detect([face(160)])[0]
    (full,) = engine.represent([face(160)])[0]
    assert plain.embedding is None
    assert full.model_copy(update={"embedding": None}) == plain


def test_align_and_embed_are_the_steps_of_represent(engine):
    two = np.concatenate([face(200), face(200, tone=(150, 110, 80))], axis=1)
    pictures = [two, np.full((60, 60, 3), 127, np.uint8)]
    faces = engine.detect(pictures)
    crops = engine.align(pictures, faces)
    assert [crop.shape for crop in crops] == [(2, 112, 112, 3), (0, 112, 112, 3)]
    assert crops[0].dtype == np.uint8
    whole = [one.embedding for one in engine.represent(pictures)[0]]
    np.testing.assert_allclose(engine.embed(crops[0]), whole, atol=1e-6)


def test_the_default_verification_keeps_a_stated_rate(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("VNVISION_HOME", str(tmp_path))
    answer = engine.verify(face(160), face(200, seed=3))
    assert answer.same
    assert answer.point.target == "fmr=1e-4"
    assert answer.threshold == answer.point.threshold
    named = engine.verify(face(160), face(200, seed=3), threshold="fmr=1e-3", population="lfw")
    assert (named.point.population, named.point.target) == ("lfw", "fmr=1e-3")
    assert named.similarity == answer.similarity
    with pytest.raises(ConfigError, match="no threshold was measured for the population 'mars'"):
        engine.verify(face(160), face(200), population="mars")


def test_16_bits_become_8_by_rounding_the_full_range():
    every = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_uint8(every), np.rint(every / 257).astype(np.uint8))
    same = every[:256].astype(np.uint8)
    np.testing.assert_array_equal(to_uint8(same), same)
