"""The gate on planted features, in its file, and in a predictor."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vnvision.errors import BundleError, ConfigError, DataError, ModelError
from vnvision.records import AbstentionRule, BundleManifest, Calibration
from vnvision.runtime.picture_quality import MEASURES, QualityLimits, fit_limits, measure, measure_all
from vnvision.runtime.predictor import Predictor
from vnvision.runtime.scope import ScopeGate, fit_scope, fit_scope_alone
from vnvision.spec import PreprocessSpec

SPEC = PreprocessSpec(size_px=(48, 48))


def leaf(rng: np.random.Generator, hue: float = 1.0) -> np.ndarray:
    """Soft green fields with grain, (48, 48, 3) uint8."""
    field = cv2.resize(rng.random((6, 6)).astype(np.float32), (48, 48), interpolation=cv2.INTER_CUBIC)
    colour = np.array([70, 150 * hue, 60]) + rng.normal(0, 8, 3)
    return np.clip(colour * (0.7 + 0.6 * field[..., None]) + rng.normal(0, 6, (48, 48, 3)), 0, 255).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def planted():
    """Features near a plane of a 40-dimensional space, and pictures of leaves."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(3, 40))

    def draw(n):
        features = 5 + rng.normal(size=(n, 3)) @ basis + 0.1 * rng.normal(size=(n, 40))
        return features.astype(np.float32), measure_all([leaf(rng) for _ in range(n)], SPEC)

    return draw


@pytest.fixture(scope="module")
def gate(planted) -> ScopeGate:
    (features, looks), (held, held_looks) = planted(200), planted(99)
    return fit_scope(
        features, looks, range(200), val_features=held, val_measures=held_looks, val_groups=range(99)
    )


def test_in_scope_is_kept_and_strangers_are_not(gate, planted):
    features, looks = planted(400)
    assert 0.9 <= (gate.score(features, looks) <= gate.limit).mean() <= 0.99
    rng = np.random.default_rng(5)
    elsewhere = 5 + rng.normal(size=(400, 40)).astype(np.float32) * 3
    assert (gate.score(elsewhere, looks) > gate.limit).mean() > 0.99
    grey = measure_all([cv2.merge([leaf(rng)[..., 1]] * 3) for _ in range(50)], SPEC)
    assert (gate.score(features[:50], grey) > gate.limit).mean() > 0.99
    assert gate.facts.tolist() == [0.95, 99, 99]


def test_distances_are_mahalanobis(gate, planted):
    features, looks = planted(10)
    found = gate.distances(features, looks)
    off = looks[:, :10] - gate.look_centre
    np.testing.assert_allclose(found[:, 1] ** 2, np.diag(off @ gate.look_precision @ off.T), rtol=1e-9)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True) - gate.centre
    v, left = gate.directions.astype(float), gate.variances[-1]
    covariance = v.T @ np.diag(gate.variances[:-1] - left) @ v + left * np.eye(40)
    expected = np.einsum("ni,ij,nj->n", unit, np.linalg.inv(covariance), unit)
    np.testing.assert_allclose(found[:, 0] ** 2, expected, rtol=1e-3)
    np.testing.assert_allclose(gate.score(features, looks), (found / gate.units).sum(axis=1))
    # Brightness of the features is none of its business.
    np.testing.assert_allclose(gate.score(features * 3, looks), gate.score(features, looks), rtol=1e-5)


def test_quality_reasons(gate):
    rng = np.random.default_rng(1)
    good = leaf(rng)
    bad = {
        "too_dark": (good * 0.1).astype(np.uint8),
        "too_bright": np.clip(good.astype(int) + 150, 0, 255).astype(np.uint8),
        "too_blurred": cv2.GaussianBlur(good, (0, 0), 3),
    }
    limits = QualityLimits(*gate.quality)
    assert limits.reasons(measure(good, SPEC)) == ()
    for reason, picture in bad.items():
        assert reason in limits.reasons(measure(picture, SPEC))
    flat = measure(np.full((48, 48, 3), 128, np.uint8), SPEC)
    assert limits.reasons(flat) == ("too_blurred",)


