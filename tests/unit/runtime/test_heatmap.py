"""Heatmaps on models whose evidence is planted."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import ConfigError, ModelError
from vnvision.records import BundleManifest
from vnvision.runtime.heatmap import occlusion, to_picture, unit_range
from vnvision.runtime.predictor import Predictor
from vnvision.spec import Label, PreprocessSpec, TaskSpec

LABELS = tuple(Label(id=name) for name in ("healthy", "spot", "rust"))


def task_of(kind: str = "classification", size=(40, 60), **spec) -> TaskSpec:
    score = "sigmoid" if kind == "multilabel" else "softmax"
    return TaskSpec(kind=kind, labels=LABELS, score=score, preprocess=PreprocessSpec(size_px=size, **spec))


def counting(crops) -> np.ndarray:
    """Logits (N, 3): red at the top left speaks for the second label, against the third."""
    red = np.stack([crop[5:15, 10:20, 0].mean() / 25.5 for crop in crops])
    return np.stack([np.zeros_like(red), red, -red], axis=1)


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_occlusion_finds_the_planted_evidence(kind):
    crop = np.full((40, 60, 3), 20, np.uint8)
    crop[5:15, 10:20, 0] = 250
    plane = occlusion(counting, crop, 1, task_of(kind))
    assert plane.shape == (40, 60)
    y, x = np.unravel_index(plane.argmax(), plane.shape)
    assert 5 <= y < 15
    assert 10 <= x < 20
    assert plane[30:, 40:].max() < 0.05 * plane.max()
    against = occlusion(counting, crop, 2, task_of(kind))
    assert against[10, 15] < 0  # hiding it makes the third label likelier


def test_occlusion_in_numbers():
    """One square over all of it: the fall of the log odds, spread over the squares that cover a pixel."""
    crop = np.full((10, 10, 3), 100, np.uint8)
    crop[0, 0, 0] = 200

    def run(crops):
        lit = np.array([float(crop[0, 0, 0]) for crop in crops])
        return np.stack([lit, np.zeros_like(lit), np.zeros_like(lit)], axis=1)

    plane = occlusion(run, crop, 0, task_of(size=(10, 10)))
    fill = np.rint(crop.mean(axis=(0, 1)))[0]
    assert plane[0, 0] == pytest.approx(200 - fill, rel=1e-5)  # covered by the first square alone
    assert plane[5, 5] == 0


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
def test_a_map_lands_where_the_picture_had_it(geometry):
    spec = PreprocessSpec(size_px=(64, 64), geometry=geometry)
    from vnvision.imaging import Preprocessor

    picture = np.zeros((90, 160, 3), np.uint8)
    picture[30:50, 70:90] = 255
    crop = Preprocessor(spec).geometry(picture)[..., 0].astype(np.float32)
    coarse = crop.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    heat = to_picture(coarse, (90, 160), spec)
    assert heat.shape == (90, 160)
    rows, columns = np.nonzero(heat > 0.9 * heat.max())
    assert abs(rows.mean() - 39.5) < 2
    assert abs(columns.mean() - 79.5) < 2
    seen = to_picture(np.ones((16, 16), np.float32), (90, 160), spec)
    assert (seen[:, :34] == 0).all() == (geometry == "crop")  # the rim a centre crop cuts off


def test_range_is_the_pictures_own():
    heat = unit_range(np.array([[-2.0, 1.0], [4.0, 0.0]]))
    np.testing.assert_allclose(heat, [[0, 0.25], [1, 0]])
    assert heat.dtype == np.float32
    np.testing.assert_array_equal(unit_range(np.full((2, 2), -1.0)), 0)


class Mapped:
    """An engine with a map that is 1 for class c in column c."""

    name, path, input_shape = "planted", None, (None, 3, 8, 6)
    output_names = ("output", "features", "cam")

    def run(self, batch):
        cam = np.zeros((len(batch), 4, 4, 4), np.float32)
        for c in range(4):
            cam[:, c, :, c] = c + 1
        logits = np.tile(np.array([[0, 0, 3, 0]], np.float32), (len(batch), 1))
        return logits, np.ones((len(batch), 5), np.float32), cam

    def close(self):
        pass


def test_the_files_map_is_taken_for_the_label_asked_for(make_bundle, picture):
    model = Predictor(BundleManifest.load(make_bundle() / "manifest.json"), "onnx", Mapped())
    image = picture(0, 40, 80)
    for label, column in ((None, 2), ("class_2", 2), ("class_0", 0), ("class_3", 3)):
        heat = model.heatmap(image, label)
        assert heat.shape == (40, 80)
        assert heat.max() == 1.0
        assert abs(np.nonzero(heat[20] > 0.9)[0].mean() - (20 * column + 9.5)) < 5
    np.testing.assert_array_equal(model.heatmap(image), model.heatmap(image, "class_2", "cam"))


def test_flipped_views_are_flipped_back(make_bundle, picture):
    manifest = BundleManifest.load(make_bundle(flip_average=True) / "manifest.json")
    cam = Predictor(manifest, "onnx", Mapped()).run_crops([picture(0)]).cam
    assert cam.shape == (1, 4, 4, 4)
    np.testing.assert_allclose(cam[0, 0, 0], [0.5, 0, 0, 0.5])


def test_any_bundle_has_a_heatmap_by_occlusion(make_bundle, picture):
    from vnvision.runtime import load_bundle

    model = load_bundle(make_bundle())
    heat = model.heatmap(picture(0, 30, 20))
    assert heat.shape == (30, 20)
    assert (heat.min(), heat.max()) == (0.0, 1.0)
    with pytest.raises(
        ModelError, match="the file of tiny holds no class activation maps; use method='occlusion'"
    ):
        model.heatmap(picture(0), method="cam")


def test_errors(make_bundle, picture):
    from vnvision.runtime import load_bundle

    model = load_bundle(make_bundle())
    with pytest.raises(
        ConfigError, match="there is no such heatmap: expected auto or cam or occlusion, got 'lime'"
    ):
        model.heatmap(picture(0), method="lime")
    with pytest.raises(ConfigError, match="there is no label 'mould': expected class_0, class_1"):
        model.heatmap(picture(0), "mould")
    with pytest.raises(ConfigError, match="a heatmap needs a classifier: got embedding"):
        load_bundle(make_bundle("embedding")).heatmap(picture(0))
