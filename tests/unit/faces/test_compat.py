import importlib.util
import sys
import types

import cv2
import numpy as np
import pytest
import toys
from drawing import face

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.compat import deepface
from vnvision.faces.compat.insightface import FaceAnalysis
from vnvision.faces.engine import FaceEngine
from vnvision.faces.packs import KNOWN
from vnvision.faces.thresholds import Threshold

OTHER = (120, 84, 60)  # a skin tone that reads as someone else


def bgr(image):
    return np.ascontiguousarray(image[:, :, ::-1])


@pytest.fixture(scope="module")
def engine(weights):
    made = FaceEngine(engine="onnxruntime", threads=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(weights):
    made = FaceAnalysis(engine="onnxruntime", threads=1)
    made.prepare(ctx_id=0, det_thresh=0.7, det_size=(640, 640))
    yield made
    made.close()


def test_get_answers_as_the_engine_does_and_takes_bgr(app, engine):
    (wanted,) = engine.represent([face(256)])[0]
    (got,) = app.get(bgr(face(256)))
    np.testing.assert_allclose(got.bbox, wanted.box_xyxy_px, rtol=1e-6)
    np.testing.assert_allclose(got.kps, wanted.landmarks_px, rtol=1e-6)
    np.testing.assert_allclose(got.embedding, wanted.embedding, atol=1e-6)
    assert got.det_score == wanted.score
    assert (got.bbox.shape, got.kps.shape, got.embedding.shape) == ((4,), (5, 2), (128,))
    assert np.linalg.norm(got.normed_embedding) == pytest.approx(1, abs=1e-5)
    assert got["bbox"] is got.bbox


def test_four_channels_and_grey_are_taken(app):
    picture = face(256)
    four = np.dstack([bgr(picture), np.full(picture.shape[:2], 255, np.uint8)])
    assert np.array_equal(app.get(four)[0].embedding, app.get(bgr(picture))[0].embedding)
    assert len(app.get(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))) == 1


def test_a_misspelt_attribute_is_an_error(app):
    (got,) = app.get(bgr(face(128)))
    for name in ("embeding", "age", "landmark_2d_106"):
        with pytest.raises(AttributeError, match=name):
            getattr(got, name)
        with pytest.raises(KeyError, match=name):
            got[name]


def test_no_face_is_an_empty_list_and_no_picture_an_error(app):
    assert app.get(np.full((64, 64, 3), 127, np.uint8)) == []
    with pytest.raises(
        DataError, match="a picture has the wrong dtype: expected uint8 or uint16, got float32"
    ):
        app.get(np.zeros((64, 64, 3), np.float32))


def test_max_num_keeps_the_largest_or_the_middle_ones(app):
    picture = np.full((300, 900, 3), 190, np.uint8)
    picture[:300, :300] = face(300, tone=OTHER)
    picture[50:250, 350:550] = face(200)
    picture[100:200, 700:800] = face(100)
    assert len(app.get(bgr(picture))) == 3
    (largest,) = app.get(bgr(picture), max_num=1, det_metric="max")
    (middle,) = app.get(bgr(picture), max_num=1)
    assert largest.bbox[2] < 300
    assert 350 < middle.bbox[0] < middle.bbox[2] < 550


def test_detection_alone_gives_no_embedding(weights):
    only = FaceAnalysis(allowed_modules=["detection"], engine="onnxruntime", threads=1)
    only.prepare()
    (got,) = only.get(bgr(face(128)))
    assert got.embedding is None
    assert got.normed_embedding is None


def test_get_before_prepare_says_so():
    with pytest.raises(ConfigError, match=r"the models are not loaded; call prepare\(\) before get\(\)"):
        FaceAnalysis().get(bgr(face(64)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"allowed_modules": ["detection", "genderage"]}, r"allowed_modules=\['genderage'\]"),
        ({"allowed_modules": ["recognition"]}, "FaceAnalysis needs a detector"),
        ({"providers": ["CUDAExecutionProvider"]}, r"providers=\['CUDAExecutionProvider'\]"),
        ({"addons": ["liveness"], "download": True}, r"addons \(unknown\), download \(unknown\)"),
    ],
)
def test_arguments_of_insightface_that_cannot_be_followed_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        FaceAnalysis(**arguments)