def test_sharpness_ignores_light_and_contrast():
    good = cv2.GaussianBlur(leaf(np.random.default_rng(2)), (0, 0), 0.7)
    dim = measure((good * 0.6).astype(np.uint8), SPEC)
    assert abs(dim[-1] - measure(good, SPEC)[-1]) < 0.25
    assert measure(cv2.GaussianBlur(good, (0, 0), 2), SPEC)[-1] < measure(good, SPEC)[-1] - 1


def test_measures_do_not_depend_on_how_a_model_takes_pictures():
    picture = leaf(np.random.default_rng(3))
    expected = measure(picture, SPEC)
    assert len(expected) == len(MEASURES)
    bgr = SPEC.model_copy(update={"colour": "bgr"})
    np.testing.assert_allclose(measure(picture[..., ::-1], bgr), expected, rtol=1e-6)
    deep = PreprocessSpec(size_px=(48, 48), input_dtype="uint16", input_range=(0, 65535))
    np.testing.assert_allclose(measure(picture.astype(np.uint16) * 257, deep), expected, rtol=1e-4)
    grey = PreprocessSpec(size_px=(48, 48), colour="grey", mean=(0.0,), std=(1.0,))
    one = picture[..., :1]
    np.testing.assert_allclose(measure(one, grey), measure(np.repeat(one, 3, 2), SPEC), rtol=1e-6)
    lightness = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0].mean()
    assert expected[0] == pytest.approx(float(lightness), rel=1e-5)


def test_limits_refuse_the_share_they_say():
    rng = np.random.default_rng(4)
    measures = rng.normal(size=(1000, len(MEASURES)))
    limits = fit_limits(measures, refused=0.02)
    assert (measures[:, 0] < limits.darkest).mean() == pytest.approx(0.02, abs=0.002)
    assert (measures[:, 0] > limits.brightest).mean() == pytest.approx(0.02, abs=0.002)
    assert (measures[:, -1] < limits.blurred).mean() == pytest.approx(0.02, abs=0.002)


def test_file_goes_both_ways_with_equal_bytes(gate, planted, tmp_path):
    first, second = gate.save(tmp_path / "a.npz"), gate.save(tmp_path / "b.npz")
    assert first.read_bytes() == second.read_bytes()
    features, looks = planted(5)
    np.testing.assert_array_equal(ScopeGate.load(first).score(features, looks), gate.score(features, looks))


