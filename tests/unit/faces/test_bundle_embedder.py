import cv2
import numpy as np
import pytest
import toys

from vnvision.errors import BundleError, ConfigError, DataError
from vnvision.faces.bundle import BundleEmbedder
from vnvision.imaging import Preprocessor
from vnvision.imaging.align import template
from vnvision.records import Face
from vnvision.runtime import load_bundle


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(6).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)


@pytest.fixture
def picture():
    return np.random.default_rng(7).integers(0, 256, (200, 180, 3), dtype=np.uint8)


def face(points):
    return Face(box_xyxy_px=(0, 0, 1, 1), landmarks_px=tuple(map(tuple, points.tolist())), score=1.0)


FACES = [face(template() * 0.9 + 20), face(template() * 1.2 + (5, 30)), face(template() - 35)]


@pytest.mark.parametrize("flip", [False, True])
def test_scaling_and_flip_are_the_bundles(tmp_path, crops, flip):
    model = BundleEmbedder(toys.bundle(tmp_path / "b", flip_average=flip), batch_size=2)
    wanted = np.stack([toys.embedding(crop, flip=flip) for crop in crops])
    np.testing.assert_allclose(model.embed(crops), wanted, atol=1e-5)
    assert model.size == toys.DIM
    model.close()


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_a_picture_gets_the_embedding_that_the_bundles_predictor_gives(tmp_path, picture, colour):
    folder = toys.bundle(tmp_path / "b", colour=colour, interpolation="bicubic", pad_value=7.0)
    model, predictor = BundleEmbedder(folder), load_bundle(folder)
    got = model.embed(model.align(picture, FACES))
    for row, one in zip(got, FACES, strict=True):
        wanted = predictor.predict(picture, landmarks_px=one.landmarks_px).embedding
        np.testing.assert_allclose(row, wanted, atol=1e-6)


def test_crops_are_rgb_and_those_of_training(tmp_path, picture):
    folder = toys.bundle(tmp_path / "b", colour="bgr")
    crops = BundleEmbedder(folder).align(picture, FACES)
    trained = Preprocessor(load_bundle(folder).task.preprocess)
    for crop, one in zip(crops, FACES, strict=True):
        assert np.array_equal(crop[..., ::-1], trained.geometry(picture, one.landmarks_px))


def test_grey_pictures_are_taken(tmp_path, picture):
    model = BundleEmbedder(toys.bundle(tmp_path / "b"))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    crops = model.align(grey, FACES)
    assert crops.shape == (3, 112, 112, 3)
    assert np.array_equal(crops[..., 0], crops[..., 2])


def test_no_faces_give_no_embeddings(tmp_path, picture):
    model = BundleEmbedder(toys.bundle(tmp_path / "b"))
    none = model.align(picture, [])
    assert none.shape == (0, 112, 112, 3)
    assert model.embed(none).shape == (0, toys.DIM)


@pytest.mark.parametrize(
    ("options", "got"),
    [
        ({"kind": "classification"}, "kind classification, geometry align, input uint8"),
        ({"geometry": "squash"}, "kind embedding, geometry squash, input uint8"),
        ({"input_dtype": "uint16"}, "kind embedding, geometry align, input uint16"),
    ],
)
def test_a_bundle_that_is_no_face_embedder_is_refused(tmp_path, options, got):
    with pytest.raises(BundleError) as caught:
        BundleEmbedder(toys.bundle(tmp_path / "b", **options))
    text = str(caught.value)
    assert text.startswith(
        "bundle toy is no face embedder: expected kind embedding, geometry align, input uint8"
    )
    assert text.endswith(f"got {got}")


def test_a_folder_that_is_no_bundle_and_wrong_settings_are_refused(tmp_path, crops):
    with pytest.raises(BundleError, match="is not a bundle"):
        BundleEmbedder(tmp_path)
    folder = toys.bundle(tmp_path / "b")
    with pytest.raises(ConfigError, match="batch_size is wrong: expected 1 or more, got 0"):
        BundleEmbedder(folder, batch_size=0)
    with pytest.raises(ConfigError, match="has no target 'int8'"):
        BundleEmbedder(folder, target="int8")
    with pytest.raises(DataError, match=r"crops do not fit: expected \(K, 112, 112, 3\) uint8 RGB"):
        BundleEmbedder(folder).embed(crops / 255)


def test_the_fingerprint_tells_models_and_preprocessing_apart(tmp_path):
    prints = {
        BundleEmbedder(toys.bundle(tmp_path / str(number), **options)).fingerprint
        for number, options in enumerate([{}, {"seed": 1}, {"flip_average": True}, {"colour": "bgr"}, {}])
    }
    assert len(prints) == 4, "the first and the last are the same model"