def test_other_wrong_arguments_are_refused(app):
    with pytest.raises(ConfigError, match="ctx_id=1"):
        app.prepare(ctx_id=1)
    with pytest.raises(ConfigError, match="expected det_metric 'default' or 'max', got det_metric='middle'"):
        app.get(bgr(face(64)), det_metric="middle")


def test_a_pack_is_opened_by_name_with_its_licence(tmp_path):
    folder = tmp_path / "models" / "buffalo_l"
    toys.scrfd(folder / KNOWN["buffalo_l"].detector)
    toys.arcface(folder / KNOWN["buffalo_l"].embedder)
    heard = []
    with_pack = FaceAnalysis(name="buffalo_l", root=tmp_path, engine="onnxruntime", notice=heard.append)
    with_pack.prepare(det_thresh=0.9, det_size=(96, 64))
    (got,) = with_pack.get(bgr(toys.planted([(32, 0, 2, 250)], 96)[:64]))
    box, marks = toys.expected(32, 0, 2, 0)
    np.testing.assert_allclose(got.bbox, box, atol=1e-3)
    np.testing.assert_allclose(got.kps, marks, atol=1e-3)
    assert got.embedding.shape == (toys.DIM,)
    assert len(heard) == 1
    assert "non-commercial research only" in heard[0]


def test_a_missing_pack_fails_at_once(tmp_path):
    with pytest.raises(ModelError, match=r"no model pack buffalo_l.*never downloads packs"):
        FaceAnalysis(name="buffalo_l", root=tmp_path)


def test_verify_has_deepfaces_keys_and_distances(engine):
    first, second = face(256), face(200, seed=3)
    wanted = engine.verify(first, second, threshold=0.6)
    got = deepface.verify(bgr(first), bgr(second), threshold=0.4, engine=engine)
    assert set(got) == {
        "verified",
        "distance",
        "threshold",
        "model",
        "detector_backend",
        "similarity_metric",
        "facial_areas",
        "time",
    }
    assert got["distance"] == pytest.approx(1 - wanted.similarity, abs=1e-6)
    assert got["threshold"] == pytest.approx(0.4)
    assert got["verified"] is True
    assert (got["model"], got["detector_backend"], got["similarity_metric"]) == ("SFace", "yunet", "cosine")
    x0, y0, x1, y1 = wanted.faces[0].box_xyxy_px
    area = got["facial_areas"]["img1"]
    assert [area[k] for k in "xywh"] == pytest.approx([x0, y0, x1 - x0, y1 - y0], abs=1.01)
    assert area["left_eye"][0] > area["right_eye"][0], "the person's left is on the right of the picture"


def test_verify_tells_strangers_apart(engine):
    got = deepface.verify(bgr(face(256)), bgr(face(256, tone=OTHER)), threshold=0.01, engine=engine)
    assert got["verified"] is False
    assert got["distance"] > 0.01


def test_a_threshold_may_be_a_rate(engine, monkeypatch):
    asked = []
    monkeypatch.setattr(
        FaceEngine, "threshold", lambda self, t, population=None: asked.append(t) or _limit(0.3)
    )
    got = deepface.verify(bgr(face(128)), bgr(face(128)), threshold="fmr=1e-3", engine=engine)
    deepface.verify(bgr(face(128)), bgr(face(128)), engine=engine)
    assert got["threshold"] == pytest.approx(0.7)
    assert asked == ["fmr=1e-3", "fmr=1e-4"]


def _limit(value):
    return Threshold(value)