def test_files_that_are_no_gate(gate, tmp_path):
    path = gate.save(tmp_path / "a.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match=r"cannot read the scope gate .*a\.npz"):
        ScopeGate.load(path)
    np.savez(path, version=1, centre=np.ones(3))
    with pytest.raises(BundleError, match="is no scope gate that this version can apply; update vnvision"):
        ScopeGate.load(path)
    replace(gate, limit=np.array(np.nan)).save(path)
    with pytest.raises(BundleError, match="holds NaN or infinity"):
        ScopeGate.load(path)


def test_what_cannot_be_fitted(gate, planted):
    features, looks = planted(20)
    more = {"val_features": features, "val_measures": looks, "val_groups": range(20)}
    with pytest.raises(
        DataError, match=r"the scope gate cannot be fitted: .*8 groups or more, got 20, 20 and 20, 2"
    ):
        fit_scope(features, looks, [i % 2 for i in range(20)], **more)
    with pytest.raises(
        DataError, match=r"belongs to another model: expected .*40.* features, .*11.* measures"
    ):
        gate.score(features[:, :7], looks)


class Features:
    """An engine whose features and answers are those of its fixture."""

    name, path, input_shape, output_names = "planted", None, (None, 3, 8, 6), ("output", "features")

    def __init__(self, features: np.ndarray) -> None:
        self.features = features

    def run(self, batch):
        logits = np.tile(np.array([[4, 0, 0, 0]], np.float32), (len(batch), 1))
        return logits, self.features[: len(batch)]

    def close(self):
        pass


def predictor(make_bundle, features, gate, **calibration) -> Predictor:
    manifest = BundleManifest.load(make_bundle(calibration=Calibration(**calibration)) / "manifest.json")
    return Predictor(manifest, "onnx", Features(features), scope=gate)


def test_predictions_carry_the_reasons_and_the_probabilities(gate, planted, make_bundle, picture):
    features, _ = planted(2)
    wide = replace(gate, limit=np.array(1e9), quality=np.array([0.0, 100.0, -100.0]))
    answer = predictor(make_bundle, features, wide).predict(picture(1))
    assert (answer.abstained, answer.reasons) == (False, ())
    strict = replace(gate, limit=np.array(-1.0), quality=np.array([0.0, 100.0, -100.0]))
    refused = predictor(make_bundle, features, strict, abstain_below=0.999).predict(picture(1))
    assert (refused.abstained, refused.reasons) == (True, ("out_of_scope", "low_confidence"))
    assert refused.probabilities == answer.probabilities
    dark = replace(gate, limit=np.array(1e9), quality=np.array([99.0, 100.0, -100.0]))
    many = list(predictor(make_bundle, features, dark).predict_many([picture(1), picture(2)]))
    assert [one.reasons for one in many] == [("too_dark",)] * 2


def test_scope_score_is_the_gates(gate, planted, make_bundle, picture):
    features, _ = planted(2)
    model = predictor(make_bundle, features, gate)
    looks = measure_all([picture(1), picture(2)], model.task.preprocess)
    np.testing.assert_allclose(model.scope_score([picture(1), picture(2)]), gate.score(features, looks))
    np.testing.assert_array_equal(model.features([picture(1)]), features[:1])


def test_models_without_features(gate, make_bundle, picture):
    manifest = BundleManifest.load(make_bundle() / "manifest.json")
    engine = Features(np.ones((1, 40), np.float32))
    engine.output_names = ("output", "other")
    with pytest.raises(BundleError, match="its scope gate needs features; export the model again"):
        Predictor(manifest, "onnx", engine, scope=gate)
    model = Predictor(manifest, "onnx", engine)
    with pytest.raises(ConfigError, match="bundle tiny has no scope gate"):
        model.scope_score([picture(1)])
    with pytest.raises(ModelError, match="the model of tiny gives no features"):
        model.features([picture(1)])


def test_nothing_is_answered_where_no_limit_keeps_the_risk(make_bundle, planted, picture):
    rule = AbstentionRule(risk=0.01, delta=0.05, bound=None, coverage=0.0, n=40)
    model = predictor(make_bundle, planted(1)[0], None, abstain_below=1.0, abstention=rule)
    assert model.predict(picture(1)).reasons == ("low_confidence",)


def test_a_limit_set_out_of_fold_keeps_what_it_should(planted):
    features, looks = planted(240)
    groups, plain = np.repeat(np.arange(120), 2).tolist(), np.arange(240) % 2 == 0
    alone = fit_scope_alone(features, looks, groups, plain)
    new, new_looks = planted(400)
    assert 0.9 <= (alone.score(new, new_looks) <= alone.limit).mean() <= 1.0
    elsewhere = 5 + np.random.default_rng(5).normal(size=(400, 40)).astype(np.float32) * 3
    assert (alone.score(elsewhere, new_looks) > alone.limit).mean() > 0.99
    assert alone.facts.tolist() == [0.95, 120, 120]
    assert (alone.centre == fit_scope_alone(features, looks, groups, plain).centre).all()
    with pytest.raises(DataError, match="cannot be fitted"):
        fit_scope_alone(features, looks, [0] * 240, plain)
