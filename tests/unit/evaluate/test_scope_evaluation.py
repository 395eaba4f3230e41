"""Fitting a gate over a manifest, its figures, and thresholds for the label that matters."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vnvision.data.augment import PRESETS
from vnvision.data.manifest import read_manifest
from vnvision.errors import ConfigError, ModelError
from vnvision.evaluate.operating import operating_points
from vnvision.evaluate.scope import fit_gate, look, outside_figures
from vnvision.imaging import Preprocessor
from vnvision.runtime.target import Outputs
from vnvision.spec import Label, PreprocessSpec, TaskSpec


class Means:
    """Features are mean colours of a 4 x 4 grid."""

    name = "means"

    def __init__(self, **spec) -> None:
        preprocess = PreprocessSpec(size_px=(32, 32), **spec)
        labels = (Label(id="a"), Label(id="b"))
        self.task = TaskSpec(kind="classification", preprocess=preprocess, labels=labels)
        self.preprocessor = Preprocessor(preprocess)

    def run_crops(self, crops):
        small = np.stack([crop.reshape(4, 8, 4, 8, -1).mean(axis=(1, 3)).ravel() for crop in crops])
        return Outputs(np.zeros((len(crops), 2), np.float32), small.astype(np.float32))


def leaf(rng: np.random.Generator) -> np.ndarray:
    field = cv2.resize(rng.random((6, 6)).astype(np.float32), (40, 40), interpolation=cv2.INTER_CUBIC)
    green = np.array([70, 150, 60]) + rng.normal(0, 5, 3)
    grain = rng.normal(0, 6, (40, 40, 3))
    return np.clip(green * (0.7 + 0.6 * field[..., None]) + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def leaves(tmp_path_factory):
    """120 pictures of 40 plants, three each; plants 0 to 27 train, the others val."""
    folder, rng = tmp_path_factory.mktemp("leaves"), np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", "split", "group"])
        for i in range(120):
            cv2.imwrite(str(folder / f"{i}.png"), leaf(rng)[..., ::-1])
            rows.writerow([f"{i}.png", "ab"[i % 2], "train" if i < 84 else "val", f"plant{i // 3}"])
    return read_manifest(folder / "manifest.csv")


@pytest.mark.parametrize("spec", [{}, {"colour": "bgr"}, {"geometry": "letterbox"}])
def test_a_gate_fitted_on_augmented_pictures_bears_other_light(leaves, spec):
    model, rng = Means(**spec), np.random.default_rng(1)
    train, val = leaves.split("train"), leaves.split("val")
    plain = fit_gate(model, train, val)
    bearing = fit_gate(model, train, val, augment=PRESETS["crops"], views=3)
    crop = model.preprocessor.geometry
    fresh = [leaf(rng) for _ in range(60)]
    dim = [(picture * 0.8).astype(np.uint8) for picture in fresh]
    kept = []
    for gate in (plain, bearing):
        seen = look(model, (crop(picture) for picture in dim))
        kept.append((gate.score(seen.features, seen.measures) <= gate.limit).mean())
        strange = look(model, (crop(picture[..., [2, 0, 1]]) for picture in fresh))
        assert (gate.score(strange.features, strange.measures) > gate.limit).all()
    assert kept[1] > kept[0] + 0.2
    assert kept[1] > 0.8
    assert bearing.facts.tolist() == [0.95, 36, 12]


def test_the_same_seed_gives_the_same_gate(leaves, tmp_path):
    train, val = leaves.split("train"), leaves.split("val")
    gates = [fit_gate(Means(), train, val, augment=PRESETS["light"], seed=3) for _ in range(2)]
    files = [gate.save(tmp_path / f"{i}.npz").read_bytes() for i, gate in enumerate(gates)]
    assert files[0] == files[1]


def test_a_model_without_features_is_named(leaves):
    model = Means()
    model.run_crops = lambda crops: Outputs(np.zeros((len(crops), 2), np.float32))
    with pytest.raises(ModelError, match="the model of means gives no features; export it again"):
        fit_gate(model, leaves.split("train"), leaves.split("val"))


def test_figures_agree_with_sklearn():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=80), rng.normal(2, 1, 50)
    found = outside_figures(inside, outside, 1.5, inside_groups=range(80), outside_groups=range(50))
    truth = np.arange(130) >= 80
    assert found["auroc"].value == pytest.approx(roc_auc_score(truth, np.concatenate([inside, outside])))
    assert found["false_accept"].value == pytest.approx((outside <= 1.5).mean())
    assert found["kept"].value == pytest.approx((inside <= 1.5).mean())
    assert [found[name].n for name in ("auroc", "false_accept", "kept")] == [130, 50, 80]
    for metric in found.values():
        assert metric.low < metric.value < metric.high


def planted(n=600):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, n)
    z = rng.normal(size=(n, 3)) + 2 * (targets[:, None] == np.arange(3))
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), targets


def test_one_label_against_all_others():
    p, targets = planted()
    ids, more = ("normal", "benign", "malignant"), {"population": "x", "manifest_sha256": "0" * 64}
    points = operating_points(p, targets, ids, range(600), positive="malignant", **more)
    assert [point.target for point in points] == ["specificity=0.90", "specificity=0.95"]
    for point, asked in zip(points, (0.90, 0.95), strict=True):
        positive = targets == 2
        assert point.label == "malignant"
        assert point.achieved.value == pytest.approx((p[~positive, 2] < point.threshold).mean())
        assert point.achieved.value >= asked
        sensitivity = (p[positive, 2] >= point.threshold).mean()
        assert f"sensitivity at this threshold {sensitivity:.3f} (" in point.achieved.note
    assert operating_points(p, targets, ids, range(600), **more) == ()


def test_the_first_of_two_labels_may_be_the_positive_one():
    p, targets = planted()
    two, truth = p[targets < 2][:, :2], targets[targets < 2]
    two = two / two.sum(axis=1, keepdims=True)
    more = {"population": "x", "manifest_sha256": "0" * 64, "n_boot": 50}
    groups, ids = range(len(truth)), ("sick", "well")
    assert operating_points(two, truth, ids, groups, **more)[0].label == "well"
    first = operating_points(two, truth, ids, groups, positive="sick", **more)[0]
    assert first.label == "sick"
    assert first.achieved.value == pytest.approx((two[truth == 1, 0] < first.threshold).mean())
    with pytest.raises(ConfigError, match="there is no label 'ill': expected sick, well"):
        operating_points(two, truth, ids, groups, positive="ill", **more)