@pytest.mark.parametrize("threshold", ["0.4", -0.1, 2.5, float("nan")])
def test_a_threshold_that_is_no_distance_is_refused(engine, threshold):
    with pytest.raises(
        ConfigError, match="a threshold is wrong: expected a cosine distance, 0 to 2, or fmr=RATE"
    ):
        deepface.verify(bgr(face(64)), bgr(face(64)), threshold=threshold, engine=engine)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_name": "VGG-Face"}, "expected model_name None or 'SFace', got model_name='VGG-Face'"),
        ({"detector_backend": "opencv"}, "expected detector_backend None or 'yunet'"),
        (
            {"distance_metric": "euclidean"},
            "expected distance_metric 'cosine', got distance_metric='euclidean'",
        ),
        ({"enforce_detection": False}, "expected enforce_detection True"),
        ({"anti_spoofing": True}, "expected anti_spoofing False"),
        ({"align": False, "nonsense": 1}, r"expected align True, got nonsense \(unknown\), align=False"),
    ],
)
def test_arguments_of_deepface_that_cannot_be_followed_are_refused(engine, tmp_path, arguments, message):
    cv2.imwrite(str(tmp_path / "a.png"), bgr(face(64)))
    picture = bgr(face(64))
    with pytest.raises(ConfigError, match=message):
        deepface.verify(picture, picture, engine=engine, **arguments)
    with pytest.raises(ConfigError, match=message):
        deepface.represent(picture, engine=engine, **arguments)
    with pytest.raises(ConfigError, match=message):
        deepface.find(picture, tmp_path, engine=engine, **arguments)


def test_the_values_deepface_has_anyway_are_accepted(engine):
    picture = bgr(face(128))
    plain = deepface.represent(picture, engine=engine)
    spelt = deepface.represent(
        picture,
        "SFace",
        detector_backend="yunet",
        align=True,
        enforce_detection=True,
        expand_percentage=0,
        normalization="base",
        anti_spoofing=False,
        l2_normalize=True,
        engine=engine,
    )
    assert spelt == plain


def test_represent_gives_every_face_and_takes_many_pictures(engine):
    two = np.concatenate(
        [face(200), cv2.copyMakeBorder(face(120), 80, 0, 0, 0, cv2.BORDER_REPLICATE)], axis=1
    )
    found = engine.represent([two])[0]
    got = deepface.represent(bgr(two), engine=engine)
    assert [one["embedding"] for one in got] == [list(one.embedding) for one in found]
    assert [one["face_confidence"] for one in got] == [one.score for one in found]
    assert set(got[0]["facial_area"]) == {"x", "y", "w", "h", "left_eye", "right_eye"}
    (largest,) = deepface.represent(bgr(two), max_faces=1, engine=engine)
    assert largest["facial_area"]["x"] < 200
    several = deepface.represent([bgr(two), bgr(face(128))], engine=engine)
    assert [len(faces) for faces in several] == [2, 1]


def test_no_face_is_deepfaces_error(engine, tmp_path):
    wall = np.full((64, 64, 3), 127, np.uint8)
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), wall)
    with pytest.raises(DataError, match=r"no face found in .*wall\.png"):
        deepface.verify(str(path), bgr(face(64)), threshold=0.5, engine=engine)
    with pytest.raises(DataError, match="no face found in the picture"):
        deepface.represent(wall, engine=engine)
    with pytest.raises(DataError, match="no face found in the picture"):
        deepface.find(wall, tmp_path, threshold=0.5, engine=engine)


@pytest.fixture
def people(tmp_path):
    for name, picture in {
        "an/1.png": face(200, seed=1),
        "an/2.png": face(160, seed=2),
        "binh/1.png": face(200, tone=OTHER),
        "wall.png": np.full((64, 64, 3), 127, np.uint8),
    }.items():
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), bgr(picture))
    return tmp_path / "people"


