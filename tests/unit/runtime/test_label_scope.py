"""One gate a label: the answer's gate decides, the file goes both ways, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from vnvision.atomic import sha256_file
from vnvision.errors import BundleError, DataError
from vnvision.runtime.bundle import scope_gate
from vnvision.runtime.label_scope import LabelGates, fit_label_gates, load_gate
from vnvision.runtime.picture_quality import MEASURES
from vnvision.runtime.scope import ScopeGate, fit_scope

CENTRES = np.array([[9.0, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0], [0, 0, 9, 0, 0, 0]])
SIZES = (120, 120, 20)
ANSWERS = np.eye(3, dtype=np.float32)


def draw(seed: int, label: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = CENTRES[label] + 0.3 * rng.normal(size=(n, 6))
    looks = rng.normal(size=(n, len(MEASURES))) + 20 * label
    return features.astype(np.float32), looks


def several(seed: int):
    parts = [draw(seed + label, label, size) for label, size in enumerate(SIZES)]
    features, looks = (np.concatenate(part) for part in zip(*parts, strict=True))
    labels = np.repeat(np.arange(3), SIZES)
    return features, looks, list(range(len(labels))), labels


@pytest.fixture(scope="module")
def gates() -> LabelGates:
    features, looks, groups, labels = several(0)
    held = several(10)
    names = ("val_features", "val_measures", "val_groups", "val_labels")
    return fit_label_gates(features, looks, groups, labels, **dict(zip(names, held, strict=True)), keep=0.9)


def test_each_gate_is_the_one_fitted_on_its_label_alone(gates):
    features, looks, groups, labels = several(0)
    held_features, held_looks, held_groups, held_labels = several(10)
    rows, held = labels == 1, held_labels == 1
    alone = fit_scope(
        features[rows],
        looks[rows],
        np.array(groups)[rows].tolist(),
        val_features=held_features[held],
        val_measures=held_looks[held],
        val_groups=np.array(held_groups)[held].tolist(),
        keep=0.9,
        directions=len(gates.gates[1].directions),
    )
    for item in fields(ScopeGate):
        np.testing.assert_allclose(getattr(gates.gates[1], item.name), getattr(alone, item.name))


def test_own_pictures_are_kept_and_what_lies_between_labels_is_not(gates):
    for label in range(3):
        features, looks = draw(99, label, 200)
        answers = np.repeat(ANSWERS[label][None], 200, axis=0)
        assert (gates.score(features, looks, answers) <= gates.limit).mean() > 0.75
    between = np.tile((CENTRES[0] + CENTRES[1]) / 2, (50, 1)).astype(np.float32)
    looks = np.random.default_rng(1).normal(size=(50, len(MEASURES))) + 10
    assert (gates.score(between, looks) > 1).all()


def test_the_answers_gate_decides_and_without_answers_the_nearest(gates):
    features, looks = draw(7, 0, 5)
    right, wrong = (np.repeat(ANSWERS[label][None], 5, axis=0) for label in (0, 1))
    scores = gates.scores(features, looks)
    assert scores.shape == (5, 3)
    np.testing.assert_allclose(gates.score(features, looks, right), scores[:, 0])
    np.testing.assert_allclose(gates.score(features, looks, wrong), scores[:, 1])
    np.testing.assert_allclose(gates.score(features, looks), scores.min(axis=1))
    assert (gates.score(features, looks, wrong) > 1).all()
    assert gates.reasons(features, looks, wrong)[0][-1] == "out_of_scope"


def test_quality_is_judged_by_the_answers_label(gates):
    features, looks = draw(8, 0, 1)
    strict = replace(gates.gates[0], quality=np.array([1e3, 1e4, -1e4]), limit=np.array(1e9))
    loose = replace(gates.gates[1], quality=np.array([-1e4, 1e4, -1e4]), limit=np.array(1e9))
    both = LabelGates((strict, loose))
    assert both.reasons(features, looks, np.array([[1.0, 0]])) == [("too_dark",)]
    assert both.reasons(features, looks, np.array([[0, 1.0]])) == [()]


def test_a_poor_label_lowers_the_directions_of_all(gates):
    assert {gate.directions.shape for gate in gates.gates} == {gates.gates[2].directions.shape}


def test_the_file_goes_both_ways_with_equal_bytes(gates, tmp_path):
    first, second = gates.save(tmp_path / "a.npz"), gates.save(tmp_path / "b.npz")
    assert first.read_bytes() == second.read_bytes()
    read = load_gate(first)
    features, looks = draw(3, 1, 4)
    assert isinstance(read, LabelGates)
    np.testing.assert_array_equal(read.scores(features, looks), gates.scores(features, looks))


def test_a_gate_of_the_first_kind_still_loads(gates, tmp_path):
    path = gates.gates[0].save(tmp_path / "one.npz")
    assert isinstance(load_gate(path), ScopeGate)


def test_answers_of_another_model_are_refused(gates):
    features, looks = draw(3, 1, 4)
    with pytest.raises(DataError, match=r"belong to another model: expected answers \(4, 3\), got \(4, 2\)"):
        gates.score(features, looks, np.zeros((4, 2)))


def test_a_label_without_validation_pictures_is_refused():
    features, looks, groups, labels = several(0)
    held = {"val_features": features, "val_measures": looks, "val_groups": groups}
    with pytest.raises(DataError, match="label 1 has no validation picture"):
        fit_label_gates(features, looks, groups, labels, **held, val_labels=np.zeros(len(labels), int))


def test_gates_of_a_model_with_other_labels_are_refused_when_opened(gates, tmp_path):
    path = gates.save(tmp_path / "scope.npz")
    calibration = SimpleNamespace(scope_file="scope.npz", scope_sha256=sha256_file(path))
    targets = {"onnx": SimpleNamespace(file="model.onnx", calibration=calibration)}

    def opened(*labels):
        about = SimpleNamespace(name="b", targets=targets, task=SimpleNamespace(labels=labels))
        return scope_gate(about, "onnx", tmp_path / "model.onnx")

    assert len(opened("a", "b", "c").gates) == 3
    for labels in ((), ("a", "b"), ("a", "b", "c", "d")):
        with pytest.raises(BundleError, match=rf"another model: expected {len(labels)}, one a label, got 3"):
            opened(*labels)


def test_files_that_are_no_gates(gates, tmp_path):
    path = tmp_path / "a.npz"
    arrays = {item.name: np.stack([getattr(g, item.name) for g in gates.gates]) for item in fields(ScopeGate)}
    np.savez(path, version=2, **{**arrays, "limit": arrays["limit"][:2]})
    with pytest.raises(BundleError, match="do not fit together; export the model again"):
        load_gate(path)
    np.savez(path, version=2, centre=arrays["centre"])
    with pytest.raises(BundleError, match="do not fit together"):
        load_gate(path)
    np.savez(path, version=2, **{name: array[:0] for name, array in arrays.items()})
    with pytest.raises(BundleError, match="do not fit together"):
        load_gate(path)
    np.savez(path, version=3, **arrays)
    with pytest.raises(BundleError, match="no scope gate that this version can apply"):
        load_gate(path)
    np.savez(path, version=2, **{**arrays, "limit": np.full(3, np.nan)})
    with pytest.raises(BundleError, match="NaN or infinity"):
        load_gate(path)