def test_find_gives_the_closest_first_for_each_face(engine, people):
    query = face(220, seed=9)
    (rows,) = deepface.find(bgr(query), people, threshold=2.0, return_type="dict", engine=engine)
    files = [str(people / name) for name in ("an/1.png", "an/2.png", "binh/1.png")]
    (own,) = engine.represent([query])[0]
    wanted = {
        file: 1 - float(np.dot(found[0].embedding, own.embedding))
        for file, found in zip(files, engine.represent(files), strict=True)
    }
    assert [row["identity"] for row in rows] == sorted(wanted, key=wanted.get)
    for row in rows:
        assert row["distance"] == pytest.approx(wanted[row["identity"]], abs=1e-5)
        target = deepface.represent(row["identity"], engine=engine)[0]["facial_area"]
        source = deepface.represent(bgr(query), engine=engine)[0]["facial_area"]
        assert [row[f"target_{side}"] for side in "xywh"] == [target[side] for side in "xywh"]
        assert [row[f"source_{side}"] for side in "xywh"] == [source[side] for side in "xywh"]
    assert list(rows[0]) == [
        "identity",
        "target_x",
        "target_y",
        "target_w",
        "target_h",
        "source_x",
        "source_y",
        "source_w",
        "source_h",
        "threshold",
        "distance",
    ]
    limit = (sorted(wanted.values())[0] + sorted(wanted.values())[1]) / 2
    (closest,) = deepface.find(bgr(query), people, threshold=limit, return_type="dict", engine=engine)
    assert [row["identity"] for row in closest] == [rows[0]["identity"]]
    (first,) = deepface.find(bgr(query), people, threshold=2.0, k=2, return_type="dict", engine=engine)
    assert len(first) == 2


def test_find_leaves_the_folder_as_it_was(engine, people):
    before = sorted(people.rglob("*"))
    deepface.find(bgr(face(128)), people, threshold=0.5, return_type="dict", engine=engine)
    assert sorted(people.rglob("*")) == before


def test_find_names_files_it_cannot_read(engine, people):
    (people / "bad.jpg").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"left out, as they cannot be read: .*bad\.jpg is not an image"):
        deepface.find(bgr(face(128)), people, threshold=0.5, return_type="dict", engine=engine)


def test_find_without_pictures_or_with_a_wrong_return_type_is_refused(engine, tmp_path):
    with pytest.raises(DataError, match="no pictures in"):
        deepface.find(bgr(face(128)), tmp_path, threshold=0.5, engine=engine)
    with pytest.raises(
        ConfigError, match="expected return_type None or 'dict' or 'pandas', got return_type='csv'"
    ):
        deepface.find(bgr(face(128)), tmp_path, threshold=0.5, return_type="csv", engine=engine)


@pytest.mark.skipif(importlib.util.find_spec("pandas") is not None, reason="pandas is installed")
def test_without_pandas_records_are_dicts(engine, people):
    (rows,) = deepface.find(bgr(face(128)), people, threshold=0.9, engine=engine)
    assert isinstance(rows[0], dict)
    with pytest.raises(
        ConfigError, match="pandas is not installed; pip install pandas, or return_type='dict'"
    ):
        deepface.find(bgr(face(128)), people, threshold=0.9, return_type="pandas", engine=engine)


def test_with_pandas_each_face_is_a_table(engine, people, monkeypatch):
    module = types.ModuleType("pandas")
    module.__spec__ = importlib.util.spec_from_loader("pandas", None)
    module.DataFrame = lambda rows, columns: (len(rows), columns)
    monkeypatch.setitem(sys.modules, "pandas", module)
    (table,) = deepface.find(bgr(face(128)), people, threshold=2.0, engine=engine)
    assert table[0] == 3
    assert table[1][0] == "identity"


def test_nothing_of_the_other_libraries_is_imported():
    import subprocess

    code = (
        "import sys, vnvision.faces.compat.deepface, vnvision.faces.compat.insightface\n"
        "loaded = {'torch', 'insightface', 'deepface', 'tensorflow', 'pandas'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
